from __future__ import annotations

import asyncio
import json
import stat

from manager.store import Store


async def test_what_is_written_is_found_again(tmp_path):
    path = tmp_path / "state" / "store.json"
    store = Store(path)
    store.section("connection one")["contact"] = "sip:x"
    store.save()
    assert Store(path).section("connection one") == {"contact": "sip:x"}
    assert stat.S_IMODE(path.stat().st_mode) == 0o600


async def test_changes_are_gathered_and_written_soon(tmp_path):
    path = tmp_path / "store.json"
    store = Store(path)
    for number in range(100):
        store.section("s")[str(number)] = "x"
    assert not path.exists()
    async with asyncio.timeout(60):
        while not path.exists():
            await asyncio.sleep(0.01)
    assert len(json.loads(path.read_text())["s"]) == 100


async def test_deleting_is_kept_too(tmp_path):
    path = tmp_path / "store.json"
    store = Store(path)
    section = store.section("s")
    section["a"] = "1"
    section["b"] = "2"
    del section["a"]
    store.save()
    assert dict(Store(path).section("s")) == {"b": "2"}


def test_a_damaged_file_is_set_aside(tmp_path, caplog):
    path = tmp_path / "store.json"
    for content in ("{", "[1]", '{"a": 1}', "\x00"):
        path.write_text(content)
        assert len(Store(path).section("a")) == 0
        assert path.with_name("store.json.broken").read_text() == content
    assert "damaged" in caplog.text


async def test_a_file_that_cannot_be_written_is_logged_and_nothing_else_breaks(tmp_path, caplog):
    (tmp_path / "file").write_text("")
    store = Store(tmp_path / "file" / "store.json")
    store.section("s")["a"] = "1"
    store.save()
    assert "cannot write" in caplog.text
    assert store.section("s")["a"] == "1"
