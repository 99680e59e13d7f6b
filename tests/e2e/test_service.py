"""The service as its user runs it: it outlives who looks at it, and is found again."""

from __future__ import annotations

import asyncio
import json
import os
import shutil
import signal
import socket
import stat
import subprocess
import sys
import tempfile
from collections.abc import AsyncIterator, Iterator
from contextlib import aclosing, asynccontextmanager
from pathlib import Path

import msgspec
import pytest

from manager import embedded
from manager.client import Reconnect
from manager.errors import TrunklineError
from manager.events import Event
from manager.lab.faults import Fault
from manager.model import Position
from manager.places import sockets_to_ask
from manager.service import inquiry, server
from manager.service.remote import RemoteClient
from manager.wire import WireMessage
from tests.e2e.conftest import CANARY, PATIENCE, command, logged_off, until
from tui.board import Board
from tui.follower import Follower

NOBODY = 65534


@pytest.fixture
def runtime(environment: dict[str, str], monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A runtime folder whose name is short enough for sockets, for the program and for this process."""
    folder = Path(tempfile.mkdtemp(prefix="tl-"))
    environment["XDG_RUNTIME_DIR"] = str(folder)
    monkeypatch.setenv("XDG_RUNTIME_DIR", str(folder))
    yield folder
    shutil.rmtree(folder)


@pytest.fixture
def address(runtime: Path, settings: Path) -> Path:
    return sockets_to_ask(settings)[0]


@pytest.fixture
def serving(start, settings, address):
    """Start a service and give its process once it answers."""

    @asynccontextmanager
    async def serving(*arguments: str | Path) -> AsyncIterator[asyncio.subprocess.Process]:
        async with start("serve", "--config", settings, *arguments) as running:
            await answering(address, running.process)
            yield running.process

    return serving


async def answering(address: Path, process: asyncio.subprocess.Process) -> dict:
    async with asyncio.timeout(PATIENCE):
        while True:
            try:
                answer = await asyncio.to_thread(inquiry.ask, address)
            except TrunklineError:
                assert process.returncode is None
            else:
                if answer["service"]["pid"] == process.pid:
                    return answer
            await asyncio.sleep(0.05)


async def all_up(client: RemoteClient) -> None:
    async with asyncio.timeout(PATIENCE):
        while not all(status.phase.connected for status in (await client.snapshot()).statuses):
            await asyncio.sleep(0.05)


@pytest.fixture
def trunkline(environment, settings):
    async def trunkline(verb: str, *arguments: str | Path) -> tuple[int, str, str]:
        process = await asyncio.create_subprocess_exec(
            *command(verb, *arguments, "--config", settings),
            env=environment,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.PIPE,
        )
        async with asyncio.timeout(PATIENCE):
            output, complaints = await process.communicate()
        assert CANARY.encode() not in output + complaints
        assert b"Traceback" not in complaints
        return process.returncode or 0, output.decode(), complaints.decode()

    return trunkline


# --- its life ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
async def test_a_signal_ends_it_in_time_with_everybody_logged_off_and_no_file_left(
    number, serving, address, ami, sip, home
):
    async with serving() as process:
        await all_up(RemoteClient(address))
        process.send_signal(number)
        assert await process.wait() == 0
        await logged_off(ami)
        assert not sip.registrar.bindings("6001")
        assert list(address.parent.iterdir()) == []
        assert not list(home.rglob("*.lock"))


async def test_a_second_one_is_refused_with_the_pid_of_the_first(serving, trunkline, ami):
    async with serving() as process:
        code, output, complaints = await trunkline("serve")
        assert code == 3
        assert str(process.pid) in complaints
        assert not output


async def test_one_that_cannot_listen_ends_with_another_code_so_that_systemd_tries_again(trunkline, tmp_path):
    code, _, complaints = await trunkline("serve", "--socket", tmp_path / ("a" * 120))
    assert code == 1
    assert "is too long for a socket" in complaints


async def test_servers_that_hang_and_a_client_that_does_not_read_do_not_hold_up_its_end(
    serving, address, ami, sip, websocket
):
    assert server.CLOSE_WITHIN + embedded.STOP_TIMEOUT < 5
    async with serving() as process:
        await all_up(RemoteClient(address))
        ami.fault = sip.fault = websocket.fault = Fault.HANG
        with socket.socket(socket.AF_UNIX) as idle, socket.socket(socket.AF_UNIX) as half:
            idle.connect(str(address))
            half.connect(str(address))
            half.sendall(b"GET /v1 HTTP/1.1\r\nHost: l")
            process.terminate()
            async with asyncio.timeout(PATIENCE):
                assert await process.wait() == 0
        assert not address.exists()


def kept(home: Path, section: str) -> dict[str, str]:
    """Return what a service has written down for the next one; empty before it has."""
    written = [json.loads(path.read_text()) for path in home.rglob("trunkline/*.json")]
    return written[0].get(section, {}) if written else {}


async def test_after_a_kill_it_starts_as_if_nothing_had_been_with_the_contact_it_had(
    serving, address, sip, home
):
    async with serving() as process:
        await all_up(RemoteClient(address))
        (before,) = sip.registrar.bindings("6001")
        await until(lambda: kept(home, "connection lab-desk"))
        process.kill()
        await process.wait()
        assert address.exists()
    async with serving():
        await all_up(RemoteClient(address))
        (after,) = sip.registrar.bindings("6001")
        assert after.contact == before.contact


async def test_the_login_budget_outlives_a_kill(serving, address, settings, home):
    settings.write_text(settings.read_text().replace('username = "monitor"', 'username = "stranger"'))

    async with serving() as process:
        await until(lambda: [len(json.loads(times)) for times in kept(home, "login budget").values()] == [2])
        process.kill()
        await process.wait()
    settings.write_text(settings.read_text().replace('username = "stranger"', 'username = "monitor"'))
    async with serving():
        assert sum(budget.used for budget in (await RemoteClient(address).snapshot()).budgets) >= 2


async def test_sighup_reads_the_settings_anew_and_a_mistake_changes_nothing(serving, address, settings):
    async with serving("--log-json") as process:
        client = RemoteClient(address)
        await all_up(client)
        before = settings.read_text()
        settings.write_text(before + "\n[connections.x]\ntype = 1\n")
        process.send_signal(signal.SIGHUP)
        assert process.stderr
        async with asyncio.timeout(PATIENCE):
            while b"nothing has changed" not in (line := await process.stderr.readline()):
                assert json.loads(line)["level"]
        settings.write_text(before.partition("[connections.lab-events]")[0])
        process.send_signal(signal.SIGHUP)
        async with asyncio.timeout(PATIENCE):
            while len((await client.snapshot()).statuses) != 2:
                await asyncio.sleep(0.05)
        assert stat.S_IMODE(address.stat().st_mode) == 0o600
        settings.write_text(settings.read_text() + '\n[service]\nread_group = "adm"\n')
        process.send_signal(signal.SIGHUP)
        async with asyncio.timeout(PATIENCE):
            while stat.S_IMODE(address.stat().st_mode) != 0o666:
                await asyncio.sleep(0.05)
        assert process.returncode is None


async def test_systemd_hears_of_its_beginning_its_life_and_its_end(serving, address, environment, runtime):
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as parent:
        parent.bind(str(runtime / "notify"))
        parent.setblocking(False)
        environment |= {"NOTIFY_SOCKET": str(runtime / "notify"), "WATCHDOG_USEC": "2000000"}
        loop = asyncio.get_running_loop()

        async def heard(word: str) -> None:
            async with asyncio.timeout(PATIENCE):
                while word not in (await loop.sock_recv(parent, 4096)).decode().splitlines():
                    pass

        async with serving() as process:
            await heard("READY=1")
            await heard("WATCHDOG=1")
            await heard("WATCHDOG=1")
            process.send_signal(signal.SIGHUP)
            await heard("RELOADING=1")
            await heard("READY=1")
            process.terminate()
            await heard("STOPPING=1")
            assert await process.wait() == 0


async def test_the_log_goes_to_a_file_that_nobody_else_can_read(serving, address, tmp_path, settings):
    file = tmp_path / "service.log"
    async with serving("--log-file", file) as process:
        await all_up(RemoteClient(address))
        process.terminate()
        assert await process.wait() == 0
        assert process.stderr
        assert await process.stderr.read() == b""
    text = file.read_text()
    assert "lab-ami is up" in text
    assert CANARY not in text
    assert file.stat().st_mode & 0o077 == 0


def test_it_runs_without_any_screen_library(environment):
    code = (
        "import sys, tui.commands.serve, tui.commands.status, tui.commands.orders, manager.manager;"
        "sys.exit(any(name in sys.modules for name in ('textual', 'rich')))"
    )
    done = subprocess.run([sys.executable, "-c", code], env=environment, timeout=240, check=False)
    assert done.returncode == 0


# --- who may speak to it ----------------------------------------------------------------------------------

if os.geteuid() == 0:

    async def test_a_process_of_another_user_is_kept_out_by_the_kernel_and_by_the_service(serving, address):
        caller = (
            "import socket, sys; s = socket.socket(socket.AF_UNIX); s.connect(sys.argv[1]);"
            "s.sendall(b'GET /v1/status HTTP/1.1\\r\\nHost: l\\r\\n\\r\\n'); print(s.recv(65536).decode())"
        )

        def ask() -> subprocess.CompletedProcess[str]:
            arguments = ["setpriv", f"--reuid={NOBODY}", "--clear-groups", "/usr/bin/python3", "-c", caller]
            return subprocess.run(
                [*arguments, str(address)], capture_output=True, text=True, timeout=240, check=False
            )

        async with serving():
            for folder in (address.parent, address.parent.parent):
                folder.chmod(0o755)
            assert "PermissionError" in (await asyncio.to_thread(ask)).stderr
            address.chmod(0o666)
            told = (await asyncio.to_thread(ask)).stdout
            assert told.startswith("HTTP/1.1 403")
            assert "lab-ami" not in told


async def test_no_secret_is_in_anything_that_the_service_tells(serving, address, home, ami, sip, websocket):
    async with serving() as process:
        client = RemoteClient(address)
        await all_up(client)
        ami.fault = sip.fault = websocket.fault = Fault.WRONG_PASSWORD
        await client.command(Reconnect())
        told: list[object] = [await asyncio.to_thread(inquiry.ask, address), await client.snapshot()]
        for name in ("lab-ami", "lab-desk", "lab-events"):
            told += [await client.history(name), await client.settings(name)]
            async with asyncio.timeout(PATIENCE), aclosing(client.wire(name)) as wire:
                messages = [await anext(wire) for _ in range(2)]
            assert any(isinstance(message, WireMessage) for message in messages)
            told += messages
        end = told[1].position
        async with asyncio.timeout(PATIENCE), aclosing(client.events(Position(end.epoch, 0))) as events:
            async for event in events:
                told.append(event)
                if event.seq == end.seq:
                    break
        process.terminate()
        assert process.stderr
        written = await process.stderr.read()
    written += msgspec.json.encode(told)
    written += b"".join(path.read_bytes() for path in home.rglob("*") if path.is_file())
    assert b"lab-desk" in written
    assert CANARY.encode() not in written


async def test_another_machine_comes_in_by_tls_with_a_token_that_stands_nowhere(
    serving, address, settings, trunkline, environment, home, pki, tmp_path, ami
):
    # Nobody else listens or connects at this address, so the port stays free until it is listened at.
    with socket.create_server(("127.0.0.78", 0)) as free:
        where = f"127.0.0.78:{free.getsockname()[1]}"
    token = tmp_path / "token"
    token.write_text(f"{CANARY}-to-act\n")
    environment["LOOK"] = environment["TRUNKLINE_TOKEN"] = f"{CANARY}-to-look"
    settings.write_text(
        f'{settings.read_text()}\n[service]\nlisten = "{where}"\ncert_file = "{pki.cert}"\n'
        f'key_file = "{pki.key}"\nread_token = {{ env = "LOOK" }}\nact_token = {{ file = "{token}" }}\n'
    )
    there = ("--attach", f"wss://{where}", "--ca", pki.cert)
    async with serving() as process:
        await all_up(RemoteClient(address))
        assert (await trunkline("status", "--brief", *there))[1].startswith("ok: 3 of 3 up")
        code, _, complaints = await trunkline("pause", "lab-ami", *there)
        assert code == 2
        assert "`pause` needs the right to act" in complaints
        assert (await trunkline("pause", "lab-ami", *there, "--token-file", token))[0] == 0
        environment["TRUNKLINE_TOKEN"] = f"{CANARY}-wrong"
        code, output, complaints = await trunkline("status", *there)
        assert (code, output) == (1, "")
        assert "wants a token" in complaints
        process.terminate()
        assert process.stderr
        written = await process.stderr.read()
    assert b"listens for other machines at 127.0.0.78" in written
    assert CANARY.encode() not in written
    kept = [path for path in home.rglob("*") if path.is_file() and path != settings]
    assert all(CANARY.encode() not in path.read_bytes() for path in kept)


# --- the command line -------------------------------------------------------------------------------------


async def test_without_a_service_every_command_says_so_with_exit_code_3(runtime, trunkline, settings):
    for arguments in (["status"], ["events"], ["reconnect", "--all"], ["wait", "lab-ami"]):
        code, output, complaints = await trunkline(*arguments)
        assert code == 3
        assert f"no service of {settings} runs" in complaints
        assert not output


async def test_status_tells_how_everything_stands_and_its_exit_code_is_that_of_a_probe(
    serving, address, trunkline, ami
):
    async with serving():
        await all_up(RemoteClient(address))
        code, output, _ = await trunkline("status", "--exit-code")
        assert code == 0
        first, titles, *rows = output.splitlines()
        assert first == "ok: 3 of 3 up; health 100 %"
        assert titles.split()[:3] == ["NAME", "TYPE", "PHASE"]
        assert [row.split()[:3] for row in rows] == [
            ["lab-ami", "ami", "up"],
            ["lab-desk", "sip", "up"],
            ["lab-events", "websocket", "up"],
        ]
        told = json.loads((await trunkline("status", "--json"))[1])
        assert told["snapshot"]["health"] == 100
        ami.fault = Fault.REFUSE
        async with asyncio.timeout(PATIENCE):
            while (await RemoteClient(address).snapshot()).statuses[0].phase != "waiting":
                await asyncio.sleep(0.02)
        code, output, _ = await trunkline("status", "--exit-code", "--brief")
        assert code == 2
        assert output.startswith("critical: 2 of 3 up, 1 ")
        assert (await trunkline("status", "--brief"))[0] == 0


async def test_commands_are_carried_out_and_told(serving, address, trunkline, ami, settings):
    async with serving():
        await all_up(RemoteClient(address))
        logins = ami.logins
        code, output, _ = await trunkline("reconnect", "lab-ami")
        assert (code, ami.logins) == (0, logins + 1)
        assert output.startswith("lab-ami: ")
        assert await trunkline("reconnect", "lab-ami", "--no-wait") == (0, "", "")
        async with asyncio.timeout(PATIENCE):
            while ami.logins < logins + 2:
                await asyncio.sleep(0.02)
        await all_up(RemoteClient(address))
        assert len((await trunkline("refresh"))[1].splitlines()) == 3
        assert (await trunkline("pause", "lab-ami", "lab-desk"))[0] == 0
        assert "1 of 1 up, 2 paused" in (await trunkline("status", "--brief"))[1]
        assert (await trunkline("wait", "lab-ami", "--down"))[0] == 0
        code, _, complaints = await trunkline("wait", "lab-ami", "--timeout", "0.2")
        assert (code, complaints) == (1, "trunkline: not up: lab-ami\n")
        assert (await trunkline("resume", "lab-ami", "lab-desk"))[0] == 0
        assert (await trunkline("wait", "lab-ami", "lab-desk", "--up", "--timeout", "20"))[0] == 0
        assert (await trunkline("reload"))[1] == "nothing has changed\n"
        settings.write_text(settings.read_text().partition("[connections.lab-events]")[0])
        assert (await trunkline("reload"))[1] == "lab-events: removed\n"
        for arguments in (["reconnect", "nobody"], ["pause", "nobody"], ["wait", "nobody"]):
            code, _, complaints = await trunkline(*arguments)
            assert (code, complaints) == (2, "trunkline: no connection is called 'nobody'\n")
        assert (await trunkline("reconnect"))[0] == 2


async def test_events_are_told_as_sentences_or_as_json(serving, address, trunkline):
    async with serving():
        client = RemoteClient(address)
        await all_up(client)
        last = (await client.snapshot()).position.seq
        lines = [json.loads(line) for line in (await trunkline("events", "--json"))[1].splitlines()]
        assert [line["seq"] for line in lines][:last] == list(range(1, last + 1))
        output = (await trunkline("events", "--since", "1h"))[1]
        assert any(line.split()[2:4] == ["lab-ami", "up"] for line in output.splitlines())
        assert (await trunkline("events", "--since", "soon"))[0] == 2


async def test_following_events_goes_on_after_the_service_was_killed(serving, start, settings, address):
    async with serving() as process:
        await all_up(RemoteClient(address))
        async with start("events", "--follow", "--since", "1h", "--json", "--config", settings) as following:
            await following.phase("lab-ami", "up")
            process.kill()
            await process.wait()
            async with serving():
                await following.line(lambda line: line["seq"] == 1)
                await following.phase("lab-ami", "up")
                assert await following.end(signal.SIGINT) == 0


# --- the dashboard ----------------------------------------------------------------------------------------


class Viewer:
    """What a screen would know."""

    def __init__(self) -> None:
        self.board = Board()
        self.troubles: list[str] = []

    def loaded(self) -> None:
        pass

    def told(self, event: Event, *, fresh: bool) -> None:
        if fresh:
            self.board.apply(event)

    def troubled(self, sentence: str) -> None:
        if sentence:
            self.troubles.append(sentence)


async def test_a_board_whose_service_was_killed_in_mid_burst_is_that_of_the_next_one(
    serving, address, ami, monkeypatch
):
    monkeypatch.setattr("tui.follower.AGAIN_AFTER", 0.1)
    client, viewer = RemoteClient(address), Viewer()
    following = asyncio.create_task(Follower(client, viewer).run())
    try:
        async with serving() as process:
            await all_up(client)
            bursts = [asyncio.create_task(client.command(Reconnect())) for _ in range(5)]
            async with asyncio.timeout(PATIENCE):
                while all(status.phase.connected for status in viewer.board.statuses.values()):
                    await asyncio.sleep(0)
            process.kill()
            await process.wait()
            await asyncio.gather(*bursts, return_exceptions=True)
        old = viewer.board.position.epoch
        async with serving():
            await all_up(client)
            async with asyncio.timeout(PATIENCE):
                while (snapshot := await client.snapshot()).position != viewer.board.position:
                    await asyncio.sleep(0.02)
            assert viewer.board.position.epoch != old
            assert viewer.board.statuses == {status.name: status for status in snapshot.statuses}
            assert viewer.board.health == snapshot.health
        assert any("the manager does not answer" in trouble for trouble in viewer.troubles)
    finally:
        following.cancel()
        await asyncio.wait([following])


async def test_the_dashboard_attaches_to_the_service_says_when_it_is_gone_and_leaves_it_running(
    serving, address, settings, terminals, ami
):
    async with serving() as process:
        await all_up(RemoteClient(address))
        terminal = terminals("--config", settings)
        await terminal.shows("attached")
        await terminal.shows("3 up")
        process.kill()
        await process.wait()
        await terminal.shows("the manager does not answer")
        async with serving() as second:
            await all_up(RemoteClient(address))
            async with asyncio.timeout(PATIENCE):
                while "the manager does not answer" in terminal.text:
                    terminal.read()
                    await asyncio.sleep(0.02)
            await terminal.shows("3 up")
            logins = ami.logins
            terminal.press("q")
            assert await terminal.ended() == 0
            assert second.returncode is None
            assert ami.logins == logins
            named = terminals("--attach", address)
            await named.shows("attached")
            named.press("q")
            assert await named.ended() == 0


async def test_one_dashboard_shows_several_services_and_says_which_one_is_missing(
    serving, address, terminals, runtime
):
    async with serving() as process:
        await all_up(RemoteClient(address))
        terminal = terminals("--attach", f"here={address}", "--attach", f"there={runtime}/none.sock")
        await terminal.shows("here/lab-desk")
        await terminal.shows("no service answers: there (Services)")
        terminal.press("q")
        assert await terminal.ended() == 0
        assert process.returncode is None
