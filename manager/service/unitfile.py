"""Puts the unit file of the service in place, and takes it away again."""

from __future__ import annotations

import os
import tempfile
from importlib.resources import files
from pathlib import Path

from manager.errors import TrunklineError
from manager.service import units

NAME = "trunkline.service"
_MARK = "# trunkline as a service"
_COMMAND = "ExecStart=trunkline "


class UnitFile:
    """The unit file of the user, or that of the system."""

    def __init__(self, *, system: bool) -> None:
        self._shipped = files(units) / (NAME if system else "trunkline-user.service")
        self.path = (Path("/etc/systemd/system") if system else _user_folder()) / NAME
        """Where systemd looks for it."""

    def install(self, program: Path) -> None:
        """Write it, with the place of the program.

        Raises:
            TrunklineError: it cannot be written, or another one is in its place.
        """
        self._demand_ours()
        content = self._shipped.read_text().replace(_COMMAND, f"ExecStart={_escaped(program)} ")
        try:
            self.path.parent.mkdir(parents=True, exist_ok=True)
            descriptor, temporary = tempfile.mkstemp(dir=self.path.parent, prefix=f".{NAME}.")
            try:
                with os.fdopen(descriptor, "w") as stream:
                    stream.write(content)
                Path(temporary).chmod(0o644)
                Path(temporary).replace(self.path)
            except BaseException:
                Path(temporary).unlink(missing_ok=True)
                raise
        except OSError as error:
            raise TrunklineError(f"cannot write {self.path}: {error.strerror}") from None

    def uninstall(self) -> bool:
        """Remove it; whether it was there.

        Raises:
            TrunklineError: it cannot be removed, or another one is in its place.
        """
        self._demand_ours()
        try:
            self.path.unlink()
        except FileNotFoundError:
            return False
        except OSError as error:
            raise TrunklineError(f"cannot remove {self.path}: {error.strerror}") from None
        return True

    def _demand_ours(self) -> None:
        try:
            content = self.path.read_text(errors="replace")
        except FileNotFoundError:
            return
        except OSError as error:
            raise TrunklineError(f"cannot read {self.path}: {error.strerror}") from None
        if not content.startswith(_MARK):
            raise TrunklineError(
                f"{self.path} is not from here and is left alone",
                hint="move it away, or see it with: systemctl cat",
            )


def _user_folder() -> Path:
    return Path(os.environ.get("XDG_CONFIG_HOME") or Path.home() / ".config") / "systemd/user"


def _escaped(program: Path) -> str:
    """Return a path as systemd reads it in a command line."""
    text = str(program).replace("\\", "\\\\").replace('"', '\\"').replace("%", "%%").replace("$", "$$")
    return f'"{text}"' if set(text) & set(" \t;'") else text
