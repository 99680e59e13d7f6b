from __future__ import annotations

import asyncio
import contextlib
import copy
import os
import pickle
import signal
import sys
from pathlib import Path

import pytest

from manager.secret import Secret, SecretSource, SecretUnavailableError

CANARY = "canary-51c0"


def test_no_textual_form_of_a_secret_shows_it():
    secret = Secret(CANARY)
    source = SecretSource(plain=secret)
    forms = [
        repr(secret),
        str(secret),
        f"{secret}",
        f"{secret:>40}",
        repr([secret]),
        repr(source),
    ]
    assert not any(CANARY in form for form in [*forms, str(source)])
    assert secret.reveal() == CANARY


@pytest.mark.parametrize("spread", [pickle.dumps, copy.copy, copy.deepcopy])
def test_a_secret_is_not_copied_about(spread):
    with pytest.raises(TypeError):
        spread(Secret(CANARY))


async def test_each_source_gives_its_secret_without_the_line_end(tmp_path, monkeypatch):
    monkeypatch.setenv("LAB_SECRET", CANARY)
    file = tmp_path / "secret"
    file.write_text(CANARY + "\r\n")
    command = (sys.executable, "-c", f"print({CANARY!r})")
    sources = [
        SecretSource(plain=Secret(CANARY)),
        SecretSource(env="LAB_SECRET"),
        SecretSource(file=file),
        SecretSource(command=command),
    ]
    for source in sources:
        assert (await source.read()).reveal() == CANARY


@pytest.mark.parametrize(
    ("source", "why"),
    [
        (SecretSource(env="NOT_SET_AT_ALL"), "NOT_SET_AT_ALL is not set"),
        (SecretSource(file=Path("/nonexistent/secret")), "No such file"),
        (SecretSource(command=("/nonexistent/command",)), "No such file"),
        (SecretSource(command=(sys.executable, "-c", "raise SystemExit(3)")), "ended with code 3"),
        (SecretSource(command=(sys.executable, "-c", "")), "empty secret"),
        (SecretSource(command=(sys.executable, "-c", "print('x' * 70000)")), "more than 64 KiB"),
    ],
)
async def test_a_source_that_gives_none_says_why(source, why):
    with pytest.raises(SecretUnavailableError, match=why):
        await source.read()


async def test_reading_that_is_cancelled_leaves_no_process(tmp_path):
    pid = tmp_path / "pid"
    script = (
        f"import os, time, pathlib; pathlib.Path({str(pid)!r}).write_text(str(os.getpid())); time.sleep(60)"
    )
    task = asyncio.create_task(SecretSource(command=(sys.executable, "-c", script)).read())
    async with asyncio.timeout(60):
        while not (pid.exists() and pid.read_text()):
            await asyncio.sleep(0.01)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert not Path(f"/proc/{pid.read_text()}/cmdline").exists()


def lives(pid: int) -> bool:
    """Whether a process runs; one that nobody has asked for its end yet has no command line any more."""
    try:
        return bool(Path(f"/proc/{pid}/cmdline").read_bytes())
    except OSError:
        return False


def open_files() -> int:
    return len(list(Path("/proc/self/fd").iterdir()))


@pytest.mark.parametrize("behind", ["sleep 60 & wait", "sleep 60 &", "setsid sleep 60 &"])
async def test_a_command_that_leaves_a_process_behind_can_be_given_up_and_costs_no_file(behind, tmp_path):
    files, pid = open_files(), tmp_path / "pid"
    script = behind.replace("&", f"& echo $! > {pid};")
    task = asyncio.create_task(SecretSource(command=("sh", "-c", script)).read())
    async with asyncio.timeout(50):
        while not (pid.exists() and pid.read_text().endswith("\n")):
            await asyncio.sleep(0.01)
        try:
            task.cancel()
            await asyncio.wait([task])
            while open_files() > files or ("setsid" not in behind and lives(int(pid.read_text()))):
                await asyncio.sleep(0.01)
        finally:
            with contextlib.suppress(ProcessLookupError):
                os.kill(int(pid.read_text()), signal.SIGKILL)


def test_exactly_one_source_is_given():
    with pytest.raises(ValueError, match="exactly one"):
        SecretSource()
    with pytest.raises(ValueError, match="exactly one"):
        SecretSource(env="A", file=Path("b"))


def test_the_version_of_a_file_changes_with_it(tmp_path):
    file = tmp_path / "secret"
    source = SecretSource(file=file)
    missing = source.version()
    file.write_text("one")
    first = source.version()
    file.write_text("another")
    assert len({missing, first, source.version()}) == 3
