"""Keeps one SIP address registered, and tells of each change and of each call that comes in.

SIP_PASSWORD=... python sip_registration.py "sip:pbx.example.com;transport=tcp" sip:6001@pbx.example.com 6001
"""

import asyncio
import sys

from manager import ConnectionManager, Phase, SecretSource, SipSettings, parse_endpoint
from manager.events import Reported, StateChanged


async def main(registrar: str, aor: str, username: str) -> None:
    settings = SipSettings(
        name="desk",
        endpoints=(parse_endpoint(registrar),),
        aor=aor,
        username=username,
        password=SecretSource(env="SIP_PASSWORD"),
    )
    async with ConnectionManager([settings]) as manager:
        async for event in manager.events():
            match event:
                case StateChanged(phase=Phase.UP, status=status):
                    print(f"registered at {status.facts['registrar']} for {status.facts['expires']} s")
                case StateChanged(phase=Phase.WAITING, status=status):
                    print(f"lost ({status.failure.reason}); attempt {status.attempt} in {status.wait:.0f} s")
                case Reported(report="incomingCall", text=text):
                    print(text)


if __name__ == "__main__":
    asyncio.run(main(*sys.argv[1:]))
