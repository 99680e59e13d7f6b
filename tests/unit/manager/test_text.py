from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from manager.secret import MASK, Secret
from manager.text import LONGEST_QUOTE, harmless, quoted

CANARY = "c4n4ry-s3cret"


@pytest.mark.parametrize(
    "character",
    [
        pytest.param("\x1b", id="ESC"),
        pytest.param("\x07", id="BEL"),
        pytest.param("\0", id="NUL"),
        pytest.param("\t", id="tab"),
        pytest.param("\r", id="CR"),
        pytest.param("\n", id="LF"),
        pytest.param("\x7f", id="DEL"),
        pytest.param("\x85", id="C1 next line"),
        pytest.param("\x9b", id="C1 control sequence"),
        pytest.param("\xa0", id="no-break space"),
        pytest.param("\xad", id="soft hyphen"),
        pytest.param("\u200b", id="zero width space"),
        pytest.param("\u200d", id="zero width joiner"),
        pytest.param("\u200f", id="right-to-left mark"),
        pytest.param("\u2028", id="line separator"),
        pytest.param("\u2029", id="paragraph separator"),
        pytest.param("\u202e", id="right-to-left override"),
        pytest.param("\u2066", id="left-to-right isolate"),
        pytest.param("\ufeff", id="byte order mark"),
        pytest.param("\udc80", id="lone surrogate of a byte"),
        pytest.param("\ud800", id="lone high surrogate"),
        pytest.param("\U000e0041", id="tag"),
    ],
)
def test_a_character_that_is_not_plainly_visible_is_replaced_by_one_that_is(character):
    assert harmless(f"a{character}b") == "a\N{REPLACEMENT CHARACTER}b"
    assert quoted(f"a{character}b") == "a\N{REPLACEMENT CHARACTER}b"


def test_the_rest_of_an_escape_sequence_stands_there_as_text():
    assert harmless("\x1b]52;c;eA==\x07") == "\N{REPLACEMENT CHARACTER}]52;c;eA==\N{REPLACEMENT CHARACTER}"


@pytest.mark.parametrize("text", ["", "a b", "Zoë 東京", "naïve “quoted”", "[bold]", "📞"])
def test_plain_text_of_any_language_stays_as_it_is(text):
    assert harmless(text) == quoted(text) == text


@given(st.text(st.characters(exclude_categories=())), st.integers(1, 200))
def test_any_text_comes_out_on_one_line_visible_within_the_bound_and_able_to_be_written(text, limit):
    shown = quoted(text, limit)
    assert shown.isprintable()
    assert len(shown) <= limit
    shown.encode()


def test_a_text_of_just_the_bound_is_whole_and_a_longer_one_is_seen_to_be_cut():
    assert quoted("x" * LONGEST_QUOTE) == "x" * LONGEST_QUOTE
    assert quoted("x" * (LONGEST_QUOTE + 1)) == "x" * (LONGEST_QUOTE - 1) + "…"
    assert quoted("x" * 11, 10) == "x" * 9 + "…"


@pytest.mark.parametrize("before", range(len(CANARY) + 2))
def test_of_a_secret_that_the_bound_cuts_in_two_nothing_is_left(before):
    text = "x" * (LONGEST_QUOTE - before) + CANARY
    shown = quoted(text, secrets=[Secret(CANARY)])
    assert len(shown) <= LONGEST_QUOTE
    assert set(shown) <= {"x", "*", "…"}


@pytest.mark.parametrize(
    ("secret", "said"),
    [
        (CANARY, CANARY),
        (f"Bearer {CANARY}", CANARY),
        ("monitor:c4n4ry/s3cret", "monitor%3Ac4n4ry%2Fs3cret"),
        ("c4n4ry-é", "c4n4ry-%C3%A9"),
        ("c4n4ry.*", "c4n4ry.*"),
        ("c4n4ry\x1b[31m", "c4n4ry\x1b[31m"),
        ("c4n4ry\udc80", "c4n4ry\udc80"),
        ("a", "a"),
    ],
)
def test_a_secret_is_masked_in_every_form_in_which_it_may_come_back(secret, said):
    assert quoted(f"<{said}> <{said}>", secrets=[Secret(secret)]) == f"<{MASK}> <{MASK}>"


def test_of_a_secret_that_begins_with_another_nothing_is_left():
    for secrets in (["c4n4ry", "c4n4ry-two"], ["c4n4ry-two", "c4n4ry"]):
        assert quoted("no c4n4ry-two here", secrets=map(Secret, secrets)) == f"no {MASK} here"


def test_the_mask_is_not_masked_again():
    assert quoted("no c4n4ry here", secrets=[Secret("c4n4ry"), Secret("*")]) == f"no {MASK} here"


@pytest.mark.parametrize("secrets", [[], [Secret("")]])
def test_without_a_secret_nothing_is_masked(secrets):
    assert quoted("all is said", secrets=secrets) == "all is said"
