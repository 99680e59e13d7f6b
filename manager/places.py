"""Where what belongs to a configuration is found: the file itself, and the socket of its service.

Imports little: `trunkline status` is over before anything else of trunkline would be loaded.
"""

from __future__ import annotations

import os
from contextlib import suppress
from importlib import import_module
from pathlib import Path

_SYSTEM = Path("/run/trunkline")
"""Where the system's service has its socket."""


def default_path() -> Path:
    """Return where the file is looked for when none is named: `trunkline/config.toml` of the platform."""
    return _folder("XDG_CONFIG_HOME", ".config") / "trunkline/config.toml"


def key_of(config: Path) -> str:
    """Return a name for what belongs to a configuration, the same by whatever path it is reached."""
    return _sha256(os.fsencode(config.resolve()))[:16]


def _sha256(content: bytes) -> str:
    """Return a digest without what hashlib loads of OpenSSL for it: a fifth of the time of a probe."""
    for name in ("_sha2", "_sha256"):  # of Python 3.12 and later, and before
        with suppress(ImportError):
            return str(import_module(name).sha256(content).hexdigest())
    return str(import_module("hashlib").sha256(content).hexdigest())


def socket_to_serve(config: Path) -> Path:
    """Return where a service of a configuration listens.

    That is the folder that systemd made for it, else `trunkline` in the user's runtime folder, else in the
    state folder.
    """
    name = f"{key_of(config)}.sock"
    given = os.environ.get("RUNTIME_DIRECTORY", "").partition(":")[0]
    if given:
        return Path(given) / name
    runtime = _runtime_folder()
    return (runtime / "trunkline" if runtime.is_dir() else _state_folder()) / name


def sockets_to_ask(config: Path) -> tuple[Path, ...]:
    """Return where a service of a configuration may listen, the likeliest first."""
    name = f"{key_of(config)}.sock"
    folders = (_runtime_folder() / "trunkline", _state_folder(), _SYSTEM)
    return tuple(folder / name for folder in folders)


def _runtime_folder() -> Path:
    return Path(os.environ.get("XDG_RUNTIME_DIR") or f"/run/user/{os.getuid()}")


def _state_folder() -> Path:
    return _folder("XDG_STATE_HOME", ".local/state") / "trunkline"


def _folder(variable: str, usual: str) -> Path:
    """Return a folder of the user as platformdirs does, which would take a fifth of the time of a probe."""
    named = os.environ.get(variable, "").strip()
    return Path(named) if named else Path.home() / usual
