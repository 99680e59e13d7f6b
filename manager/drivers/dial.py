"""A TCP connection to a host, whichever of its addresses answers first."""

from __future__ import annotations

import asyncio
import socket
from collections import Counter, deque
from collections.abc import Callable

from manager.drivers.base import SessionListener
from manager.model import Stage

ATTEMPT_DELAY = 0.25
"""Seconds that an address is ahead of the next (RFC 8305 §5)."""

RENEWAL = 3.0
"""Seconds after which a connect that hears nothing begins anew. The kernel asks again after longer and longer
pauses (before Linux 6.5 after 1, 3, 7 and 15 s), in which a host that is back would wait for us."""

_Address = tuple[int, tuple[object, ...]]
"""Family, and what `connect` takes."""


async def dial(host: str, port: int, listener: SessionListener) -> socket.socket:
    """Look a host up and return a connected, non-blocking socket; it belongs to the caller.

    Raises:
        OSError, UnicodeError: the name is unknown, or none of its addresses takes the connection.
    """
    listener.reached(Stage.LOOKUP)
    addresses = await look_up(host, port)
    order = {
        each: place for place, each in enumerate(listener.ordered([host_of(each) for each in addresses]))
    }
    addresses.sort(key=lambda address: order.get(host_of(address), len(order)))
    listener.reached(Stage.CONNECT)
    connected = await _first_to_answer(deque(addresses))
    try:
        address = connected.getpeername()[0]
    except OSError:  # it was reset meanwhile
        connected.close()
        raise
    listener.using(str(address))
    return connected


async def knock(host: str, port: int) -> None:
    """Connect to a host and close again, without a byte sent.

    Raises:
        OSError, UnicodeError: the name is unknown, or none of its addresses takes the connection.
    """
    connected = await _first_to_answer(deque(await look_up(host, port)))
    connected.close()


async def connect(create: Callable[[], socket.socket], address: tuple[object, ...]) -> socket.socket:
    """Connect a socket that `create` makes, and another one as long as nothing comes back.

    Raises:
        OSError: the host refuses, or cannot be reached.
    """
    while True:
        connecting = create()
        try:
            async with asyncio.timeout(RENEWAL):
                await asyncio.get_running_loop().sock_connect(connecting, address)
        except TimeoutError:
            connecting.close()
        except BaseException:
            connecting.close()
            raise
        else:
            return connecting


async def look_up(host: str, port: int | None) -> list[_Address]:
    """Return the addresses of a host, those of the families by turns.

    Raises:
        OSError, UnicodeError: the name is unknown, or is none.
    """
    try:
        # An address needs no resolver, and so no thread that may stand in line behind a slow lookup.
        found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM, flags=socket.AI_NUMERICHOST)
    except socket.gaierror:
        loop = asyncio.get_running_loop()
        found = list(await loop.getaddrinfo(host, port, type=socket.SOCK_STREAM))
    places: Counter[int] = Counter()
    ranked = []
    for family, _, _, _, address in found:
        ranked.append((places[family], (int(family), address)))
        places[family] += 1
    return [address for _, address in sorted(ranked, key=lambda entry: entry[0])]


async def _first_to_answer(addresses: deque[_Address]) -> socket.socket:
    """Start an address every `ATTEMPT_DELAY`, or as soon as one fails; the first to answer wins."""
    running: set[asyncio.Task[socket.socket]] = set()
    errors: list[OSError] = []
    winner: socket.socket | None = None
    try:
        while winner is None and (running or addresses):
            if addresses:
                running.add(asyncio.create_task(_connect(*addresses.popleft())))
            done, _ = await asyncio.wait(
                running, timeout=ATTEMPT_DELAY if addresses else None, return_when=asyncio.FIRST_COMPLETED
            )
            for task in done:
                try:
                    winner = winner or task.result()
                except OSError as error:
                    errors.append(error)
                    running.discard(task)
    except BaseException:
        await _give_up(running, None)
        raise
    if winner is None:
        raise _most_telling(errors)
    await _give_up(running, winner)
    return winner


def host_of(address: _Address) -> str:
    """Return the host of an address as text."""
    return str(address[1][0])


async def _connect(family: int, address: tuple[object, ...]) -> socket.socket:
    def create() -> socket.socket:
        created = socket.socket(family, socket.SOCK_STREAM)
        created.setblocking(False)
        return created

    return await connect(create, address)


async def _give_up(running: set[asyncio.Task[socket.socket]], winner: socket.socket | None) -> None:
    """End every connection but the winner; the winner too if this is cancelled."""
    for task in running:
        if task.done() and task.exception() is None and task.result() is not winner:
            task.result().close()
        task.cancel()
    try:
        await asyncio.gather(*running, return_exceptions=True)
    except asyncio.CancelledError:
        if winner is not None:
            winner.close()
        raise


def _most_telling(errors: list[OSError]) -> OSError:
    """Prefer a refusal, which a host sent, to what was only missing (no route, no IPv6)."""
    return next((error for error in errors if isinstance(error, ConnectionRefusedError)), errors[0])
