"""A real Kamailio that logs each binding that it grants."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory

from tests.real.authority import Authority
from tests.real.debian import prepare_machine
from tests.real.kamailio import SYSTEM, Kamailio

USER = "6001"
"""Whose secret every address of record is registered with."""

_SAVE = 'save("location");'
_GRANTED = re.compile(r"granted (\S+) at (\d+\.\d+)")


@contextmanager
def registrar() -> Iterator[Kamailio]:
    """Run a Kamailio on the loopback.

    Raises:
        NotHereError: this machine cannot run it.
    """
    prepare_machine()
    SYSTEM.build()
    with TemporaryDirectory() as folder:
        server = Kamailio(Authority(Path(folder)))
        try:
            script = (server.folder / "kamailio.cfg").read_text()
            log = f'if ({_SAVE[:-1]}) {{ xlog("L_ALERT", "granted $tU at $TV(Sn)\\n"); }}'
            server.write({"kamailio.cfg": script.replace(_SAVE, log)})
            server.start()
            yield server
        finally:
            server.remove()


def grants(server: Kamailio) -> list[tuple[str, float]]:
    """Return whose bindings were granted, and when by the wall clock, in their order."""
    return [(user, float(time)) for user, time in _GRANTED.findall(server.log)]
