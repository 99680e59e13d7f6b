"""baresip of Debian's package as a registered phone, without sound or screen."""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

from tests.real.debian import System

SYSTEM = System("baresip", "bookworm", ("baresip-core",))

_CONFIG = """module_path /usr/lib/baresip/modules
module g711.so
module_app account.so
module_app menu.so
sip_listen 127.0.0.1:0
"""
_UID = 61540


def version() -> str:
    """Return the version of the package."""
    return SYSTEM.run("dpkg-query", "--show", "--showformat=${Version}", "baresip-core")


@contextmanager
def running(account: str) -> Iterator[None]:
    """Run one phone with this line of an `accounts` file."""
    SYSTEM.build()
    with ExitStack() as stack:
        folder = Path(subprocess.check_output(["mktemp", "-d", "-p", SYSTEM.root / "tmp"], text=True).strip())
        stack.callback(shutil.rmtree, folder)
        (folder / "config").write_text(_CONFIG)
        (folder / "accounts").write_text(f"{account}\n")
        for path in (folder, *folder.iterdir()):
            shutil.chown(path, _UID, _UID)
        identity = (f"--reuid={_UID}", f"--regid={_UID}", "--clear-groups", "--pdeathsig=KILL")
        phone = subprocess.Popen(
            ["chroot", SYSTEM.root, "setpriv", *identity, "baresip", "-f", f"/tmp/{folder.name}"],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        stack.callback(phone.wait)
        stack.callback(phone.kill)
        yield
