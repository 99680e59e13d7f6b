"""Prints the calls of an Asterisk as they begin and end, and tells when it is lost and when it is back.

AMI_SECRET=... python ami_calls.py ami://127.0.0.1:5038 monitor
"""

import asyncio
import sys

from manager import AmiSettings, ConnectionManager, SecretSource, parse_endpoint


async def main(url: str, username: str) -> None:
    settings = AmiSettings(
        name="pbx",
        endpoints=(parse_endpoint(url),),
        username=username,
        password=SecretSource(env="AMI_SECRET"),
    )
    async with ConnectionManager([settings]) as manager:
        manager.on("connection:stateChanged", lambda event: print(f"pbx is {event.phase}"))
        manager.on("connection:recovered", lambda event: print(f"pbx was away for {event.downtime:.1f} s"))
        async for event in manager.messages("pbx"):
            caller, called = event.first("CallerIDNum"), event.first("Exten")
            if event.name == "Newchannel":
                print(f"{caller!r} calls {called!r}")
            elif event.name == "Hangup":
                print(f"{caller!r} has hung up: {event.first('Cause-txt')!r}")


if __name__ == "__main__":
    asyncio.run(main(*sys.argv[1:]))
