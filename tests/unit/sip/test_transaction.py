"""RFC 3261 §17 in virtual time."""

import pytest

from manager.drivers.sip.transaction import ClientTransaction, ServerTransaction, State


def live(transaction, until=100.0):
    """Let a transaction live until it ends; return when it sent something."""
    sent = []
    while (deadline := transaction.deadline) is not None and deadline < until:
        if transaction.timed(deadline) is not None:
            sent.append(round(deadline, 3))
    return sent


def test_timer_e_doubles_up_to_four_seconds_and_timer_f_gives_up_after_32():
    transaction = ClientTransaction(b"R", reliable=False, now=0.0)
    assert live(transaction) == [0.5, 1.5, 3.5, 7.5, 11.5, 15.5, 19.5, 23.5, 27.5, 31.5]
    assert transaction.timed_out


def test_a_provisional_response_slows_the_retransmissions_down():
    transaction = ClientTransaction(b"R", reliable=False, now=0.0)
    assert not transaction.received(100, 0.1)
    assert live(transaction, until=10.0) == [0.5, 4.5, 8.5]


def test_nothing_is_sent_again_over_a_reliable_transport():
    transaction = ClientTransaction(b"R", reliable=True, now=5.0)
    assert transaction.deadline == 37.0
    assert live(transaction) == []
    assert transaction.timed_out


def test_the_final_response_counts_once_and_timer_k_absorbs_its_copies():
    transaction = ClientTransaction(b"R", reliable=False, now=0.0)
    assert transaction.received(200, 1.0)
    assert not transaction.received(200, 1.1)
    assert live(transaction) == []
    assert transaction.state is State.TERMINATED
    assert not transaction.timed_out


def test_a_reliable_transaction_ends_with_its_response():
    transaction = ClientTransaction(b"R", reliable=True, now=0.0)
    assert transaction.received(401, 1.0)
    assert transaction.deadline is None


@pytest.mark.parametrize(("reliable", "kept"), [(False, 32.0), (True, 0.0)])
def test_a_response_is_kept_for_copies_of_the_request(reliable, kept):
    transaction = ServerTransaction(b"S", invite=False, reliable=reliable, now=0.0)
    assert transaction.repeated() == b"S"
    assert transaction.deadline == kept
    assert live(transaction) == []
    assert transaction.repeated() is None


def test_the_answer_to_an_invite_is_sent_again_until_the_ack():
    transaction = ServerTransaction(b"S", invite=True, reliable=False, now=0.0)
    assert live(transaction, until=4.0) == [0.5, 1.5, 3.5]
    transaction.acknowledged(4.0)
    assert transaction.repeated() is None
    assert transaction.deadline == 9.0
    assert live(transaction) == []


def test_an_invite_without_ack_is_given_up_after_timer_h():
    transaction = ServerTransaction(b"S", invite=True, reliable=False, now=0.0)
    assert live(transaction)[-1] == 31.5
    assert transaction.state is State.TERMINATED


def test_the_answer_to_an_invite_is_sent_once_over_a_reliable_transport():
    transaction = ServerTransaction(b"S", invite=True, reliable=True, now=0.0)
    assert live(transaction, until=31.0) == []
    transaction.acknowledged(1.0)
    assert transaction.deadline == 1.0
