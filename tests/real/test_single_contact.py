"""An account that takes one contact and refuses a new one while that lives, as many are set up."""

from __future__ import annotations

import signal
from pathlib import Path

import msgspec
import pytest

from manager.manager import ConnectionManager
from tests.real.asterisk import Asterisk
from tests.real.connections import SHORT, sip, under, until
from tests.real.managed import DOWN, are, are_stable
from tests.real.watching import phases, watching

USER = "6020"
REFUSED = "will exceed max contacts"


@pytest.mark.parametrize("transport", ["udp", "tcp"])
async def test_it_is_registered_again_after_a_kill_of_the_server(asterisk: Asterisk, transport: str) -> None:
    # Asterisk may lose a registration that was made less than 3 s before.
    policy = msgspec.structs.replace(SHORT, stable_after=4.0)
    async with ConnectionManager(under(policy, sip(asterisk, USER, transport))) as manager:
        await until(are_stable(manager))
        asterisk.kill()
        await until(are(manager, *DOWN))
        asterisk.launch()
        await until(are_stable(manager))
        assert len(asterisk.contacts(USER)) == 1
    assert asterisk.contacts(USER) == []
    assert REFUSED not in asterisk.log


@pytest.mark.parametrize("transport", ["udp", "tcp"])
async def test_it_is_registered_again_after_a_kill_of_trunkline_itself(
    asterisk: Asterisk, tmp_path: Path, transport: str
) -> None:
    settings = tmp_path / "config.toml"
    settings.write_text(
        SETTINGS.format(port=getattr(asterisk.ports, transport), transport=transport, user=USER)
    )
    settings.chmod(0o600)
    async with watching(settings, tmp_path, ending=signal.SIGKILL) as lines:
        await until(lambda: phases(lines).get("desk") == "up")
        await until(lambda: _remembers_its_contact(tmp_path))
    (left,) = asterisk.contacts(USER)
    async with watching(settings, tmp_path) as lines:
        await until(lambda: phases(lines).get("desk") == "up")
        assert asterisk.contacts(USER) == [left]
    assert asterisk.contacts(USER) == []
    assert REFUSED not in asterisk.log


async def test_a_stranger_to_it_is_refused_in_the_words_that_these_tests_look_for(asterisk: Asterisk) -> None:
    async with ConnectionManager(under(SHORT, sip(asterisk, USER, "tcp"))) as first:
        await until(are_stable(first))
        async with ConnectionManager(under(SHORT, sip(asterisk, USER, "tcp"))) as second:
            await until(lambda: bool(second.snapshot().budgets))
    assert REFUSED in asterisk.log


def _remembers_its_contact(home: Path) -> bool:
    """Whether what is found again after a kill has been written; it is, 0.2 s after the login."""
    return any("registration" in file.read_text() for file in home.rglob("*.json"))


SETTINGS = """
[connections.desk]
type = "sip"
endpoints = ["sip:127.0.0.1:{port};transport={transport}"]
aor = "sip:{user}@127.0.0.1"
password = "secret-of-{user}"
"""
