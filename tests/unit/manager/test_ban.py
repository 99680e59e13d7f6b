"""When a host that stopped answering has probably banned us, and what speaks against it."""

from __future__ import annotations

import pytest

from manager.endpoint import parse_endpoint
from manager.engine.ban import Bans
from manager.model import Failure, FailureClass, Stage

TRANSIENT = FailureClass.TRANSIENT
AMI, WEB, OTHER = (parse_endpoint(text) for text in ("ami://pbx1", "ws://pbx1:8088/ws", "ami://pbx2"))
UDP, TCP = (parse_endpoint(f"sip:pbx1:5060;transport={name}") for name in ("udp", "tcp"))


def failed(reason: str, stage: Stage = Stage.CONNECT, kind: FailureClass = TRANSIENT) -> Failure:
    return Failure(kind=kind, stage=stage, reason=reason, hint="nothing listens there")


TIMEOUT, REFUSED, NO_ROUTE = (
    failed("no answer in 15 s (connect)"),
    failed("connection refused"),
    failed("no route to host"),
)
WRONG = failed("wrong secret", Stage.LOGIN, FailureClass.CREDENTIALS)


class Host:
    """A host that has refused logins, the last one 60 s ago."""

    def __init__(self, refusals: int = 2) -> None:
        self.bans = Bans()
        self.now = 1000.0
        self.refusals = [940.0 - 5.0 * n for n in reversed(range(refusals))]
        for at in self.refusals:
            assert self.bans.judged(AMI, WRONG, [], 600.0, at) is WRONG

    def judged(self, failure: Failure, endpoint=AMI) -> Failure:
        return self.bans.judged(endpoint, failure, self.refusals, 600.0, self.now)


@pytest.mark.parametrize("silence", [TIMEOUT, NO_ROUTE, failed("no answer (connect)")])
def test_silence_after_refused_logins_is_probably_a_ban(silence):
    found = Host().judged(silence)
    assert found.reason == (
        "probably banned: 2 logins were refused on pbx1 in 10 min, then it stopped answering"
    )
    assert "fail2ban-client unban" in found.hint
    assert silence.reason in found.hint
    assert (found.kind, found.stage) == (TRANSIENT, Stage.CONNECT)


@pytest.mark.parametrize("refusals", [0, 1])
def test_it_takes_more_than_one_refusal(refusals):
    assert Host(refusals).judged(TIMEOUT) is TIMEOUT


@pytest.mark.parametrize(
    "other",
    [
        failed("network unreachable"),
        failed("name not found", Stage.LOOKUP),
        failed("not permitted"),
        failed("no answer in 15 s (login)", Stage.LOGIN),
        failed("certificate refused", Stage.TLS, FailureClass.CONFIGURATION),
        WRONG,
    ],
)
def test_what_is_no_silence_of_the_host_is_no_ban(other):
    assert Host().judged(other) is other


def test_over_udp_the_silence_shows_in_the_handshake():
    silence = failed("no answer in 15 s (handshake)", Stage.HANDSHAKE)
    assert Host().judged(silence, UDP).reason.startswith("probably banned")
    assert Host().judged(silence, TCP) is silence


def test_a_host_that_took_a_login_since_has_not_banned_us():
    host = Host()
    host.bans.answered("pbx1", 980.0)
    assert host.judged(TIMEOUT) is TIMEOUT


def test_what_it_answered_before_a_ban_could_strike_proves_nothing():
    host = Host()
    host.bans.answered("pbx1", 942.0)
    assert host.judged(TIMEOUT) is not TIMEOUT


def test_where_no_other_host_answers_it_is_our_own_network():
    host = Host()
    host.bans.answered("pbx2", 900.0)
    host.judged(TIMEOUT, OTHER)
    assert host.judged(TIMEOUT) is TIMEOUT
    host.bans.answered("pbx2", 990.0)
    assert host.judged(TIMEOUT) is not TIMEOUT


def test_being_turned_away_takes_two_ports_and_another_host_that_answers():
    host = Host()
    assert host.judged(REFUSED) is REFUSED
    assert host.judged(REFUSED, WEB) is REFUSED
    host.bans.answered("pbx2", 990.0)
    found = host.judged(REFUSED)
    assert found.reason.endswith("then it turns us away on 2 ports")


def test_one_port_that_is_closed_is_a_service_that_was_stopped():
    host = Host()
    host.bans.answered("pbx2", 990.0)
    assert [host.judged(REFUSED), host.judged(REFUSED)] == [REFUSED, REFUSED]


def test_ports_that_turned_us_away_before_the_host_answered_again_do_not_count():
    host = Host()
    host.bans.answered("pbx2", 990.0)
    host.judged(REFUSED)
    host.bans.answered("pbx1", 945.0)
    assert host.judged(REFUSED, WEB) is REFUSED


def test_refusals_of_an_earlier_run_count():
    found = Bans().judged(AMI, TIMEOUT, [-50.0, -40.0], 600.0, 5.0)
    assert found.reason.startswith("probably banned")
