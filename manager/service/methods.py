"""What can be asked of a service: the interface of `manager.client`, by name.

| method | parameters | answer |
|---|---|---|
| `version` | | `protocol`, `trunkline`, `pid`, `config`, `since`, `may` |
| `snapshot` | | `manager.model.Snapshot` |
| `events` | `since`: a position; from now on without | a subscription; then notifications `events` with `events` and the `position` they lead to |
| `wire` | `name`, `since`: a position; all that is held without | a subscription; then notifications `wire` with `messages` |
| `unsubscribe` | `subscription` | nothing |
| `history` | `name` | `manager.history.History` |
| `settings` | `name` | rows of `manager.effective.SettingRow`, secrets masked |
| `config` | | `config`, the path of the file, and `connections`: the rows of each by its name |
| `reconnect`, `refresh`, `pause`, `resume`, `reload`… | those of the command in `manager.client` | its outcome |

`rights.py` says which of them act and which only read.

Notifications bear the number of their `subscription`; `ended` says that nothing more follows on one, with an
`error` where something is wrong. A `gap` among the events says that some are no longer held, or that `since`
was of another run, and the position then has another epoch: take a new snapshot. Commands go on when the one
who asked for them has left.
"""  # noqa: E501 - a table

from __future__ import annotations

import os
from collections.abc import AsyncGenerator
from contextlib import suppress
from importlib.metadata import version
from pathlib import Path
from typing import Literal, get_args

import msgspec
from msgspec.structs import replace

from manager.client import Command
from manager.effective import SettingRow
from manager.embedded import EmbeddedClient
from manager.errors import UnknownConnectionError
from manager.events import Gap
from manager.model import Position, Snapshot
from manager.service.news import News
from manager.service.protocol import ErrorObject, read_params
from manager.service.rights import Right, Visitor
from manager.wire import WireMessage

PROTOCOL = 1
"""Another number when an older client could misunderstand; what is merely added does not change it."""

COMMANDS: dict[str, type[msgspec.Struct]] = {
    str(kind.__struct_config__.tag): kind for kind in get_args(Command)
}


class About(msgspec.Struct, frozen=True, kw_only=True):
    """Which service it is."""

    protocol: int
    trunkline: str
    """Version of the program."""
    pid: int
    config: str
    since: float
    """When it was started, in seconds since 1970."""
    may: Literal["read", "act"] = "act"
    """What the one who asks may do."""


class Overview(msgspec.Struct, frozen=True, kw_only=True):
    """What `GET /v1/status` answers with."""

    service: About
    snapshot: Snapshot


class Config(msgspec.Struct, frozen=True, kw_only=True):
    """What counts for all connections, secrets masked."""

    config: str
    """The file that was read."""
    connections: dict[str, tuple[SettingRow, ...]]


class Named(msgspec.Struct, frozen=True):
    """Parameters: a connection."""

    name: str


class EventsFrom(msgspec.Struct, frozen=True, omit_defaults=True):
    """Parameters: a place in the stream of events; now where it is missing."""

    since: Position | None = None


class WireFrom(msgspec.Struct, frozen=True, omit_defaults=True):
    """Parameters: a place in what goes over the wire of a connection; the beginning where it is missing."""

    name: str
    since: Position | None = None


class Subscription(msgspec.Struct, frozen=True):
    """Which stream a notification belongs to; parameters of `unsubscribe` as well."""

    subscription: int


class Ended(msgspec.Struct, frozen=True, omit_defaults=True):
    """Parameters of the notification `ended`."""

    subscription: int
    error: ErrorObject | None = None
    """Why, where something is wrong; the manager's own end is no error."""


class EventsTold(msgspec.Struct, frozen=True, kw_only=True):
    """Parameters of the notification `events`."""

    subscription: int
    events: msgspec.Raw
    """An array of `manager.events.Event` and `Gap`."""
    position: Position


class WireTold(msgspec.Struct, frozen=True, kw_only=True):
    """Parameters of the notification `wire`."""

    subscription: int
    messages: list[WireMessage | Gap]


class Methods:
    """Answers requests out of a manager."""

    def __init__(self, client: EmbeddedClient, config: Path, since: float) -> None:
        self._client = client
        self._news = News(client)
        self._about = About(
            protocol=PROTOCOL,
            trunkline=version("trunkline"),
            pid=os.getpid(),
            config=str(config),
            since=since,
        )

    async def overview(self, visitor: Visitor) -> Overview:
        """Return which service it is and how everything stands."""
        return Overview(service=self.about(visitor), snapshot=await self._client.snapshot())

    async def answer(self, method: str, params: msgspec.Raw, visitor: Visitor) -> object:
        """Carry a request out that its visitor may ask for, and return its result.

        Raises:
            manager.service.protocol.RpcError: the parameters do not fit.
            manager.errors.TrunklineError: the manager says no.
        """
        match method:
            case "version":
                return self.about(visitor)
            case "snapshot":
                return await self._client.snapshot()
            case "history":
                return await self._client.history(read_params(params, Named).name)
            case "settings":
                return await self._client.settings(read_params(params, Named).name)
            case "config":
                return await self._config()
        return await self._client.command(read_params(params, COMMANDS[method]))

    async def _config(self) -> Config:
        statuses = (await self._client.snapshot()).statuses
        found: dict[str, tuple[SettingRow, ...]] = {}
        for status in statuses:
            with suppress(UnknownConnectionError):  # it was removed since
                found[status.name] = await self._client.settings(status.name)
        return Config(config=self._about.config, connections=found)

    def about(self, visitor: Visitor) -> About:
        """Return which service it is and what one may do there."""
        return replace(self._about, may="act" if visitor.right is Right.ACT else "read")

    async def known(self, name: str) -> None:
        """Return where a connection has the name.

        Raises:
            manager.errors.UnknownConnectionError: none has.
        """
        await self._client.settings(name)

    async def events(self, subscription: int, wanted: EventsFrom) -> AsyncGenerator[EventsTold]:
        """Yield what notifications about events say."""
        position = wanted.since or (await self._client.snapshot()).position
        while True:
            batch = await self._news.after(position)
            position = batch.position
            yield EventsTold(subscription=subscription, events=batch.events, position=position)

    async def wire(self, subscription: int, wanted: WireFrom) -> AsyncGenerator[WireTold]:
        """Yield what notifications about the wire say."""
        async for message in self._client.wire(wanted.name, wanted.since):
            yield WireTold(subscription=subscription, messages=[message])
