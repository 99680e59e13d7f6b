"""Some of the screen's tests through the control socket of a service; `--over-socket` sends all that way."""

from __future__ import annotations

from tests.tui import test_actions, test_changes, test_details, test_wire

OVER_SOCKET = True

test_a_refusal = test_actions.test_a_time_that_the_manager_refuses_says_why_in_the_row
test_a_gap = test_changes.test_a_gap_in_the_events_is_closed_by_a_new_snapshot
test_no_answer = test_changes.test_a_manager_that_does_not_answer_is_a_sentence_and_is_asked_again
test_many_events = test_changes.test_a_thousand_events_are_drawn_together_and_none_is_lost
test_what_comes_and_goes = test_changes.test_connections_come_and_go
test_the_past = test_changes.test_events_from_before_the_screen_are_in_the_log_but_change_nothing
test_the_commands = test_details.test_r_p_and_u_act_on_the_connection_and_tell_what_became_of_it
test_the_wire = test_wire.test_messages_that_come_are_followed_and_f_holds
