"""What README.md shows is true of the program."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from manager.config import load
from manager.model import Phase
from tui import keymap, preferences, themes

README = (Path(__file__).parents[2] / "README.md").read_text()

SIGNS = {
    "slash": "/",
    "escape": "esc",
    "question_mark": "?",
    "enter": "⏎",
    "asterisk": "*",
    "full_stop": ".",
}
MOVES = (".up", ".down", ".page_up", ".page_down", ".first", ".last")


def block(language: str, *, holds: str = "") -> str:
    (found,) = [text for text in re.findall(rf"```{language}\n(.*?)```", README, re.DOTALL) if holds in text]
    return str(found)


def test_the_configuration_example_is_valid(tmp_path: Path) -> None:
    path = tmp_path / "config.toml"
    path.write_text(block("toml", holds="[connections."))
    assert [each.type for each in load(path).connections] == ["ami", "sip", "websocket"]


def test_the_example_of_preferences_is_valid(tmp_path: Path) -> None:
    path = tmp_path / "dashboard.toml"
    path.write_text(block("toml", holds="[keys]"))
    assert preferences.load(path).keys == {"rows.reconnect": ("x",)}


def test_the_library_example_runs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "config.toml").write_text(
        '[connections.nobody]\ntype = "ami"\nendpoints = ["ami://127.0.0.1:1"]\n'
        'username = "monitor"\npassword = { env = "NOT_SET" }\n'
    )
    monkeypatch.chdir(tmp_path)
    seen: list[object] = []

    def stop(event: object) -> None:
        seen.append(event)
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        exec(compile(block("python"), "README.md", "exec"), {"print": stop})
    assert seen


def test_every_key_of_the_dashboard_is_in_the_table() -> None:
    for identity, (key, *_) in keymap.defaults().items():
        if identity.startswith(("filter.", "help.", "themes.")) or identity.endswith(MOVES):
            continue
        assert f"`{SIGNS.get(key, key)}`" in README


def test_every_phase_and_theme_is_named() -> None:
    for name in (*(phase.value for phase in Phase), *themes.available()):
        assert f"`{name}`" in README


def test_its_examples_fit_80_columns() -> None:
    fenced = re.findall(r"```\w*\n(.*?)```", README, re.DOTALL)
    indented = re.findall(r"^    .*$", README, re.MULTILINE)
    assert max(map(len, [line for text in fenced for line in text.splitlines()] + indented)) <= 80
