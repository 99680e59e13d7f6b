"""toolong, in an environment of its own: it needs an older Textual than the dashboard."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

FOLDER = Path(__file__).parents[1] / ".cache" / "toolong"
PACKAGES = ("toolong==1.5.0", "textual>=0.58,<0.59")


def command(file: Path) -> list[str]:
    """Return the command that follows a file; the environment is made first where it is not there yet."""
    python, stamp = FOLDER / "bin" / "python", FOLDER / "ready"
    if not stamp.exists():
        subprocess.run([sys.executable, "-m", "venv", str(FOLDER)], check=True)
        quietly = ["--quiet", "--disable-pip-version-check"]
        subprocess.run([str(python), "-m", "pip", "install", *quietly, *PACKAGES], check=True)
        stamp.touch()
    return [str(FOLDER / "bin" / "tl"), str(file)]
