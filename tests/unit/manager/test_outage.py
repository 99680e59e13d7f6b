from __future__ import annotations

from manager.engine.outage import Outage, OutageOver
from manager.model import Phase, Status


class Stopped:
    """A clock that stands still, and whose two times are the same."""

    def monotonic(self) -> float:
        return 0.0

    wall = boottime = monotonic


def lost(name: str, at: float) -> Status:
    return Status(name=name, type="sip", group="g", phase=Phase.WAITING, since=at, down_since=at)


def stable(name: str, up: float) -> Status:
    return Status(name=name, type="sip", group="g", phase=Phase.UP, since=up, up_since=up, stable=True)


def paused(name: str) -> Status:
    return Status(name=name, type="sip", group="g", phase=Phase.PAUSED, since=0.0)


def test_it_is_over_when_the_last_of_them_is_back():
    outage = Outage(Stopped())
    assert outage.note(lost("a", 10.0)) is None
    assert outage.note(lost("b", 12.0)) is None
    assert outage.note(stable("a", 20.0)) is None
    assert outage.note(stable("b", 30.0)) == OutageOver(("a", "b"), 20.0)


def test_each_outage_ends_once():
    outage = Outage(Stopped())
    outage.note(lost("a", 10.0))
    assert outage.note(stable("a", 20.0)) == OutageOver(("a",), 10.0)
    assert outage.note(stable("a", 20.0)) is None
    outage.note(lost("a", 40.0))
    assert outage.note(stable("a", 45.0)) == OutageOver(("a",), 5.0)


def test_one_that_is_paused_or_removed_no_longer_holds_it_open():
    for gone, last in ((False, paused("b")), (True, lost("b", 12.0))):
        outage = Outage(Stopped())
        outage.note(lost("a", 10.0))
        outage.note(lost("b", 12.0))
        outage.note(stable("a", 20.0))
        assert outage.note(last, gone=gone) == OutageOver(("a",), 10.0)


def test_pausing_everything_that_was_lost_brings_nothing_back():
    outage = Outage(Stopped())
    outage.note(lost("a", 10.0))
    assert outage.note(paused("a")) is None
    outage.note(lost("b", 50.0))
    assert outage.note(stable("b", 60.0)) == OutageOver(("b",), 10.0)


def test_one_that_is_lost_again_before_the_others_are_back_is_told_once():
    outage = Outage(Stopped())
    outage.note(lost("a", 10.0))
    outage.note(lost("b", 12.0))
    outage.note(stable("a", 20.0))
    outage.note(lost("a", 40.0))
    outage.note(stable("a", 50.0))
    assert outage.note(stable("b", 60.0)) == OutageOver(("a", "b"), 50.0)


def test_one_that_is_lost_again_and_paused_is_not_back():
    outage = Outage(Stopped())
    outage.note(lost("a", 10.0))
    outage.note(lost("b", 12.0))
    outage.note(stable("a", 20.0))
    outage.note(lost("a", 40.0))
    outage.note(paused("a"))
    assert outage.note(stable("b", 30.0)) == OutageOver(("b",), 20.0)
