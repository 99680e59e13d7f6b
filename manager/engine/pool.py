"""Which endpoint next."""

from __future__ import annotations

from manager.endpoint import Endpoint


class Pool:
    """The endpoints of one connection in their configured order; a failure moves on to the next."""

    def __init__(self, endpoints: tuple[Endpoint, ...]) -> None:
        if not endpoints:
            raise ValueError("a connection needs an endpoint")
        self._endpoints = endpoints
        self._index = 0

    @property
    def current(self) -> Endpoint:
        """The endpoint in use, or the one that is tried next."""
        return self._endpoints[self._index]

    def failed(self) -> None:
        """Move on, and after the last one begin again with the first."""
        self._index = (self._index + 1) % len(self._endpoints)
