from __future__ import annotations

import tomllib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from manager.config.positions import Positions

EVERYTHING = '''\
# a comment with [brackets] and = signs
a = 1
b.c . "d e" = "x # no comment"   # a comment

[table.'lit eral'."esc\\u0061ped"]
one = """
text with "quotes" and [t]
and "" two""""
two = \'\'\'
it's = fine\'\'\'
three = [
  1, # one
  "two, ]",
  [ "deep", { e = 1, f.g = [2,
     3] } ],
]
four = { g = 1, "h" = { i = '}' } }
five = 1979-05-27 07:32:00
six = "a\\"b"

[[list]]
x = 1
[last]
y = 2'''


@pytest.mark.parametrize(
    ("place", "line"),
    [
        (("a",), 2),
        (("b", "c", "d e"), 3),
        (("table",), 5),
        (("table", "lit eral", "escaped"), 5),
        (("table", "lit eral", "escaped", "one"), 6),
        (("table", "lit eral", "escaped", "two"), 9),
        (("table", "lit eral", "escaped", "three"), 11),
        (("table", "lit eral", "escaped", "three", 0), 12),
        (("table", "lit eral", "escaped", "three", 1), 13),
        (("table", "lit eral", "escaped", "three", 2, 1, "e"), 14),
        (("table", "lit eral", "escaped", "three", 2, 1, "f", "g", 1), 15),
        (("table", "lit eral", "escaped", "four", "h", "i"), 17),
        (("table", "lit eral", "escaped", "five"), 18),
        (("table", "lit eral", "escaped", "six"), 19),
        (("list", "x"), 22),
        (("last",), 23),
        (("last", "y"), 24),
    ],
)
@pytest.mark.parametrize("line_end", ["\n", "\r\n"])
def test_every_key_has_its_line(place, line, line_end):
    text = EVERYTHING.replace("\n", line_end)
    tomllib.loads(text)
    assert Positions(text).line(place) == line


def test_what_is_not_written_has_the_line_of_the_table_around_it():
    positions = Positions("[a]\n[a.b]\nc = 1\n")
    assert positions.line(("a", "b", "missing", 3)) == 2
    assert positions.line(("nowhere",)) is None
    assert positions.line(()) is None


def test_an_empty_file_has_no_positions():
    assert Positions("").line(("a",)) is None
    assert Positions("# only a comment").line(("a",)) is None


KEYS = st.text(min_size=1, max_size=5)
SCALARS = st.one_of(
    st.booleans(), st.integers(-(2**40), 2**40), st.floats(allow_nan=False, allow_infinity=False), st.text()
)
VALUES = st.recursive(
    SCALARS,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(KEYS, inner, max_size=3),
    max_leaves=8,
)


def quoted(text: str) -> str:
    return '"' + "".join(f"\\U{ord(character):08x}" for character in text) + '"'


def written(value: object) -> str:
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, str):
        return quoted(value)
    if isinstance(value, list):
        return "[\n" + ", # x\n".join(written(item) for item in value) + "\n]"
    if isinstance(value, dict):
        return "{ " + ", ".join(f"{quoted(key)} = {written(item)}" for key, item in value.items()) + " }"
    return repr(value)


def places(value: object, place: tuple[str | int, ...]):
    if isinstance(value, dict):
        for key, item in value.items():
            yield (*place, key)
            yield from places(item, (*place, key))
    elif isinstance(value, list):
        for index, item in enumerate(value):
            yield (*place, index)
            yield from places(item, (*place, index))


@given(st.dictionaries(KEYS, VALUES, max_size=4))
def test_every_key_of_any_file_is_found_and_stands_where_it_says(content):
    text = "".join(f"{quoted(key)} = {written(value)}\n" for key, value in content.items())
    parsed = tomllib.loads(text)
    positions = Positions(text)
    lines = text.split("\n")
    for place in places(parsed, ()):
        assert place in positions._lines
        line = positions.line(place)
        assert line is not None
        if isinstance(place[-1], str):
            assert quoted(place[-1]) in lines[line - 1]
