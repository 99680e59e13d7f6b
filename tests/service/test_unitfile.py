"""The unit file is put in place and taken away, and nobody else's is touched."""

from __future__ import annotations

from pathlib import Path

import pytest

from manager.errors import TrunklineError
from manager.service.unitfile import NAME, UnitFile


@pytest.fixture
def unit(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> UnitFile:
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path))
    return UnitFile(system=False)


def test_it_starts_the_program_from_where_it_is(unit, tmp_path):
    unit.install(Path("/opt/100% ours/trunkline"))
    assert unit.path == tmp_path / "systemd/user" / NAME
    assert 'ExecStart="/opt/100%% ours/trunkline" serve --config %E/' in unit.path.read_text()
    assert [each.name for each in unit.path.parent.iterdir()] == [NAME]
    unit.install(Path("/usr/bin/trunkline"))
    assert "ExecStart=/usr/bin/trunkline serve" in unit.path.read_text()


def test_its_end_takes_no_folder_away_in_which_others_have_their_sockets(unit):
    assert "RuntimeDirectoryPreserve=yes" in unit._shipped.read_text().splitlines()


def test_it_is_removed_once(unit):
    unit.install(Path("/usr/bin/trunkline"))
    assert unit.uninstall()
    assert not unit.path.exists()
    assert not unit.uninstall()


def test_a_unit_that_somebody_else_wrote_is_left_alone(unit):
    unit.path.parent.mkdir(parents=True)
    unit.path.write_text("[Service]\n")
    for touching in (lambda: unit.install(Path("/usr/bin/trunkline")), unit.uninstall):
        with pytest.raises(TrunklineError, match="left alone"):
            touching()
    assert unit.path.read_text() == "[Service]\n"


def test_a_folder_that_cannot_be_written_is_told(monkeypatch, tmp_path):
    (tmp_path / "systemd").write_text("")
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path))
    with pytest.raises(TrunklineError, match="cannot"):
        UnitFile(system=False).install(Path("/usr/bin/trunkline"))


def test_that_of_the_system_is_another_and_knows_its_user():
    unit = UnitFile(system=True)
    assert unit.path == Path("/etc/systemd/system") / NAME
    assert "User=trunkline" in unit._shipped.read_text()
