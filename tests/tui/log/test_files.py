"""The log in files."""

from __future__ import annotations

import errno
import os
from pathlib import Path

import pytest

from tests.tui.log.lines import filled, line
from tests.tui.test_sanitise import EVIL, FORBIDDEN
from tui import statefile
from tui.log import files
from tui.log.entry import Entry, Kind, Level
from tui.log.store import LogStore

NOW = 1_795_740_000.0


@pytest.fixture(autouse=True)
def state(monkeypatch, tmp_path) -> Path:
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))
    return tmp_path / "state" / "trunkline"


def test_a_saved_log_is_named_after_the_time_and_is_its_owner_s_alone(state):
    path = files.save(files.texts(filled(2).entries, utc=True), "a heading", NOW)
    assert path == state / "log-2026-11-27-004000.txt"
    assert path.read_text() == (
        "# a heading\n2026-11-27T00:40:00.000Z desk up 1\n2026-11-27T00:40:00.000Z desk up 2\n"
    )
    assert path.stat().st_mode & 0o777 == 0o600
    assert state.stat().st_mode & 0o777 == 0o700


def test_two_logs_saved_in_one_second_are_two_files(state):
    names = [files.save([str(number)], "", NOW).name for number in range(3)]
    assert names == ["log-2026-11-27-004000.txt", *(f"log-2026-11-27-004000-{n}.txt" for n in (2, 3))]
    assert (state / names[1]).read_text() == "# \n1\n"


def test_a_copy_takes_the_place_of_the_last_one(state):
    files.copy(["one", "two"])
    assert files.copy(["three"]) == state / "copied.txt"
    assert (state / "copied.txt").read_text() == "three\n"
    assert (state / "copied.txt").stat().st_mode & 0o777 == 0o600


def test_nobody_s_text_is_more_than_one_harmless_line(state):
    store = LogStore()
    store.add(line(EVIL, subject=EVIL, word=EVIL))
    store.add(line("\ud800", subject=""))
    path = files.save(files.texts(store.entries, utc=True), EVIL, NOW)
    text = path.read_text(encoding="utf-8")
    assert text.count("\n") == 3
    assert not set(text) & (FORBIDDEN - {"\n"})
    assert text.splitlines()[2] == "2026-11-27T00:40:00.000Z - up <D800>"


def test_what_is_written_is_harmless_even_if_what_is_kept_were_not():
    entry = Entry(1, NOW, EVIL, Kind(EVIL, "text", Level.CHANGE), EVIL)
    (text,) = files.texts([entry], utc=False)
    assert text.isprintable()


def test_a_link_in_the_way_is_replaced_and_what_it_leads_to_is_not_touched(state, tmp_path):
    other = tmp_path / "other"
    other.write_text("precious")
    state.mkdir(parents=True)
    (state / "copied.txt").symlink_to(other)
    files.copy(["one"])
    assert other.read_text() == "precious"
    assert not (state / "copied.txt").is_symlink()


@pytest.mark.parametrize(
    ("number", "words"),
    [
        (errno.ENOSPC, "the disk is full"),
        (errno.EROFS, "the disk is read-only"),
        (errno.EACCES, "writing there is not allowed"),
        (errno.EIO, os.strerror(errno.EIO)),
    ],
)
def test_what_stands_in_the_way_is_told_in_plain_words_and_nothing_is_left(state, monkeypatch, number, words):
    files.copy(["before"])

    def fail(*_arguments):
        raise OSError(number, os.strerror(number))

    monkeypatch.setattr(Path, "replace", fail)
    with pytest.raises(statefile.NotWrittenError, match=words):
        files.copy(["after"])
    assert [entry.name for entry in state.iterdir()] == ["copied.txt"]
    assert (state / "copied.txt").read_text() == "before\n"


def test_a_disk_that_really_is_full_is_told_and_leaves_nothing(state, monkeypatch):
    monkeypatch.setattr(
        statefile.tempfile, "mkstemp", lambda **_: (os.open("/dev/full", os.O_WRONLY), "/nowhere")
    )
    with pytest.raises(statefile.NotWrittenError, match="the disk is full"):
        files.copy(["x"] * 10_000)
    assert list(state.iterdir()) == []


def test_a_file_where_the_folder_should_be_is_told(state):
    state.parent.mkdir(parents=True)
    state.write_text("")
    with pytest.raises(statefile.NotWrittenError, match="there is a file where a folder should be"):
        files.copy(["x"])


def test_a_path_is_shown_as_people_write_it_and_by_its_end(monkeypatch, tmp_path):
    monkeypatch.setenv("HOME", str(tmp_path))
    path = tmp_path / ".local" / "state" / "copied.txt"
    assert statefile.shown(path, 40) == "~/.local/state/copied.txt"
    assert statefile.shown(path, 12) == "…/copied.txt"
    assert statefile.shown(Path("/var/copied.txt"), 40) == "/var/copied.txt"
