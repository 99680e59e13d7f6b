"""What is found again after a restart: Contacts and the login budget. Never a secret."""

from __future__ import annotations

import asyncio
import json
import logging
import os
import tempfile
from collections.abc import Iterator, MutableMapping
from contextlib import suppress
from pathlib import Path

log = logging.getLogger(__name__)


DELAY = 0.2
"""Seconds for which changes are gathered before they are written."""


class Store:
    """Named sections of text by key; kept in a JSON file, or in memory where no path is given.

    Changes are written within `DELAY` seconds, many at a time, atomically and with mode 0600. A file
    that cannot be read is set aside as `*.broken`; one that cannot be written is logged and costs no more
    than the memory of it.
    """

    def __init__(self, path: Path | None = None) -> None:
        self._path = path
        self._sections: dict[str, dict[str, str]] = _read(path) if path else {}
        self._timer: asyncio.TimerHandle | None = None

    def section(self, name: str) -> MutableMapping[str, str]:
        """Return the section of this name; changes to it are kept."""
        return _Section(self, self._sections.setdefault(name, {}))

    def changed(self) -> None:
        """Write soon."""
        if self._path is not None and self._timer is None:
            self._timer = asyncio.get_running_loop().call_later(DELAY, self.save)

    def save(self) -> None:
        """Write everything to the file now."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        if self._path is None:
            return
        sections = {name: section for name, section in self._sections.items() if section}
        try:
            self._path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            handle, temporary = tempfile.mkstemp(dir=self._path.parent, prefix=self._path.name)
            try:
                with os.fdopen(handle, "w") as stream:
                    json.dump(sections, stream, indent=1)
                Path(temporary).replace(self._path)
            except BaseException:
                with suppress(OSError):
                    Path(temporary).unlink()
                raise
        except OSError as error:
            log.warning("cannot write %s: %s", self._path, error.strerror)


class _Section(MutableMapping[str, str]):
    def __init__(self, store: Store, content: dict[str, str]) -> None:
        self._store = store
        self._content = content

    def __getitem__(self, key: str) -> str:
        return self._content[key]

    def __setitem__(self, key: str, value: str) -> None:
        for part in (key, value):
            if not isinstance(part, str):
                raise TypeError(f"text is kept, not {type(part).__name__}")  # or no file could be written
        if self._content.get(key) != value:
            self._content[key] = value
            self._store.changed()

    def __delitem__(self, key: str) -> None:
        del self._content[key]
        self._store.changed()

    def __iter__(self) -> Iterator[str]:
        return iter(self._content)

    def __len__(self) -> int:
        return len(self._content)


def _read(path: Path) -> dict[str, dict[str, str]]:
    try:
        content = json.loads(path.read_text())
        return {
            str(name): {str(key): str(value) for key, value in section.items()}
            for name, section in content.items()
        }
    except FileNotFoundError:
        return {}
    except OSError as error:
        log.warning("cannot read %s: %s", path, error.strerror)
    except (ValueError, AttributeError):
        log.warning("%s is damaged; it is set aside and begun anew", path)
        with suppress(OSError):
            path.replace(path.with_name(path.name + ".broken"))
    return {}
