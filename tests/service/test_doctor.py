"""`trunkline doctor` where something runs already: it asks, and never logs in a second time."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from manager.client import Pause
from manager.embedded import EmbeddedClient
from manager.lab.ami import AmiServer
from manager.lab.faults import Fault
from manager.lock import InstanceLock
from manager.model import Phase
from manager.places import sockets_to_ask
from manager.secret import Secret
from manager.service.remote import RemoteClient
from tests.engine.fakes import WRONG_SECRET, FakeServer
from tests.service.conftest import PATIENCE, serving
from tui.cli import main

CANARY = "canary-of-the-doctor"


@pytest.fixture(autouse=True)
def _homes(monkeypatch: pytest.MonkeyPatch, folder: Path) -> None:
    for name in ("XDG_RUNTIME_DIR", "XDG_STATE_HOME", "XDG_CONFIG_HOME"):
        monkeypatch.setenv(name, str(folder))


@pytest.fixture
async def ami() -> AmiServer:
    async with AmiServer(username="monitor", password=Secret(CANARY), refusal_hold=0.0) as server:
        yield server


@pytest.fixture
def config(tmp_path: Path, ami: AmiServer) -> Path:
    path = tmp_path / "config.toml"
    path.write_text(
        f'[connections.one]\ntype = "ami"\nendpoints = ["ami://127.0.0.1:{ami.port}"]\n'
        f'username = "monitor"\npassword = "{CANARY}"\n'
    )
    path.chmod(0o600)
    return path


async def doctor(*arguments: str | Path) -> Result:
    """Run the command in a thread, as it has a loop of its own."""
    done = await asyncio.to_thread(CliRunner().invoke, main, ["doctor", *map(str, arguments)])
    assert done.exception is None or isinstance(done.exception, SystemExit)
    assert CANARY not in done.output
    return done


async def until_phase(remote: RemoteClient, phase: Phase) -> None:
    async with asyncio.timeout(PATIENCE):
        while {each.phase for each in (await remote.snapshot()).statuses} != {phase}:
            await asyncio.sleep(0.01)


async def test_a_service_is_asked_in_place_of_a_second_login(pbx: FakeServer, remote, address):
    await until_phase(remote, Phase.UP)
    opens = len(pbx.opens)
    done = await doctor("--attach", address)
    assert done.exit_code == 0
    assert "nobody is logged in a second time" in done.output.replace("\n  ", " ")
    assert "ok    one (fake) is up, health 100" in done.output
    assert len(pbx.opens) == opens == 2


async def test_what_a_service_cannot_keep_up_is_told_with_what_to_run(pbx: FakeServer, remote, address):
    await until_phase(remote, Phase.UP)
    pbx.open = WRONG_SECRET
    pbx.drop_all(WRONG_SECRET)
    await until_phase(remote, Phase.BLOCKED)
    done = await doctor("--attach", address, "two")
    assert done.exit_code == 1
    assert "FAIL  two (fake) is blocked, health 0" in done.output
    assert "trunkline reconnect two" in done.output
    assert "one (fake)" not in done.output
    told = json.loads((await doctor("--attach", address, "--json")).output)
    assert [each["phase"] for each in told["connections"]] == ["blocked", "blocked"]
    assert told["asked"].startswith("the service with pid")


async def test_names_that_nobody_has_are_refused(remote, address):
    done = await doctor("--attach", address, "three")
    assert done.exit_code == 2
    assert "no connection is called 'three'" in done.output


async def test_it_finds_the_service_of_the_settings_and_looks_at_what_is_not_up(
    ami: AmiServer, config: Path, manager: EmbeddedClient
):
    (where := sockets_to_ask(config)[0]).parent.mkdir(exist_ok=True)
    async with serving(manager, where):
        await until_phase(RemoteClient(where), Phase.UP)
        await manager.command(Pause(name="one"))
        done = await doctor("--config", config)
    assert done.exit_code == 1
    assert "FAIL  one (fake) is paused, health 0" in done.output
    assert "trunkline resume one" in done.output
    assert "login not tried" in done.output.replace("\n        ", " ")
    assert (ami.connects, ami.logins) == (1, 0)


async def test_without_a_service_it_logs_in_once(ami: AmiServer, config: Path):
    done = await doctor("--config", config, "--hold", "0")
    assert done.exit_code == 0
    assert done.output.endswith("it is well\n")
    assert ami.logins == 1
    ami.fault = Fault.WRONG_PASSWORD
    done = await doctor("--config", config, "--hold", "0")
    assert done.exit_code == 1
    assert "stops at: login" in done.output
    assert "1 of 1 not well: one" in done.output


async def test_where_another_one_holds_the_settings_it_only_looks(ami: AmiServer, config: Path):
    with InstanceLock(config):
        done = await doctor("--config", config)
        assert done.exit_code == 3
        assert "cannot be asked; nobody is logged in" in done.output.replace("\n  ", " ")
        assert ami.logins == 0
        ami.fault = Fault.REFUSE
        assert (await doctor("--config", config)).exit_code == 1


async def test_where_a_service_lets_others_in_alone_it_only_looks(
    ami: AmiServer, config: Path, monkeypatch: pytest.MonkeyPatch
):
    (where := sockets_to_ask(config)[0]).parent.mkdir(exist_ok=True)
    where.touch()
    assert (await doctor("--config", config, "--hold", "0")).exit_code == 0
    assert ami.logins == 1
    monkeypatch.setattr("os.access", lambda path, _: path != where)
    done = await doctor("--config", config)
    assert done.exit_code == 3
    assert "a service whose socket is closed to us" in done.output.replace("\n  ", " ")
    assert ami.logins == 1


async def test_it_can_be_told_to_send_no_credentials(ami: AmiServer, config: Path):
    done = await doctor("--config", config, "--no-login")
    assert done.exit_code == 0
    assert "it is well, as far as can be seen without a login" in done.output
    assert ami.logins == 0


async def test_settings_with_a_mistake_are_told_as_such(tmp_path: Path):
    path = tmp_path / "config.toml"
    path.write_text('[connections.one]\ntype = "sipp"\n')
    done = await doctor("--config", path)
    assert done.exit_code == 2
    assert "sipp" in done.output
