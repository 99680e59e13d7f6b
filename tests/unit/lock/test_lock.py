from __future__ import annotations

import fcntl
import os
import signal
import subprocess
import sys
import time
from datetime import datetime
from pathlib import Path

import platformdirs
import pytest

from manager.lock import AlreadyRunningError, Holder, InstanceLock, LockUnavailableError
from manager.places import key_of

HOLD = """
import sys
from pathlib import Path
from manager.lock import AlreadyRunningError, InstanceLock
try:
    with InstanceLock(Path(sys.argv[1])):
        print("held", flush=True)
        sys.stdin.read()
except AlreadyRunningError as error:
    print(error, flush=True)
    print(error.hint, flush=True)
    sys.exit(3)
"""

CONTEND = """
import os, sys
from pathlib import Path
from manager.lock import AlreadyRunningError, InstanceLock
held = 0
for _ in range(300):
    try:
        with InstanceLock(Path(sys.argv[1])):
            os.close(os.open(sys.argv[2], os.O_CREAT | os.O_EXCL))
            os.unlink(sys.argv[2])
            held += 1
    except AlreadyRunningError:
        pass
print(held)
"""


@pytest.fixture(autouse=True)
def state(tmp_path, monkeypatch):
    folder = tmp_path / "state"
    monkeypatch.setenv("XDG_STATE_HOME", str(folder))
    monkeypatch.setenv("HOME", str(tmp_path))
    return platformdirs.user_state_path("trunkline")


@pytest.fixture
def config(tmp_path):
    path = tmp_path / "config.toml"
    path.touch()
    return path


@pytest.fixture
def start():
    """Start real processes that hold the lock until their stdin ends."""
    running: list[subprocess.Popen[str]] = []

    def start(config: Path) -> subprocess.Popen[str]:
        process = subprocess.Popen(
            [sys.executable, "-c", HOLD, config],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        running.append(process)
        return process

    yield start
    for process in running:
        process.kill()
        process.communicate()


def first_line(process: subprocess.Popen[str]) -> str:
    assert process.stdout is not None
    return process.stdout.readline().strip()


def test_a_second_run_is_told_who_holds_the_configuration(config, start):
    begun = int(time.time())
    first = start(config)
    assert first_line(first) == "held"
    second = start(config)
    told, _ = second.communicate()
    assert second.returncode == 3
    assert f"{config} is in use by `-c {config}` (pid {first.pid}) since " in told
    since = datetime.fromisoformat(told.splitlines()[0].rpartition(" since ")[2])
    assert begun <= since.timestamp() <= time.time()
    assert "stop that one first" in told


def test_the_next_run_starts_once_the_first_has_ended_and_no_file_stays(config, start, state):
    first = start(config)
    assert first_line(first) == "held"
    assert len(list(state.iterdir())) == 1
    first.communicate()
    assert list(state.iterdir()) == []
    assert first_line(start(config)) == "held"


def test_what_a_killed_run_left_behind_is_no_obstacle(config, start, state):
    first = start(config)
    assert first_line(first) == "held"
    first.send_signal(signal.SIGKILL)
    first.wait()
    assert len(list(state.iterdir())) == 1
    with InstanceLock(config):
        assert str(os.getpid()) in next(state.iterdir()).read_text()


def test_another_configuration_may_run_beside_it(config, start, tmp_path):
    other = tmp_path / "other.toml"
    other.touch()
    assert first_line(start(config)) == "held"
    assert first_line(start(other)) == "held"


def test_a_link_or_another_spelling_is_the_same_configuration(config, tmp_path, monkeypatch):
    link = tmp_path / "link.toml"
    link.symlink_to(config)
    monkeypatch.chdir(tmp_path)
    assert key_of(config) == key_of(link) == key_of(Path("config.toml"))
    with InstanceLock(config), pytest.raises(AlreadyRunningError), InstanceLock(link):
        pass


def test_it_can_be_taken_again_after_an_error_inside(config):
    with pytest.raises(ZeroDivisionError), InstanceLock(config):
        _ = 1 / 0
    with InstanceLock(config):
        pass


def test_programs_that_are_started_do_not_inherit_it(config):
    with InstanceLock(config):
        child = subprocess.Popen(["sleep", "60"], close_fds=False)
    try:
        with InstanceLock(config):
            pass
    finally:
        child.kill()
        child.wait()


@pytest.mark.parametrize("content", [b"", b"{", b"[]", b'{"pid": "x"}', b"\xff" * 5000])
def test_a_holder_that_has_not_said_who_it_is_holds_it_all_the_same(config, state, content):
    with InstanceLock(config):
        next(state.iterdir()).write_bytes(content)
        with pytest.raises(AlreadyRunningError) as caught, InstanceLock(config):
            pass
    assert caught.value.holder is None
    assert "another run" in str(caught.value)


def test_what_the_file_says_is_shown_harmlessly(config, state):
    with InstanceLock(config):
        next(state.iterdir()).write_text('{"pid": 1, "since": 1e300, "command": "\\u001b[31mtrunkline"}')
        with pytest.raises(AlreadyRunningError) as caught, InstanceLock(config):
            pass
    assert str(caught.value).isprintable()


def test_the_file_is_ours_alone(config, state):
    with InstanceLock(config):
        assert next(state.iterdir()).stat().st_mode & 0o077 == 0


def test_a_folder_that_cannot_be_written_is_told(config, state):
    state.parent.mkdir(parents=True)
    state.write_text("a file where the folder should be")
    with pytest.raises(LockUnavailableError, match="cannot lock") as caught, InstanceLock(config):
        pass
    assert "XDG_STATE_HOME" in caught.value.hint


def test_of_many_that_come_and_go_never_two_hold_it_at_once(config, tmp_path):
    witness = tmp_path / "witness"
    contenders = [
        subprocess.Popen([sys.executable, "-c", CONTEND, config, witness], stdout=subprocess.PIPE)
        for _ in range(3)
    ]
    results = [contender.communicate()[0] for contender in contenders]
    assert [contender.returncode for contender in contenders] == [0, 0, 0]
    assert sum(map(int, results)) > 0


def test_a_lock_on_a_file_that_the_holder_before_removed_keeps_others_out(config, state, monkeypatch):
    flock = fcntl.flock
    removed = []

    def flock_just_after_a_release(descriptor: int, operation: int) -> None:
        if not removed:
            (file,) = state.iterdir()
            file.unlink()
            removed.append(file)
        flock(descriptor, operation)

    monkeypatch.setattr(fcntl, "flock", flock_just_after_a_release)
    with InstanceLock(config):
        assert removed
        with pytest.raises(AlreadyRunningError), InstanceLock(config):
            pass


def test_who_meets_a_service_is_told_to_attach_and_who_meets_another_run_to_stop_it(config):
    def met(command: str) -> str:
        return AlreadyRunningError(config, Holder(pid=1, since=0.0, command=command)).hint

    assert met("trunkline --config F serve").startswith("attach to it (trunkline, trunkline events --follow)")
    assert met("trunkline watch --config 'F").startswith("stop that one first;")
    assert AlreadyRunningError(config, None).hint.startswith("stop that one first;")
