"""What one person wants of the dashboard: `dashboard.toml`, beside the settings of the connections.

It is a file of its own because it belongs to who looks, not to what is looked at.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import msgspec
import platformdirs

from manager.config.document import read_document
from manager.config.section import Section, kind_of, nearest_of, shown
from tui import themes

_A_KEY = 'a key, or several in an array: "x", "ctrl+x", "f5", ["k", "up"]'


class Preferences(msgspec.Struct, frozen=True, kw_only=True):
    """What was chosen; None leaves the choice to the terminal."""

    theme: str | None = None
    ascii: bool | None = None
    """Draw with ASCII alone."""
    mouse: bool = False
    """Take the mouse, and with it the terminal's own selection."""
    read_only: bool = False
    """Look, and touch nothing."""
    privacy: bool = False
    """Begin with names and addresses hidden."""
    slow: bool = False
    """Draw half as often, as for a terminal that does not keep up."""
    keys: Mapping[str, tuple[str, ...]] = {}
    """By the id of what they do."""


def default_path() -> Path:
    """Return where the file is looked for."""
    return platformdirs.user_config_path("trunkline", appauthor=False) / "dashboard.toml"


def load(path: Path) -> Preferences:
    """Read the file; what it does not set, or a file that is not there, leaves everything as it comes.

    Raises:
        manager.config.ConfigError: it cannot be read or used; it tells every mistake at once.
    """
    if not path.exists():
        return Preferences()
    document = read_document(path)
    root = Section(document.content, (), document.notes)
    preferences = Preferences(
        theme=root.optional_text(
            "theme", _one_of(themes.available()), lambda name: name in themes.available()
        ),
        ascii=root.flag("ascii", default=False) if "ascii" in root else None,
        mouse=root.flag("mouse", default=False),
        read_only=root.flag("read_only", default=False),
        privacy=root.flag("privacy", default=False),
        slow=root.flag("slow", default=False),
        keys=_keys(root),
    )
    root.unknown()
    document.demand_no_mistakes()
    return preferences


def _keys(root: Section) -> dict[str, tuple[str, ...]]:
    pairs = list(root.pairs("keys", "a table: [keys]"))
    if not pairs:
        return {}
    from tui import keymap  # noqa: PLC0415 - it knows every screen, and none is needed where no key is chosen

    known = keymap.defaults()
    chosen: dict[str, tuple[str, ...]] = {}
    for place, identity, value in pairs:
        keys = _read(value)
        if identity not in known:
            nearest = nearest_of(identity, list(known))
            root.notes.mistake(
                place, "an unknown name", "a name that `trunkline keys` lists", nearest=nearest
            )
        elif keys is None:
            root.notes.mistake(place, kind_of(value), _A_KEY)
        elif wrong := [key for key in keys if not keymap.is_key(key)]:
            root.notes.mistake(place, shown(wrong[0]), _A_KEY)
        else:
            chosen[identity] = keys
    for clash in keymap.clashes(chosen):
        # Those that come along go together, so at least one of the two stands here.
        identity, other = clash.ids[::-1] if clash.ids[1] in chosen else clash.ids
        root.notes.mistake(
            ("keys", identity),
            f"{shown(clash.key)}, which is the key of {other}",
            f"another key, or one for {other}",
        )
    return chosen


def _read(value: Any) -> tuple[str, ...] | None:
    keys = [value] if isinstance(value, str) else value
    if not isinstance(keys, list) or not keys or not all(isinstance(key, str) and key for key in keys):
        return None
    return tuple(keys)


def _one_of(names: list[str]) -> str:
    return "one of " + ", ".join(f'"{name}"' for name in names)
