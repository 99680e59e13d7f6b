"""One side that registers addresses of record over UDP, in a process of its own, a few at a time.

python -m bench.registrants SIDE PORT SECRET NUMBER
"""

from __future__ import annotations

import asyncio
import sys
import time
from collections.abc import Callable, Coroutine
from contextlib import AsyncExitStack
from typing import Any

from bench.child import answer
from bench.registrar import USER

EXPIRES = 60
AT_A_TIME = 4
"""As many as the login budget lets our manager try side by side; the others do the same."""


def aor(side: str, number: int) -> str:
    return f"sip:{side}{number}@127.0.0.1"


async def ours(port: int, secret: str, number: int) -> None:
    from manager import ConnectionManager

    settings = _settings("ours", port, secret, number)
    async with ConnectionManager() as manager:

        async def register() -> None:
            for each in settings:
                manager.add(each)

        await _answer(register, lambda: sum(phase.connected for phase in manager.states.values()))


async def driver(port: int, secret: str, number: int) -> None:
    """Our driver without the engine."""
    from manager.drivers.sip import create
    from tests.real.connections import Witness

    settings = _settings("driver", port, secret, number)
    sessions: list[Any] = []
    async with AsyncExitStack() as stack:

        async def register() -> None:
            turn = asyncio.Semaphore(AT_A_TIME)

            async def open_one(each: Any) -> None:
                async with turn:
                    session = await create(each, {}).open(each.endpoints[0], Witness())
                stack.push_async_callback(session.close, graceful=False)
                sessions.append(session)

            await asyncio.gather(*map(open_one, settings))

        await _answer(register, lambda: len(sessions))


def _settings(side: str, port: int, secret: str, number: int) -> list[Any]:
    from manager.drivers.sip import driver  # noqa: F401 - loaded before the CPU is measured, as theirs is
    from manager.endpoint import parse_endpoint
    from manager.secret import Secret, SecretSource
    from manager.settings import Policy, SipSettings

    policy = Policy(start_rate=0)
    return [
        SipSettings(
            name=f"{side}{each}",
            endpoints=(parse_endpoint(f"sip:127.0.0.1:{port};transport=udp"),),
            aor=aor(side, each),
            username=USER,
            password=SecretSource(plain=Secret(secret)),
            expires=EXPIRES,
            policy=policy,
        )
        for each in range(number)
    ]


async def theirs(side: str, port: int, secret: str, number: int) -> None:
    """aiosipua with a socket each, or (`shared`) as it is documented: with one for all."""
    from aiosipua import Registration, SipDigestAuth, SipUAC
    from aiosipua.registration import RegistrationState
    from aiosipua.transport import UdpSipTransport

    # Its check of the transport's type fails with Python 3.11, once a socket and without effect.
    asyncio.get_running_loop().set_exception_handler(lambda *_: None)
    registrations: list[Registration] = []

    async def agent() -> SipUAC:
        transport = UdpSipTransport(local_addr=("127.0.0.1", 0))
        await transport.start()
        transport.local_addr = transport._udp_transport.get_extra_info("sockname")  # noqa: SLF001
        uac = SipUAC(transport)
        transport.on_message = uac.handle_response
        return uac

    async def register() -> None:
        turn = asyncio.Semaphore(AT_A_TIME)
        one = await agent()
        for each in range(number):
            await turn.acquire()
            registration = Registration(
                one if side == "shared" else await agent(),
                aor(side, each),
                ("127.0.0.1", port),
                auth=SipDigestAuth(USER, secret),
                expires=EXPIRES,
            )
            registration.on_registered = lambda _: turn.release()
            registration.register()
            registrations.append(registration)

    def up() -> int:
        # One that is being refreshed is still bound.
        bound = (RegistrationState.REGISTERED, RegistrationState.REGISTERING)
        return sum(each.state in bound and each.granted_expires > 0 for each in registrations)

    await _answer(register, up)


async def _answer(register: Callable[[], Coroutine[Any, Any, None]], up: Callable[[], int]) -> None:
    beginning: list[asyncio.Task[None]] = []

    async def handle(words: list[Any]) -> object:
        if words == ["up"]:
            return up()
        if words == ["begin"]:
            beginning.append(asyncio.create_task(register()))
        return time.process_time()

    await answer(handle)
    for task in beginning:
        task.cancel()
    await asyncio.gather(*beginning, return_exceptions=True)


def main(side: str, port: int, secret: str, number: int) -> None:
    ways = {"ours": ours, "driver": driver}
    asyncio.run(ways[side](port, secret, number) if side in ways else theirs(side, port, secret, number))


if __name__ == "__main__":
    main(sys.argv[1], int(sys.argv[2]), sys.argv[3], int(sys.argv[4]))
