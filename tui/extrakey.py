"""Keys that somebody else puts on the dashboard."""

from __future__ import annotations

from collections.abc import Awaitable, Callable

import msgspec


class ExtraKey(msgspec.Struct, frozen=True):
    """One of them."""

    key: str
    description: str
    action: Callable[[str | None], Awaitable[str]]
    """Called with the selected connection's name; the sentence it returns is shown."""

    async def press(self, name: str | None) -> str:
        """Do what it does; return the sentence to show, also where it fails."""
        try:
            return await self.action(name)
        except Exception as error:  # noqa: BLE001 - somebody else's key must not end the screen
            return f"{self.description}: {str(error) or type(error).__name__}"
