from __future__ import annotations

import asyncio
import fcntl
import itertools
import json
import os
import pty
import signal
import termios

import pytest

from manager.lab.faults import Fault
from tests.e2e.conftest import CANARY, PATIENCE, command, logged_off, until, with_hasty_heartbeats

pytestmark = pytest.mark.waits


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
async def test_a_signal_stops_it_cleanly_with_the_sessions_closed_and_the_last_phases_told(
    number, start, settings, ami
):
    async with start("watch", "--config", settings) as running:
        await running.phase("lab-ami", "up")
        assert await running.end(number) == 0
        await logged_off(ami)
        assert {line["connection"] for line in running.lines if line.get("phase") == "stopped"} >= {"lab-ami"}


async def test_it_stops_by_itself_after_the_seconds_that_were_asked_for(start, settings):
    async with start("watch", "--config", settings, "--for", "5") as running:
        async with asyncio.timeout(PATIENCE):
            output, complaints = await running.process.communicate()
        assert running.process.returncode == 0
        assert not complaints
        phases = [json.loads(line) for line in output.splitlines()]
        assert {line["phase"] for line in phases if line["event"] == "connection:stateChanged"} == {
            "connecting",
            "up",
            "stopped",
        }


async def test_an_outage_is_told_from_the_loss_to_the_recovery(start, settings, ami):
    async with start("watch", "--config", settings) as running:
        await running.line(
            lambda line: line["event"] == "connection:stable" and line["connection"] == "lab-ami"
        )
        ami.fault = Fault.REFUSE
        await running.line(lambda line: line.get("attempt") == 4 and line["phase"] == "waiting")
        ami.fault = None
        await running.line(lambda line: line["event"] == "connection:reconnected")
        mine = [line for line in running.lines if line.get("connection") == "lab-ami"]
        waits = [
            line for line in mine if line["phase"] == "waiting" and line["event"] == "connection:stateChanged"
        ]
        assert [line["wait"] for line in waits[:4]] == [0.2, 0.4, 0.8, 1.0]
        assert [line["attempt"] for line in waits[:4]] == [1, 2, 3, 4]
        recovered = next(line for line in mine if line["event"] == "connection:recovered")
        assert recovered["attempts"] >= 4
        numbers = [line["seq"] for line in running.lines]
        assert numbers == list(range(1, len(numbers) + 1))


async def test_a_second_one_with_the_same_settings_says_who_holds_them_and_does_not_log_in(
    start, settings, ami
):
    async with start("watch", "--config", settings) as first:
        await first.phase("lab-ami", "up")
        logins = ami.logins
        async with start("watch", "--config", settings) as second:
            async with asyncio.timeout(PATIENCE):
                output, complaints = await second.process.communicate()
            assert second.process.returncode == 3
            assert str(first.process.pid) in complaints.decode()
            assert not output
        assert ami.logins == logins


async def test_the_settings_are_free_again_after_a_kill(start, settings):
    async with start("watch", "--config", settings) as first:
        await first.phase("lab-ami", "up")
        first.process.kill()
        await first.process.wait()
        async with start("watch", "--config", settings) as second:
            await second.phase("lab-ami", "up")


async def test_a_reader_that_leaves_ends_it_without_a_word(start, settings, environment):
    line = " ".join(command("watch", "--config", settings)) + " | head -n 1"
    process = await asyncio.create_subprocess_exec(
        "bash",
        "-o",
        "pipefail",
        "-c",
        line,
        env=environment,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )
    async with asyncio.timeout(PATIENCE):
        output, complaints = await process.communicate()
    assert len(output.splitlines()) == 1
    assert not complaints
    assert process.returncode == 0


async def test_a_pipe_that_is_not_read_delays_no_heartbeat_and_a_signal_still_ends_it(start, settings, ami):
    with_hasty_heartbeats(settings)
    read_end, write_end = os.pipe()
    try:
        # The pipe is full from the start: the first line blocks.
        os.set_blocking(write_end, False)
        for size in (65536, 1):
            try:
                for _ in itertools.count():
                    os.write(write_end, b" " * size)
            except BlockingIOError:
                continue
        os.set_blocking(write_end, True)
        async with start("watch", "--config", settings, stdout=write_end) as running:
            await until(lambda: list(ami.actions).count("Ping") >= 6)
            running.process.terminate()
            async with asyncio.timeout(PATIENCE):
                await running.process.wait()
            await logged_off(ami)
    finally:
        os.close(read_end)
        os.close(write_end)


@pytest.mark.parametrize("fault", [None, *Fault])
async def test_no_secret_is_in_any_output_log_or_file_in_any_fault(
    fault, start, settings, home, ami, sip, websocket, environment
):
    environment["PYTHONASYNCIODEBUG"] = "1"
    with_hasty_heartbeats(settings)
    ami.fault = sip.fault = websocket.fault = fault
    async with start("watch", "--config", settings, "--for", "2.5") as running:
        async with asyncio.timeout(PATIENCE):
            output, complaints = await running.process.communicate()
    assert b"lab-events" in output
    written = output + complaints + b"".join(path.read_bytes() for path in home.rglob("*") if path.is_file())
    assert CANARY.encode() not in written


async def test_without_a_terminal_sighup_has_the_settings_read_anew(start, settings, ami):
    async with start("watch", "--config", settings, start_new_session=True) as running:
        await running.phase("lab-ami", "up")
        await running.phase("lab-desk", "up")
        await running.phase("lab-events", "up")
        text = settings.read_text()
        without, _, _ = text.partition("[connections.lab-events]")
        settings.write_text(without.replace("[connections.lab-ami]", "[connections.lab-ami]\nweight = 3"))
        running.process.send_signal(signal.SIGHUP)
        told = await running.line(lambda line: line["event"] == "manager:reloaded")
        assert (told["added"], told["removed"], told["changed"]) == ([], ["lab-events"], ["lab-ami"])
        await running.phase("lab-ami", "up")
        mine = [line for line in running.lines if line.get("connection") == "lab-desk"]
        assert [line["phase"] for line in mine if line["event"] == "connection:stateChanged"] == [
            "connecting",
            "up",
        ]
        assert await running.end() == 0


async def test_settings_with_a_mistake_change_nothing_and_say_where_it_is(start, settings, ami):
    async with start("watch", "--config", settings, start_new_session=True) as running:
        await running.phase("lab-ami", "up")
        before = settings.read_text()
        settings.write_text(before + "\n[connections.lab-events.more]\nx = 1\n")
        running.process.send_signal(signal.SIGHUP)
        told = await running.line(lambda line: line["event"] == "manager:reloadFailed")
        line = before.count("\n") + 2
        assert f"config.toml: line {line}, connections.lab-events.more" in told["reason"]
        assert CANARY not in told["reason"]
        settings.unlink()
        running.process.send_signal(signal.SIGHUP)
        told = await running.line(lambda line: line["event"] == "manager:reloadFailed")
        assert "No such file" in told["reason"]
        assert ami.logins == 1
        assert await running.end() == 0


async def test_with_a_terminal_sighup_says_that_it_has_gone_and_ends_it_cleanly(start, settings, ami):
    master, slave = pty.openpty()
    try:
        async with start(
            "watch",
            "--config",
            settings,
            stdin=slave,
            start_new_session=True,
            preexec_fn=lambda: fcntl.ioctl(slave, termios.TIOCSCTTY, 0),
        ) as running:
            await running.phase("lab-ami", "up")
            assert await running.end(signal.SIGHUP) == 0
            await logged_off(ami)
            assert not [line for line in running.lines if line["event"].startswith("manager:")]
    finally:
        os.close(master)
        os.close(slave)
