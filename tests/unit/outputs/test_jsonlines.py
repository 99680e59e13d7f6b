from __future__ import annotations

import json

from manager.events import Gap, ProbeFailed, Reported, StateChanged
from manager.model import Failure, FailureClass, Phase, Stage, Status
from manager.outputs.jsonlines import line_of

FAILURE = Failure(
    kind=FailureClass.TRANSIENT, stage=Stage.CONNECT, reason="connection refused", hint="nothing"
)
STATUS = Status(
    name="one",
    type="sip",
    group="pbx1",
    phase=Phase.WAITING,
    since=0.0,
    endpoint="pbx1:5060",
    attempt=4,
    wait=8.0,
    next_attempt=1_800_000_008.5,
    failure=FAILURE,
)


def test_a_change_of_phase_is_a_flat_object_with_what_comes_next():
    event = StateChanged(seq=7, time=1_800_000_000.5, health=66, status=STATUS, previous=Phase.CONNECTING)
    assert json.loads(line_of(event)) == {
        "seq": 7,
        "time": "2027-01-15T08:00:00.500Z",
        "event": "connection:stateChanged",
        "connection": "one",
        "type": "sip",
        "phase": "waiting",
        "health": 66,
        "previous": "connecting",
        "connected": False,
        "endpoint": "pbx1:5060",
        "attempt": 4,
        "max_attempts": 15,
        "wait": 8.0,
        "next_attempt": "2027-01-15T08:00:08.500Z",
        "reason": "connection refused",
        "hint": "nothing",
    }


def test_a_failed_probe_tells_its_count():
    event = ProbeFailed(seq=1, time=0.0, health=None, status=STATUS, probe="heartbeat", failure=FAILURE)
    fields = json.loads(line_of(event))
    assert (fields["failures"], fields["threshold"], fields["failure"]["reason"]) == (
        0,
        3,
        "connection refused",
    )


def test_nothing_that_a_terminal_could_act_on_leaves_unescaped():
    hostile = "\U000e0041\x1b[31m\x9b2J\u202egnp.exe\u200b\x7f\r\n[bold]Ümläut"
    event = Reported(
        seq=1,
        time=0.0,
        health=None,
        status=STATUS,
        report="incomingCall",
        text=hostile,
        fields={"from": hostile},
    )
    line = line_of(event)
    assert line.isprintable()
    assert "Ümläut" in line
    assert json.loads(line)["text"] == hostile


def test_a_gap_is_told():
    assert json.loads(line_of(Gap(missed=12))) == {"event": "gap", "missed": 12}
