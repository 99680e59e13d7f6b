"""The doctor's text: what is well in short, the rest step by step, and nothing that a terminal would obey."""

from __future__ import annotations

import msgspec

from manager.doctor import Diagnosis, Examination, Finding, Report, Step, Topic
from manager.model import Band, Failure, FailureClass, Phase, Stage
from tui.diagnosis import exit_code, text_of

STEPS = (
    Step(name="name", ok=True, seconds=0.0002, detail="192.0.2.7"),
    Step(name="route", ok=None, detail="none to 192.0.2.7: Network is unreachable"),
    Step(name="TCP", ok=True, seconds=0.021, detail="to 192.0.2.7"),
)
FAILURE = Failure(
    kind=FailureClass.CREDENTIALS,
    stage=Stage.LOGIN,
    reason="wrong AMI secret or ACL",
    hint="check the secret",
)
WELL = Diagnosis(
    name="a",
    type="ami",
    examinations=(
        Examination(
            endpoint="pbx1:5038",
            steps=(*STEPS, Step(name="check", ok=True, seconds=0.1, detail="4 calls up")),
            usable=True,
        ),
    ),
)
ILL = Diagnosis(
    name="b",
    type="ami",
    examinations=(
        Examination(
            endpoint="pbx2:5038",
            steps=(*STEPS, Step(name="login", ok=False, seconds=1.0, detail=FAILURE.reason)),
            failure=FAILURE,
        ),
    ),
)


def report(*connections: Diagnosis, **fields) -> Report:
    return Report(config="config.toml", connections=connections, **{"logged_in": True, **fields})


def test_what_is_well_takes_a_line_or_two_and_every_step_where_that_is_asked_for() -> None:
    text = text_of(report(WELL))
    assert "      pbx1:5038: name <1 ms, route none to 192.0.2.7: Network is unreachable,\n" in text
    assert "check: 4 calls up" in text
    assert text.endswith("it is well")
    assert "      ok    TCP          21 ms  to 192.0.2.7" in text_of(report(WELL), verbose=True)


def test_what_is_not_is_told_step_by_step_with_what_to_do() -> None:
    assert text_of(report(WELL, ILL)).splitlines()[-9:] == [
        "FAIL  b (ami)",
        "      pbx2:5038 stops at: login",
        "      ok    name         <1 ms  192.0.2.7",
        "      -     route               none to 192.0.2.7: Network is unreachable",
        "      ok    TCP          21 ms  to 192.0.2.7",
        "      FAIL  login        1.0 s  wrong AMI secret or ACL",
        "      do    check the secret",
        "",
        "1 of 2 not well: b",
    ]


def test_the_points_of_the_whole_are_itemised_where_a_service_was_asked() -> None:
    ill = Diagnosis(
        name="b",
        type="ami",
        phase=Phase.PAUSED,
        score=0,
        findings=(Finding(topic=Topic.NOT_RECONNECTING, says="paused by an operator", do="resume it"),),
    )
    text = text_of(
        report(ill, logged_in=False, asked="the service", health=50, band=Band.ORANGE, shares={"b": 50})
    )
    assert "the service was asked; nobody is logged in a second time" in text
    assert "FAIL  b (ami) is paused, health 0" in text
    assert "      not reconnecting: paused by an operator\n      do    resume it" in text
    assert text.endswith("health of all: 50 (orange); it has lost 50 for b")


def test_what_to_do_is_told_once() -> None:
    finding = Finding(topic=Topic.NOT_RECONNECTING, says="blocked", do="check the secret, then r")
    text = text_of(report(msgspec.structs.replace(ILL, findings=(finding,))))
    assert text.count("check the secret") == 1


def test_a_number_keeps_its_unit_wherever_a_line_ends() -> None:
    for length in range(30, 60):
        says = f"{'x' * length} 12 ms after 3 s"
        text = text_of(
            report(msgspec.structs.replace(ILL, findings=(Finding(topic=Topic.DROPS, says=says),)))
        )
        assert not any(line.split()[:1] in (["ms"], ["s"]) for line in text.splitlines())
        assert "12 ms" in text


def test_nothing_is_wider_than_80_columns_or_obeyed_by_a_terminal() -> None:
    hostile = "\x1b[2J\x9b31m\u202e\r\nok    all well " + "x" * 200
    failure = Failure(kind=FailureClass.TRANSIENT, stage=Stage.LOGIN, reason=hostile, hint=hostile)
    ill = Diagnosis(
        name=hostile,
        type=hostile,
        examinations=(
            Examination(
                endpoint=hostile, steps=(Step(name="login", ok=False, detail=hostile),), failure=failure
            ),
        ),
        findings=(Finding(topic=Topic.DROPS, says=hostile, do=hostile),),
    )
    text = text_of(report(ill, asked=hostile, shares={hostile: 3}, health=97), verbose=True)
    assert max(map(len, text.splitlines())) <= 80
    assert text.replace("\n", "").isprintable()
    assert not any(line.startswith("ok") for line in text.splitlines())


def test_the_exit_code_is_that_of_the_worst() -> None:
    assert exit_code(report(WELL)) == 0
    assert exit_code(report(WELL, ILL)) == 1
    assert exit_code(report(WELL, logged_in=False, held_by="another")) == 3
    assert exit_code(report(ILL, logged_in=False, held_by="another")) == 1


def test_it_is_the_same_as_json() -> None:
    whole = report(WELL, ILL)
    assert msgspec.json.decode(msgspec.json.encode(whole), type=Report) == whole
