"""Pages: how text is broken into lines, and that only what differs is repainted."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from rich.cells import cell_len
from textual.app import App

from tui import glyphs, themes
from tui.line import Ink
from tui.page import Piece, Writer, wrapped
from tui.sanitise import clean
from tui.widgets.page import Page

INK = Ink(themes.load("trunkline-dark"), glyphs.UNICODE)


@pytest.mark.parametrize(
    ("text", "width", "lines"),
    [
        ("", 10, [""]),
        ("short", 10, ["short"]),
        ("two words here", 9, ["two words", "here"]),
        ("averylongwordindeed", 8, ["averylon", "gwordind", "eed"]),
        ("a averylongword b", 8, ["a", "averylon", "gword b"]),
        ("東京東京東京", 5, ["東京", "東京", "東京"]),
    ],
)
def test_text_is_broken_between_words_and_within_those_that_are_too_long(text, width, lines):
    assert wrapped(text, width) == lines


@given(st.text(max_size=80), st.integers(min_value=2, max_value=30))
def test_no_line_is_too_long_and_no_word_is_lost(text, width):
    text = clean(text)
    lines = wrapped(text, width)
    assert all(cell_len(line) <= width for line in lines)
    assert "".join("".join(lines).split()) == "".join(text.split(" "))


def test_what_does_not_fit_goes_on_under_where_it_began():
    writer = Writer(INK, 40)
    writer.begin("Now")
    writer.field("reason", "one two three four five six seven")
    (section,) = writer.sections
    assert [line[-1].text for line in section.lines] == ["one two three four five", "six seven"]
    assert section.lines[1][0].at == writer.value_at


class Shown(App[None]):
    def __init__(self, page: Page) -> None:
        super().__init__()
        self._shown = page

    def compose(self):
        yield self._shown


async def test_only_lines_that_say_something_else_are_repainted(monkeypatch):
    words = ["one", "two", "three"]

    def write(writer: Writer):
        writer.begin("Now")
        for word in words:
            writer.draw(Piece(word))
        return writer.sections

    page = Page(INK, write)
    async with Shown(page).run_test(size=(40, 10)) as pilot:
        await pilot.pause()
        repainted: list[int] = []
        monkeypatch.setattr(
            page, "refresh", lambda *regions, **_: repainted.extend(each.y for each in regions)
        )
        page.update()
        assert repainted == []
        words[1] = "another"
        page.update()
        assert repainted == [2]
