"""A listening TCP socket before which nobody can queue: who is not let in soon is not waited for.

Between the accept and the token that is recognised, a caller costs a file and a TLS handshake. So only so
many are in the doorway at a time, of one address and in all, and only so many come in a second; others are
closed at once. How long one may stay there is bounded by whoever does the handshakes.
"""

from __future__ import annotations

import socket
import time
from collections import Counter, OrderedDict
from collections.abc import Callable
from contextlib import suppress
from functools import partial
from typing import Any

from manager.service.bucket import Bucket

AT_ONCE = 64
"""Callers in the doorway."""
OF_ONE = 16
"""Of them from one address."""
RATE = 40.0
"""Callers a second, of one address."""
BURST = 80.0
"""Callers at once before that."""
_ADDRESSES = 1024
"""How many addresses are told apart; the one that has not called for longest is forgotten."""
_BACKLOG = 64


class Doorway(socket.socket):
    """Accepts those for whom there is room, and closes the others."""

    def __init__(self, host: str, port: int, *, clock: Callable[[], float] = time.monotonic) -> None:
        """Begin to listen.

        Raises:
            OSError: it cannot listen there.
        """
        family, kind, protocol, _, address = socket.getaddrinfo(
            host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE
        )[0]
        super().__init__(family, kind, protocol)
        self._clock = clock
        self._inside: dict[Any, _Caller] = {}
        """Each caller that was not let in yet, by its address."""
        self._of_host: Counter[str] = Counter()
        self._buckets: OrderedDict[str, Bucket] = OrderedDict()
        self.refused = 0
        """How many were closed for want of room."""
        try:
            self.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            if family == socket.AF_INET6:
                self.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, host != "::")
            self.bind(address)
            self.listen(_BACKLOG)
        except BaseException:
            self.close()
            raise

    def accept(self) -> tuple[socket.socket, Any]:
        """Return the next caller for whom there is room.

        Raises:
            BlockingIOError: nobody calls, or so many were refused that it is somebody else's turn.
        """
        for _ in range(_BACKLOG):
            own, address = super().accept()
            if self._has_room(address[0]):
                caller = self._inside[address] = _Caller(own, partial(self.left, address))
                self._of_host[address[0]] += 1
                return caller, address
            self.refused += 1
            own.close()
        raise BlockingIOError

    def left(self, address: Any) -> None:
        """Have a caller be no longer in the doorway: it is inside, or gone."""
        if self._inside.pop(address, None) is None:
            return
        host = address[0]
        self._of_host[host] -= 1
        if not self._of_host[host]:
            del self._of_host[host]

    def turn_out(self) -> None:
        """End the connections of all who are in the doorway; whoever serves them closes them."""
        for caller in tuple(self._inside.values()):
            with suppress(OSError):
                caller.shutdown(socket.SHUT_RDWR)

    def _has_room(self, host: str) -> bool:
        bucket = self._buckets.setdefault(host, Bucket(RATE, BURST))
        self._buckets.move_to_end(host)
        if len(self._buckets) > _ADDRESSES:
            self._buckets.popitem(last=False)
        in_time = bucket.take(self._clock())
        return in_time and len(self._inside) < AT_ONCE and self._of_host[host] < OF_ONE


class _Caller(socket.socket):
    """A connection that tells when it is closed."""

    def __init__(self, own: socket.socket, closed: Callable[[], None]) -> None:
        super().__init__(own.family, own.type, own.proto, fileno=own.detach())
        self._closed_told = closed

    def close(self) -> None:
        self._closed_told()
        super().close()
