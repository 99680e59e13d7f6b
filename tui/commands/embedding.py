"""A manager of this process: from the settings to a client."""

from __future__ import annotations

import shlex
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import TypeVar

import platformdirs

from manager.config import Configuration, default_path, load
from manager.embedded import EmbeddedClient
from manager.errors import TrunklineError, UnknownConnectionError
from manager.lock import AlreadyRunningError
from manager.model import Status
from manager.places import key_of
from manager.settings import ConnectionSettings
from tui.commands.terms import BAD_SETTINGS, FAILED, HELD, told


def configured(path: Path | None) -> Configuration:
    """Return what the settings say; end the program in plain words where they cannot be used."""
    path = path or default_path()
    with told(BAD_SETTINGS):
        if not path.exists():
            folder, file = shlex.quote(str(path.parent)), shlex.quote(str(path))
            hint = f"begin with: mkdir -p {folder} && trunkline config example > {file}"
            raise TrunklineError(f"there are no settings at {path}", hint)
        return load(path)


Named = TypeVar("Named", Status, ConnectionSettings)


def named(everyone: Sequence[Named], names: Sequence[str]) -> tuple[Named, ...]:
    """Return those of the names, in the order of the settings; all where none is named.

    Raises:
        UnknownConnectionError: no connection has one of the names.
    """
    known = {each.name for each in everyone}
    for name in names:
        if name not in known:
            raise UnknownConnectionError(f"no connection is called {name!r}")
    return tuple(each for each in everyone if not names or each.name in names)


def client_of(configuration: Configuration) -> EmbeddedClient:
    """Return the manager of these settings, not started yet."""
    return EmbeddedClient(
        configuration.connections,
        store=state_of(configuration.path),
        load=partial(_connections, configuration.path),
    )


@contextmanager
def starting() -> Iterator[None]:
    """Tell why a manager cannot be started here, with the exit code of that."""
    with told(FAILED, {AlreadyRunningError: HELD}):
        yield


def state_of(path: Path) -> Path:
    """Return where what is remembered over restarts is kept, of the settings at a path."""
    return platformdirs.user_state_path("trunkline") / f"{key_of(path)}.json"


def _connections(path: Path) -> tuple[ConnectionSettings, ...]:
    return load(path).connections
