"""Debian systems in a folder, to run servers from that this machine does not have.

A system is made once by debootstrap, kept under the cache folder and used again. The machine itself gets
nothing but the few commands that this needs.
"""

from __future__ import annotations

import fcntl
import os
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

_COMMANDS = {
    "debootstrap": "debootstrap",
    "ip": "iproute2",
    "openssl": "openssl",
    "ssh": "openssh-client",
    "sshd": "openssh-server",
    "systemd-analyze": "systemd",
    "tmux": "tmux",
}
"""Commands that the fixtures run on this machine, and the package of each."""
_QUIET = {"DEBIAN_FRONTEND": "noninteractive", "DEBCONF_NOWARNINGS": "yes", "LC_ALL": "C.UTF-8"}
_STAMP = "etc/trunkline-packages"


class NotHereError(Exception):
    """This machine cannot run the real servers; the message says what is missing."""


@dataclass(frozen=True)
class System:
    """A Debian release with some packages, in a folder of its own."""

    name: str
    suite: str
    packages: tuple[str, ...]

    @property
    def root(self) -> Path:
        return _cache() / f"{self.name}-{self.suite}"

    def build(self) -> Path:
        """Return the folder of the system, made first where it is not there yet."""
        with _lock(self.root.with_suffix(".lock")):
            if not self._is_built():
                self._make()
        return self.root

    def run(self, *command: str) -> str:
        """Run a command in the system and return what it prints."""
        return run("chroot", str(self.root), *command)

    def _is_built(self) -> bool:
        """Whether the whole of it is there."""
        stamp = self.root / _STAMP
        return stamp.is_file() and stamp.read_text() == self._recipe

    @property
    def _recipe(self) -> str:
        return f"{self.suite}: {' '.join(self.packages)}\n"

    def _make(self) -> None:
        """Make the system beside its place, and move it there when it is whole."""
        site = self.root.with_suffix(".building")
        _remove(site)
        _remove(self.root)
        run("debootstrap", "--variant=minbase", self.suite, str(site))
        policy = site / "usr/sbin/policy-rc.d"
        policy.write_text("#!/bin/sh\nexit 101\n")
        policy.chmod(0o755)
        # No `apt-get update` here: the Release file that debootstrap fetched may count as expired.
        run(
            "chroot",
            str(site),
            "apt-get",
            "install",
            "--yes",
            "-qq",
            "--no-install-recommends",
            *self.packages,
        )
        run("chroot", str(site), "apt-get", "clean")
        # Nothing in there looks anything up: what a test means is always an address of the loopback.
        (site / "etc/resolv.conf").write_text("")
        (site / _STAMP).write_text(self._recipe)
        site.rename(self.root)


def prepare_machine() -> None:
    """Install the commands that are missing.

    Raises:
        NotHereError: this is not root, or not Debian.
    """
    if os.geteuid() != 0:
        raise NotHereError("only root can run servers from a folder of their own: sudo make real")
    if not Path("/etc/debian_version").exists():
        raise NotHereError("the real servers come from Debian's packages, and this is not Debian")
    missing = sorted(package for command, package in _COMMANDS.items() if shutil.which(command) is None)
    if missing:
        run("apt-get", "update", "-qq")
        with _starting_nothing():
            run("apt-get", "install", "--yes", "-qq", "--no-install-recommends", *missing)


@contextmanager
def _starting_nothing() -> Iterator[None]:
    """Keep packages from starting services, unless this machine has a rule of its own (invoke-rc.d(8))."""
    policy = Path("/usr/sbin/policy-rc.d")
    if policy.exists():
        yield
        return
    policy.write_text("#!/bin/sh\nexit 101\n")
    policy.chmod(0o755)
    try:
        yield
    finally:
        policy.unlink()


def _cache() -> Path:
    base = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
    return Path(base) / "trunkline"


@contextmanager
def _lock(path: Path) -> Iterator[None]:
    """Let one run at a time past; the others wait until it is done."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("w") as stream:
        fcntl.flock(stream, fcntl.LOCK_EX)
        yield


def _remove(folder: Path) -> None:
    """Remove a system, and what a build that was interrupted may have left mounted in it."""
    for mounted in ("proc", "sys", "dev/pts"):
        if os.path.ismount(folder / mounted):
            run("umount", "--lazy", str(folder / mounted))
    if folder.exists():
        shutil.rmtree(folder)


def run(*command: str) -> str:
    """Run a command on this machine and return what it prints."""
    done = subprocess.run(
        command,
        env=os.environ | _QUIET,
        capture_output=True,
        text=True,
        check=False,
        stdin=subprocess.DEVNULL,
    )
    if done.returncode != 0:
        tail = (done.stdout + done.stderr)[-2000:]
        raise RuntimeError(f"{' '.join(command)} ended with code {done.returncode}:\n{tail}")
    return done.stdout
