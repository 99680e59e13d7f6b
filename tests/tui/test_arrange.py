"""Which lines the table has."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from manager.model import Phase
from tests.tui.fake_client import connection, exchange, slow
from tui import phases
from tui.arrange import Blank, Fold, Heading, Note, Single, arrange, in_order
from tui.ordering import read_ordering


def shape(lines) -> list[str]:
    """Write lines down in short: headings in brackets, folds with their number."""
    short = {Blank: lambda _: "", Note: lambda line: line.text, Heading: lambda line: f"[{line.type}]"}
    short[Single] = lambda line: line.status.name
    short[Fold] = lambda line: (
        f"{len(line.statuses)} on {line.where}" if line.where else f"{len(line.statuses)} up"
    )
    return [short[type(line)](line) for line in lines]


def farm(number: int, hosts: int = 4, type_name: str = "sip"):
    return [connection(f"{type_name}-{i}", type_name, host=f"pbx{i % hosts}") for i in range(number)]


def test_sections_stand_in_their_order_and_unknown_types_follow_by_name():
    types = ["zebra", "ami", "alpha", "sip", "websocket"]
    lines = arrange([connection(f"a-{name}", name) for name in types], 40)
    assert [line.type for line in lines if isinstance(line, Heading)] == [
        "sip",
        "websocket",
        "ami",
        "alpha",
        "zebra",
    ]


def test_problems_rise_to_the_top_of_their_section_and_the_rest_keeps_its_order():
    lines = arrange([s for s in exchange() if s.type == "sip"], 40)
    assert shape(lines) == [
        "[sip]",
        "desk-6001",
        "trunk-telekom-berlin",
        "desk-6005",
        "desk-6006",
        "desk-6002",
        "desk-6003",
        "desk-6004",
        "fax-gw",
    ]


def test_a_row_keeps_its_place_while_attempts_come_and_go():
    both = [connection("a", phase=Phase.WAITING), connection("b", phase=Phase.WAITING)]
    trying = [connection("a", phase=Phase.WAITING), connection("b", phase=Phase.CONNECTING)]
    assert shape(arrange(both, 40)) == shape(arrange(trying, 40))


def test_nothing_folds_while_everything_fits():
    assert not any(isinstance(line, Fold) for line in arrange(farm(20), 21))


def test_blank_lines_go_before_anything_folds():
    statuses = farm(5) + farm(5, type_name="ami")
    assert "" in shape(arrange(statuses, 13))
    assert "" not in shape(arrange(statuses, 12))
    assert not any(isinstance(line, Fold) for line in arrange(statuses, 12))


def test_healthy_rows_fold_by_host_first_and_by_type_when_that_is_not_enough():
    assert shape(arrange(farm(20), 10)) == ["[sip]", "5 on pbx0", "5 on pbx1", "5 on pbx2", "5 on pbx3"]
    assert shape(arrange(farm(20), 4)) == ["[sip]", "20 up"]


def test_only_as_many_sections_fold_as_must():
    statuses = farm(20) + farm(3, type_name="ami")
    assert shape(arrange(statuses, 9)) == [
        "[sip]",
        *[f"5 on pbx{i}" for i in range(4)],
        "[ami]",
        "ami-0",
        "ami-1",
        "ami-2",
    ]


def test_two_hundred_connections_fold_to_their_problems():
    statuses = farm(138, 11) + farm(36, 12, "websocket") + farm(11, 7, "ami") + exchange()
    lines = arrange(statuses, 29)
    assert len(lines) <= 29
    names = shape(lines)
    assert all(s.name in names for s in exchange() if not phases.well(s))
    assert "142 up" in names


def test_equal_troubles_of_a_host_share_a_row_only_when_nothing_else_helps():
    troubles = [connection(f"late-{i}", phase=Phase.WAITING, host="pbx9") for i in range(6)]
    assert shape(arrange(troubles, 7)) == ["[sip]", *(f"late-{i}" for i in range(6))]
    assert shape(arrange(troubles, 6)) == ["[sip]", "6 on pbx9"]
    assert shape(arrange([*troubles[:2], connection("x")], 2)) == ["[sip]", "late-0", "late-1", "x"]


def test_a_slow_connection_counts_as_a_problem():
    assert shape(arrange([*farm(10), slow("slow")], 4)) == ["[sip]", "slow", "10 up"]


def small_hours():
    """Return connections of three types, each with a trouble; what is blocked is of the last."""
    return [
        *farm(4),
        connection("late", phase=Phase.WAITING),
        connection("mute", phase=Phase.SUSPECT),
        *farm(3, type_name="websocket"),
        connection("feed", "websocket", Phase.CONNECTING),
        connection("barred", "ami", Phase.BLOCKED),
        *farm(2, type_name="ami"),
    ]


def test_where_sections_do_not_fit_they_are_one_list_the_worst_first_and_what_is_well_its_last_row():
    in_sections = ["[sip]", "late", "mute", "4 up", "[websocket]", "feed", "3 up", "[ami]", "barred", "2 up"]
    assert shape(arrange(small_hours(), 10)) == in_sections
    one_list = ["barred", "late", "feed", "mute", "9 up"]
    for height in (9, 5, 4, 1):
        assert shape(arrange(small_hours(), height)) == one_list
    assert shape(arrange(small_hours(), 6, note="14 of 20 match")) == ["14 of 20 match", *one_list]


def test_equal_troubles_share_a_row_of_the_one_list_only_when_it_is_too_short_for_them():
    many = [connection(f"late-{i}", phase=Phase.WAITING, host="pbx9") for i in range(5)]
    each = ["barred", *(f"late-{i}" for i in range(5)), "late", "feed", "mute", "9 up"]
    assert shape(arrange([*many, *small_hours()], 9)) == each
    assert shape(arrange([*many, *small_hours()], 8)) == [
        "barred",
        "5 on pbx9",
        "late",
        "feed",
        "mute",
        "9 up",
    ]


def test_one_section_keeps_its_heading_and_another_order_its_sections_however_little_fits():
    alone = [connection(f"late-{i}", phase=Phase.WAITING, host=f"pbx{i}") for i in range(5)]
    assert shape(arrange(alone, 3)) == ["[sip]", *(f"late-{i}" for i in range(5))]
    assert shape(arrange(small_hours(), 5, ordering=read_ordering("name")))[0] == "[sip]"


def test_opening_a_fold_or_standing_on_what_was_in_one_makes_no_list_of_the_sections():
    assert "[sip]" in shape(arrange(small_hours(), 10, unfolded={"type:sip:up"}))
    assert "[sip]" in shape(arrange(small_hours(), 10, keep="sip-2"))
    assert "[sip]" not in shape(arrange(small_hours(), 9, unfolded={"type:sip:up"}))


def test_the_fold_of_all_that_are_well_opens_and_closes_and_leaves_the_row_under_the_cursor():
    (fold,) = (line for line in arrange(small_hours(), 6) if isinstance(line, Fold))
    for kept in (None, "ami-1"):
        opened = arrange(small_hours(), 6, unfolded={fold.key}, keep=kept)
        assert len(opened) == 13
        assert all(line.folds_into == fold.key for line in opened[4:])
    assert shape(arrange(small_hours(), 6, keep="ami-1"))[4:] == ["8 up", "ami-1"]


def test_the_order_without_folds_is_that_of_the_sections_or_of_the_one_list():
    assert [each.name for each in in_order(small_hours())][:2] == ["late", "mute"]
    of_one_list = [each.name for each in in_order(small_hours(), in_sections=False)]
    assert of_one_list[:5] == ["barred", "late", "feed", "mute", "sip-0"]


def test_an_opened_fold_stays_open_and_its_rows_know_how_to_close_it():
    (fold,) = (line for line in arrange(farm(20), 4) if isinstance(line, Fold))
    lines = arrange(farm(20), 4, unfolded={fold.key})
    assert len(lines) == 21
    assert all(line.folds_into == fold.key for line in lines if isinstance(line, Single))


def test_the_connection_under_the_cursor_stays_a_row():
    assert shape(arrange(farm(20), 4, keep="sip-7")) == ["[sip]", "19 up", "sip-7"]


def test_a_note_stands_above_all():
    assert shape(arrange(farm(1), 10, note="1 of 15 match"))[0] == "1 of 15 match"


statuses_of_all_kinds = st.lists(
    st.tuples(st.sampled_from(list(Phase)), st.sampled_from(["sip", "ami", "x"]), st.integers(0, 4)),
    max_size=40,
).map(lambda kinds: [connection(f"c{i}", t, p, host=f"h{h}") for i, (p, t, h) in enumerate(kinds)])


folds = st.frozensets(
    st.sampled_from(
        ["up", "type:sip:up", "type:ami:up", "host:sip:h0", "host:ami:h1", "type:x:paused", "trouble:sip:h0"]
    )
)


@given(
    statuses_of_all_kinds,
    st.integers(min_value=1, max_value=50),
    folds,
    st.integers(0, 40),
    st.sampled_from(["", "-latency", "name", "phase -name"]),
)
def test_no_connection_is_lost_and_no_problem_hides_in_a_fold_of_well_ones(
    statuses, height, unfolded, kept, ordering
):
    lines = arrange(statuses, height, unfolded=unfolded, keep=f"c{kept}", ordering=read_ordering(ordering))
    shown = [s for line in lines if isinstance(line, Single) for s in [line.status]]
    folded = [s for line in lines if isinstance(line, Fold) for s in line.statuses]
    assert sorted(s.name for s in shown + folded) == sorted(s.name for s in statuses)
    for line in lines:
        if isinstance(line, Fold):
            assert len(line.statuses) > 1
            # What shares a row is equally well or equally ill.
            assert len({phases.attention(s) for s in line.statuses}) == 1
            assert len({phases.well(s) for s in line.statuses}) == 1
