"""A shell in tmux, and what stands in it."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path


class Pane:
    """A shell in a tmux of the test's own."""

    def __init__(self, place: Path, environment: dict[str, str]) -> None:
        self._place = place
        self._environment = environment | {"PATH": os.environ["PATH"], "TERM": "xterm-256color"}
        self._tmux("-f", "/dev/null", "new-session", "-d", "-x", "120", "-y", "40", "/bin/sh")

    def _tmux(self, *words: str) -> str:
        command = ["tmux", "-S", str(self._place), *words]
        done = subprocess.run(command, env=self._environment, capture_output=True, text=True, check=True)
        return done.stdout

    def press(self, *keys: str) -> None:
        self._tmux("send-keys", *keys)

    @property
    def text(self) -> str:
        return self._tmux("capture-pane", "-p")

    @property
    def coloured(self) -> str:
        return self._tmux("capture-pane", "-e", "-p")

    def close(self) -> None:
        self._tmux("kill-server")
