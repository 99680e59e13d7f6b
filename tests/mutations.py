"""Takes behaviours out of the engine, one at a time, and sees a test fail for each.

    .venv/bin/python tests/mutations.py [NAME…]

Works on a copy; exits 1 if a mutation goes unnoticed or no longer fits the code.
"""

from __future__ import annotations

import shutil
import subprocess
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).parent.parent
TESTS = "tests/engine"


@dataclass(frozen=True)
class Mutation:
    name: str
    file: str
    old: str
    new: str
    test: str
    """The test that must fail, by name."""


MUTATIONS = (
    Mutation(
        "stable at once",
        "vigil.py",
        "                self._schedule()\n                async with self._deadline:",
        "                self._observer.proved()\n                async with self._deadline:",
        "test_a_server_that_accepts_and_drops_still_reaches_the_last_attempt",
    ),
    Mutation(
        "stable without a heartbeat",
        "vigil.py",
        "self._prove_at is None and self._well and self._unproved",
        "self._prove_at is None and self._unproved",
        "test_a_server_that_hangs_after_the_login_still_reaches_the_last_attempt",
    ),
    Mutation(
        "no login budget",
        "credentials.py",
        "        if not self._settings.secrets():\n            return False\n",
        "        return False\n",
        "test_all_connections_of_a_host_together_are_refused_four_times_in_ten_minutes",
    ),
    Mutation(
        "budget forgotten over a restart",
        "budget.py",
        "        self._ledger[host] = ",
        "        _ = ",
        "test_the_budget_survives_a_restart",
    ),
    Mutation(
        "no wake-up",
        "life.py",
        "not self.current.vigil.end(None):\n            self._reach.woken.set()\n",
        "not self.current.vigil.end(None):\n            pass\n",
        "test_forcing_a_waiting_connection_opens_it_now_and_says_how_long_it_took",
    ),
    Mutation(
        "an early wake-up is kept for the next wait",
        "life.py",
        "        self._reach.woken.clear()\n",
        "",
        "test_a_wake_that_came_while_connecting_is_not_spent_on_the_next_wait",
    ),
    Mutation(
        "no generation check",
        "listener.py",
        "return self._hearer.generation == self._generation and",
        "return",
        "test_late_calls_of_a_session_that_was_replaced_are_dropped",
    ),
    Mutation(
        "forcing keeps the count",
        "life.py",
        "            self._turn.attempt_number = 2\n",
        "",
        "test_forcing_puts_the_count_back_to_one",
    ),
    Mutation(
        "heartbeats hide a check that never works",
        "vigil.py",
        "            self._failures.pop(HEARTBEAT, None)\n",
        "            self._failures.clear()\n",
        "test_a_check_that_never_works_is_not_hidden_by_heartbeats_that_do",
    ),
    Mutation(
        "a suspect is asked at a tick",
        "vigil.py",
        "return 0.0 if self._doubted or self._failures else",
        "return 0.0 if self._doubted else",
        "test_a_suspect_is_asked_to_the_point",
    ),
    Mutation(
        "every heartbeat wakes the process by itself",
        "ticks.py",
        "math.floor(when / slack) * slack",
        "when",
        "test_heartbeats_of_sessions_that_came_up_one_after_the_other_share_turns_of_the_loop",
    ),
    Mutation(
        "a session is called stable before its time",
        "vigil.py",
        "is not None and now >= self._prove_at",
        "is not None and soon >= self._prove_at",
        "test_a_session_is_called_stable_to_the_point",
    ),
    Mutation(
        "a late cancel takes a later call away",
        "ticks.py",
        " and self._ticks.get(self._due) is self:",
        ":",
        "test_one_that_came_cannot_take_a_later_call_of_the_same_tick_away",
    ),
    Mutation(
        "a check without anything to look at is made again",
        "vigil.py",
        "math.inf if answer == NOTHING_TO_CHECK else ",
        "",
        "test_a_check_that_has_nothing_to_look_at_is_made_once_a_session",
    ),
    Mutation(
        "a suspect waits for the next interval",
        "vigil.py",
        "policy.suspect_timeout if isinstance(answer, Failure) else policy.heartbeat_interval",
        "policy.heartbeat_interval",
        "test_a_hung_peer_is_suspect_after_35_seconds_and_given_up_after_41",
    ),
    Mutation(
        "jitter upward",
        "policy.py",
        "1.0 - policy.jitter * chance",
        "1.0 + policy.jitter * chance",
        "test_jitter_only_ever_shortens_a_wait",
    ),
    Mutation(
        "the last attempt is announced at every probe",
        "status.py",
        " and self.status.attempt == self._policy.max_attempts",
        "",
        "test_the_last_attempt_is_announced_once_then_probed_slowly_until_it_recovers_by_itself",
    ),
    Mutation(
        "a session that died is closed politely",
        "life.py",
        "            graceful = again = ended is None\n",
        "            again = ended is None\n",
        "test_a_hung_peer_is_suspect_after_35_seconds_and_given_up_after_41",
    ),
    Mutation(
        "a stop does not wait for what a pause closes",
        "supervisor.py",
        "            self._ending.append(task)\n            task.add_done_callback(self._ending.remove)\n",
        "            pass\n",
        "test_stopping_waits_for_a_connection_that_a_pause_is_closing",
    ),
    Mutation(
        "a second session beside the one that closes",
        "supervisor.py",
        "        await self._ended()\n        try:\n            await self._life",
        "        try:\n            await self._life",
        "test_a_connection_resumed_while_it_closes_comes_up_again_when_it_is_closed",
    ),
    Mutation(
        "a removal can be undone",
        "supervisor.py",
        " and not self._retired",
        "",
        "test_a_connection_that_is_being_removed_is_not_resumed",
    ),
    Mutation(
        "a stop that is given up goes on being polite",
        "supervisor.py",
        "            for each in ending:\n                each.cancel()\n",
        "",
        "test_a_stop_that_is_given_up_closes_at_once_and_leaves_nothing_by_itself",
    ),
    Mutation(
        "a wish during the closing of a dead session is lost",
        "life.py",
        "        if not self._reach.woken.is_set():\n            self._arrive()\n",
        "        self._reach.woken.clear()\n        self._arrive()\n",
        "test_forcing_while_a_dead_session_is_closed_reconnects_at_once",
    ),
    Mutation(
        "an override outlives a pause",
        "life.py",
        "self._attempt, self._override = 0, False",
        "self._attempt = 0",
        "test_an_override_ends_with_a_pause",
    ),
    Mutation(
        "a changed secret is looked for since the wait began",
        "life.py",
        "    async def _until_woken(self, wait: Wait, failure: Failure, end: float | None) -> bool:\n",
        "    async def _until_woken(self, wait: Wait, failure: Failure, end: float | None) -> bool:\n"
        "        self._credentials.try_now()\n",
        "test_a_secret_that_changed_while_the_old_one_was_being_refused_is_tried",
    ),
    Mutation(
        "a driver's own cancellation passes for ours",
        "deadline.py",
        "if kind is asyncio.CancelledError and not was_cancelled():",
        "if False:",
        "test_a_cancellation_that_nobody_asked_for_is_a_failure_like_any_other",
    ),
    Mutation(
        "a swallowed cancellation is not obeyed",
        "life.py",
        "            obey_cancellation()\n            yield self._watched(session)",
        "            yield self._watched(session)",
        "test_a_driver_that_swallows_a_cancellation_is_stopped_all_the_same",
    ),
    Mutation(
        "stable though a pause has overtaken it",
        "supervisor.py",
        "                self.vigil.release()\n",
        "                pass\n",
        "test_an_answer_in_the_very_turns_of_a_pause_is_about_nobody",
    ),
    Mutation(
        "what is said after the end is heard",
        "listener.py",
        " and self._hearer.listening",
        "",
        "test_a_late_word_of_a_removed_connection_does_not_bring_it_back",
    ),
    Mutation(
        "a dead session is held through the wait",
        "vigil.py",
        "        raise LifeOver(self._failure)\n",
        "        self._error = LifeOver(self._failure)\n        raise self._error\n",
        "test_no_dead_session_is_held_through_the_wait",
    ),
    Mutation(
        "a block does not begin the count anew",
        "life.py",
        "            turn.attempt_number = 0\n",
        "            pass\n",
        "test_a_blocked_connection_that_finds_the_server_down_walks_the_schedule_from_its_start",
    ),
    Mutation(
        "no sibling wake",
        "group.py",
        "[sibling.hears_of(name) for sibling in self.waiting.values()]",
        "[False]",
        "test_the_first_one_back_wakes_the_others_of_its_host_and_they_keep_their_numbers",
    ),
    Mutation(
        "a flapping sibling wakes the others each time",
        "group.py",
        "if self._untold and not self._told:",
        "if self._untold:",
        "test_a_sibling_that_comes_and_goes_wakes_the_others_once_until_it_is_stable",
    ),
    Mutation(
        "a return that nobody waited for is the only one that counts",
        "group.py",
        "group.is_back(self.name):\n",
        "group.is_back(self.name) in (True, False):\n",
        "test_a_return_that_nobody_waited_for_leaves_the_next_one_its_word",
    ),
    Mutation(
        "what a flapping sibling kept to itself is never told",
        "group.py",
        "        if self._untold:\n            self._tell()\n",
        "",
        "test_after_a_crash_loop_the_one_that_holds_wakes_the_parked_as_soon_as_it_is_stable",
    ),
    Mutation(
        "siblings hammer for one that is refused",
        "group.py",
        "delay(self.policy, self._wakes, 0.0) if self._wakes else 0.0",
        "0.0",
        "test_one_that_is_refused_while_sixty_come_back_again_and_again_is_not_hammered",
    ),
    Mutation(
        "a sibling shortens the wait that a server asked for",
        "group.py",
        "max(deaf_for, patience(self.policy, failure))",
        "deaf_for",
        "test_no_sibling_shortens_the_wait_that_a_server_asked_for",
    ),
    Mutation(
        "refused credentials are woken",
        "group.py",
        " or failure.kind not in _SHARED:\n            yield",
        ":\n            yield",
        "test_one_whose_credentials_were_refused_is_not_woken_to_be_refused_again",
    ),
    Mutation(
        "a login that is withheld is woken",
        "reach.py",
        " or self._withheld_for():",
        ":",
        "test_one_that_the_login_budget_holds_back_is_not_woken",
    ),
    Mutation(
        "a return during an attempt is lost",
        "group.py",
        "                self.hears_of(back.name)\n",
        "                pass\n",
        "test_a_return_during_an_attempt_counts_as_soon_as_the_attempt_has_failed",
    ),
    Mutation(
        "no sibling doubt",
        "group.py",
        "            self._dead = sibling.name\n",
        "            died = False\n",
        "test_one_that_dies_makes_the_others_of_its_host_send_a_heartbeat_now",
    ),
    Mutation(
        "an end that was asked for casts doubt",
        "group.py",
        "died=failure is not None and failure.kind in _SHARED",
        "died=True",
        "test_an_end_that_was_asked_for_casts_no_doubt",
    ),
    Mutation(
        "every death doubts the others at once",
        "group.py",
        "self._clock.monotonic() + DOUBT_INTERVAL",
        "self._clock.monotonic()",
        "test_fifty_deaths_doubt_the_others_once_in_five_seconds",
    ),
    Mutation(
        "a doubt during a heartbeat is lost",
        "vigil.py",
        "        self._heartbeat_due = started + pause\n",
        "        self._heartbeat_due = started + pause\n        self._doubted = False\n",
        "test_a_doubt_that_arises_while_a_heartbeat_is_on_its_way_is_not_lost",
    ),
    Mutation(
        "a round of doubt outlives the sessions",
        "group.py",
        "            self._timer.cancel()\n",
        "",
        "test_a_round_of_doubt_ends_with_the_sessions_that_it_is_about",
    ),
    Mutation(
        "no pacing",
        "pacing.py",
        "                await asyncio.sleep(start - now)\n",
        "                pass\n",
        "test_first_starts_on_a_host_are_opened_eighty_a_second_in_their_order",
    ),
    Mutation(
        "late timers add up",
        "pacing.py",
        "line.free_at = start + 1.0 / rate",
        "line.free_at = self._clock.monotonic() + 1.0 / rate",
        "test_timers_that_are_late_do_not_add_up",
    ),
    Mutation(
        "accepted credentials that stood in line do not look again",
        "opening.py",
        "                if not credentials.must_reserve(host):\n                    ",
        "                if True:\n                    ",
        "test_a_refusal_makes_accepted_credentials_of_the_host_reserve_too",
    ),
    Mutation(
        "no peek",
        "peek.py",
        "        if failure.stage in _PAST_CONNECT:\n",
        "        if True:\n",
        "test_a_host_that_answers_again_ends_the_wait_and_the_attempt_keeps_its_number",
    ),
    Mutation(
        "a peek after a failure past the connect",
        "peek.py",
        "        if failure.stage in _PAST_CONNECT:\n",
        "        if False:\n",
        "test_nobody_looks_after_a_failure_past_the_connect",
    ),
    Mutation(
        "a host that answered all along ends waits",
        "peek.py",
        "turned = answers and self._failing",
        "turned = answers",
        "test_a_host_that_answered_all_along_ends_no_wait",
    ),
    Mutation(
        "every one that waits looks for itself",
        "peek.py",
        "setdefault(_place(endpoint), ",
        "setdefault((waiting.name, 0, ''), ",
        "test_sixty_that_wait_for_a_host_look_at_it_as_often_as_one_and_come_back_paced",
    ),
    Mutation(
        "peeks never slow down",
        "peek.py",
        "else SLOW_INTERVAL",
        "else INTERVAL",
        "test_a_host_is_looked_at_each_second_for_a_minute_and_then_each_five",
    ),
    Mutation(
        "a flapping port is hammered",
        "group.py",
        "        self._wakes += 1\n",
        "",
        "test_a_port_that_comes_and_goes_while_every_open_fails_is_not_hammered",
    ),
    Mutation(
        "a look that swallows its cancellation goes on",
        "peek.py",
        "        obey_cancellation()\n        return answers\n",
        "        return answers\n",
        "test_a_wait_that_ends_by_itself_in_the_midst_of_a_look_leaves_none_behind",
    ),
    Mutation(
        "a wait that ends early keeps its length on screen",
        "status.py",
        '"wait": deadline - began, ',
        "",
        "test_the_status_tells_the_true_length_of_a_wait_that_ends_early",
    ),
    Mutation(
        "a reload touches what is the same",
        "reload.py",
        " and settings != now[name]",
        "",
        "test_connections_are_added_removed_and_changed_and_the_others_hear_nothing_of_it",
    ),
    Mutation(
        "a suspend goes unnoticed",
        "timekeeper.py",
        "if suspended >= LEAST or stepped:",
        "if stepped:",
        "test_after_a_suspend_everything_that_is_up_is_asked_for_a_sign_of_life_at_once",
    ),
    Mutation(
        "a clock that was set goes unnoticed",
        "timekeeper.py",
        "if suspended >= LEAST or stepped:",
        "if suspended >= LEAST:",
        "test_a_clock_that_was_set_is_told_of_and_moves_no_wait",
    ),
    Mutation(
        "a suspend ends the wait that a server asked for",
        "life.py",
        "if not asked and not",
        "if not",
        "test_a_jump_ends_no_wait_that_the_server_asked_for_and_no_refusal",
    ),
    Mutation(
        "no move to another endpoint",
        "life.py",
        "if left and over.failure.kind is not FailureClass.CREDENTIALS:",
        "if False:",
        "test_after_a_loss_the_next_endpoint_is_opened_without_a_wait_and_without_a_number",
    ),
    Mutation(
        "a move takes a number",
        "life.py",
        "            self._wait = MOVE\n            turn.attempt_number -= 1\n",
        "            self._wait = MOVE\n",
        "test_when_every_endpoint_has_failed_the_numbered_attempts_begin_and_take_turns",
    ),
    Mutation(
        "a server that accepts opens a new round",
        "pool.py",
        "        self._tried |= {endpoint}\n        address =",
        "        self._tried = frozenset({endpoint})\n        address =",
        "test_servers_that_accept_and_drop_do_not_open_a_new_round_and_reach_the_last_attempt",
    ),
    Mutation(
        "a first that comes and goes is returned to",
        "homing.py",
        "                since = self._clock.monotonic()\n",
        "                pass\n",
        "test_a_first_that_comes_and_goes_is_not_returned_to",
    ),
    Mutation(
        "a way back that fails is tried again as soon",
        "homing.py",
        "min(2.0 * self._well_for, LONGEST)",
        "self._well_for",
        "test_a_way_back_that_fails_is_thought_over_twice_as_long_each_time",
    ),
    Mutation(
        "a bad certificate on one endpoint blocks all",
        "pool.py",
        " and len(self._hopeless) < len(self._endpoints):",
        " and False:",
        "test_a_bad_certificate_on_one_endpoint_does_not_block_the_others",
    ),
    Mutation(
        "addresses are tried as they come",
        "pool.py",
        "return sorted(use.answers, key=lambda each: max(0.0, self._until_of(use, each) - now))",
        "return list(use.answers)",
        "test_addresses_of_a_name_count_as_endpoints_and_a_bad_one_is_tried_last",
    ),
    Mutation(
        "refused credentials are carried to every endpoint",
        "life.py",
        "if left and over.failure.kind is not FailureClass.CREDENTIALS:",
        "if left:",
        "test_refused_credentials_are_not_carried_through_all_endpoints_at_once",
    ),
    Mutation(
        "a band that flaps",
        "health.py",
        "max(health - RISE_MARGIN, 0)",
        "health",
        "test_a_share_that_comes_and_goes_just_above_a_floor_does_not_make_the_band_flap",
    ),
    Mutation(
        "a driver's SystemExit takes the loop with it",
        "containment.py",
        "except BaseException as error:\n        if _is_a_persons(error):\n            raise\n        return",
        "except Exception as error:\n        return",
        "test_by_open_is_a_failed_attempt",
    ),
    Mutation(
        "a call that goes on is waited for",
        "containment.py",
        "timeout=until - loop.time()",
        "timeout=60.0",
        "test_a_stop_ends_in_time_whatever_goes_on_although_it_was_cancelled",
    ),
    Mutation(
        "a call that goes on is left to itself",
        "containment.py",
        "        task.get_coro().close()\n",
        "",
        "test_a_stop_ends_in_time_whatever_goes_on_although_it_was_cancelled",
    ),
    Mutation(
        "a session whose calls went on is closed politely",
        "containment.py",
        "graceful=graceful and not unruly",
        "graceful=graceful",
        "test_a_session_of_which_a_call_was_ended_by_force_is_closed_at_once",
    ),
    Mutation(
        "any answer is a round trip",
        "containment.py",
        "        if latency is None:\n",
        "        if False:\n",
        "test_a_heartbeat_without_a_round_trip_is_a_failure",
    ),
    Mutation(
        "facts as they come",
        "containment.py",
        "facts, sound = sound_facts(self.inner.facts)",
        "facts, sound = dict(self.inner.facts), True",
        "test_facts_that_cannot_be_shown_are_left_out_and_told_once",
    ),
    Mutation(
        "a driver that was not created stays so",
        "containment.py",
        "driver = self._driver = self._driver or self._made()",
        "driver = self._driver",
        "test_by_create_blocks_the_connection_until_it_is_created",
    ),
    Mutation(
        "a stall is told at each look",
        "watchdog.py",
        "looks == PATIENCE:",
        "looks >= PATIENCE:",
        "test_a_stall_is_told_once_however_long_it_lasts_and_the_next_one_again",
    ),
    Mutation(
        "one late look is a stall",
        "watchdog.py",
        "looks == PATIENCE:",
        "looks == 1:",
        "test_a_process_that_slept_is_not_taken_for_a_loop_that_stands_still",
    ),
    Mutation(
        "the library is blamed for what blocks in it",
        "watchdog.py",
        'return file.startswith((_LIBRARY, "<frozen")) and "site-packages" not in file',
        "return False",
        "test_a_wait_within_the_library_is_laid_at_the_door_of_who_called_it",
    ),
    Mutation(
        "a rhythm is told with every session",
        "status.py",
        "if flap is not None and flap != known:",
        "if flap is not None:",
        "test_the_third_session_that_ends_at_the_same_age_is_told_of_once_with_its_cure",
    ),
    Mutation(
        "answered heartbeats are no traffic",
        "flap.py",
        "        self._answered = True\n        self.heard(now)\n",
        "        self._answered = True\n",
        "test_answered_heartbeats_make_it_a_matter_of_age_that_no_interval_cures",
    ),
    Mutation(
        "messages are no traffic",
        "current.py",
        "        self.flaps.heard(self._clock.monotonic())\n        self._deliver",
        "        self._deliver",
        "test_messages_of_the_peer_count_as_traffic",
    ),
    Mutation(
        "refreshes are no traffic",
        "current.py",
        "            self.flaps.heard(self._clock.monotonic())\n            self._writer",
        "            self._writer",
        "test_answered_refreshes_count_as_traffic",
    ),
    Mutation(
        "a rhythm of our own clock is taken for the server's",
        "flap.py",
        "    if any(ending.stage in _OURS for ending in latest):",
        "    if False:",
        "test_a_server_that_hangs_after_each_login_is_told_from_one_that_drops",
    ),
    Mutation(
        "what was outlived is kept",
        "flap.py",
        "        if self.flap is not None and self._began_at is not None and",
        "        if False and",
        "test_a_session_that_clearly_outlives_the_rhythm_ends_it_and_that_is_told",
    ),
    Mutation(
        "an end by request is a loss",
        "flap.py",
        "        if failure is None or failure.kind not in _PASSING:",
        "        failure = failure or Failure(kind=_PASSING[0], stage=Stage.SESSION, reason='')\n"
        "        if failure.kind not in _PASSING:",
        "test_an_operator_who_reconnects_at_regular_times_does_not_make_it_flap",
    ),
    Mutation(
        "the way back is a loss",
        "flap.py",
        "        if failure is None or failure.kind not in _PASSING:",
        "        failure = failure or Failure(kind=_PASSING[0], stage=Stage.SESSION, reason='')\n"
        "        if failure.kind not in _PASSING:",
        "test_the_way_back_to_the_first_endpoint_is_no_loss_and_neither_is_the_move_away",
    ),
    Mutation(
        "a refusal is a loss in a rhythm",
        "flap.py",
        "failure is None or failure.kind not in _PASSING",
        "failure is None",
        "test_a_refusal_that_ends_each_session_is_a_matter_of_the_credentials",
    ),
    Mutation(
        "any three losses are a rhythm",
        "flap.py",
        "    same_age = agree(ending.age for ending in latest)",
        "    same_age = True",
        "test_an_irregular_outage_is_no_flapping",
    ),
    Mutation(
        "many losses are no flapping",
        "flap.py",
        "        return _irregular(many)",
        "        return None",
        "test_a_server_that_accepts_and_drops_is_flapping_by_the_number_of_losses",
    ),
    Mutation(
        "flap_watch is not heeded",
        "flap.py",
        " or not self._policy.flap_watch",
        "",
        "test_it_can_be_switched_off",
    ),
    Mutation(
        "a pause keeps the rhythm",
        "life.py",
        "0, False\n        self.current.flaps = FlapWatch(self._policy)\n",
        "0, False\n",
        "test_pauses_at_regular_times_are_no_losses_and_a_pause_forgets_the_rhythm",
    ),
    Mutation(
        "silence after refusals is only silence",
        "opening.py",
        "        failure = self._budget.judged(endpoint, failure, self._policy)\n",
        "",
        "test_silence_after_refusals_is_told_as_a_probable_ban_on_every_connection_of_the_host",
    ),
    Mutation(
        "a host that took a login has banned us",
        "opening.py",
        "            self._budget.answered(endpoint.host)\n",
        "",
        "test_a_host_that_took_a_login_after_the_refusals_is_only_silent",
    ),
    Mutation(
        "any silence is a ban",
        "ban.py",
        "len(refusals) < REFUSALS",
        "not refusals and False",
        "test_silence_without_refusals_is_only_silence",
    ),
    Mutation(
        "a server that was stopped has banned us",
        "ban.py",
        " and len(ports) >= PORTS",
        "",
        "test_a_server_that_stopped_after_refusals_is_only_refusing",
    ),
    Mutation(
        "no failover",
        "life.py",
        "            elif ended is not None:\n                self._takeover.happens(ended)\n",
        "",
        "test_it_takes_over_in_a_turn_of_the_loop_without_a_connect_and_without_a_wait",
    ),
    Mutation(
        "a forced reconnection that fails leaves the spare alone",
        "life.py",
        "                self._takeover.happens(over.failure, withheld=over.withheld is not None)\n",
        "                pass\n",
        "test_a_forced_reconnection_that_fails_is_taken_over_by_the_spare",
    ),
    Mutation(
        "a failover takes a number",
        "life.py",
        "turn.attempt_number - 1 if self._takeover.pending else 1",
        "turn.attempt_number if self._takeover.pending else 1",
        "test_a_spare_that_dies_once_it_is_in_use_walks_the_schedule",
    ),
    Mutation(
        "a spare from the first moment",
        "life.py",
        "        self.writer.up(session, self._pool.address)\n",
        "        self.writer.up(session, self._pool.address)\n"
        "        if self.spare is not None:\n            self.spare.begin()\n",
        "test_it_is_opened_on_another_endpoint_once_the_connection_is_stable_and_not_before",
    ),
    Mutation(
        "a third session while the dead one closes",
        "life.py",
        "        if self.spare is not None and not self._takeover.pending:\n",
        "        if self.spare is not None:\n",
        "test_the_way_home_waits_for_the_old_session_to_close_before_a_new_spare",
    ),
    Mutation(
        "the spare outlives a pause",
        "supervisor.py",
        "            self._life.spare.leave()\n",
        "            pass\n",
        "test_the_session_and_its_spare_are_closed_side_by_side",
    ),
    Mutation(
        "a stop that is given up goes on being polite to the spare",
        "supervisor.py",
        "                self._life.spare.hurry()\n",
        "                pass\n",
        "test_a_pause_that_is_given_up_at_any_step_leaves_nothing_by_itself",
    ),
    Mutation(
        "a suspend does not doubt the spare",
        "life.py",
        "            self.spare.doubt()\n",
        "            pass\n",
        "test_after_a_suspend_the_spare_is_asked_too",
    ),
    Mutation(
        "home without the spare that fails there",
        "life.py",
        "        if self.spare is not None and not self.spare.ready:\n",
        "        if False:\n",
        "test_nobody_leaves_a_session_that_works_for_an_endpoint_where_the_spare_fails",
    ),
    Mutation(
        "the way home reconnects past the spare",
        "life.py",
        "if at_home and self._takeover.happens(None):",
        "if False:",
        "test_the_way_home_is_a_promotion_where_the_spare_is_there",
    ),
    Mutation(
        "a suspect takes over",
        "held.py",
        " and not self.vigil.failures and",
        " and",
        "test_a_suspect_takes_nothing_over",
    ),
    Mutation(
        "a spare on the endpoint in use",
        "pool.py",
        "[each for each in self._endpoints if each != self.current]",
        "self._endpoints",
        "test_it_is_opened_on_another_endpoint_once_the_connection_is_stable_and_not_before",
    ),
    Mutation(
        "forcing opens the endpoint of the spare",
        "pool.py",
        "[each for each in self._endpoints if each != self.reserved]",
        "self._endpoints",
        "test_forcing_never_opens_a_second_session_on_the_endpoint_of_the_spare",
    ),
    Mutation(
        "a spare where it has just failed",
        "spare.py",
        "            due = max(self._due, free_at)\n",
        "            due = self._due\n",
        "test_the_endpoint_that_failed_is_not_opened_before_it_is_no_longer_set_aside",
    ),
    Mutation(
        "a spare that fails is opened again as soon",
        "spare.py",
        "        self._tries += 1\n",
        "        self._tries = 1\n",
        "test_a_spare_that_cannot_be_opened_anywhere_waits_longer_each_time",
    ),
    Mutation(
        "a spare that costs the other its life is opened again as soon",
        "spare.py",
        "        if failure is not None and not held.vigil.stable:\n",
        "        if False:\n",
        "test_what_the_spare_costs_a_session_that_may_not_have_a_second_is_not_asked_again_at_once",
    ),
    Mutation(
        "a spare goes past the login budget",
        "spare.py",
        "self._opener.open(use.endpoint, listener)",
        "self._opener.open(use.endpoint, listener, override=True)",
        "test_a_withheld_login_leaves_it_closed_until_a_slot_is_free",
    ),
    Mutation(
        "refusals of the spare block the connection",
        "credentials.py",
        "        spare = Credentials(self._settings, self._budget)\n",
        "        return self\n",
        "test_a_refused_login_of_the_spare_blocks_the_spare_alone",
    ),
    Mutation(
        "a spare is deaf to a new secret",
        "spare.py",
        "            if self._rest is Phase.BLOCKED and self._credentials.changed:\n",
        "            if False:\n",
        "test_a_blocked_spare_is_tried_again_when_the_secret_has_changed",
    ),
    Mutation(
        "a promotion without a deadline",
        "vigil.py",
        "self._ask(promote, self._policy.suspect_timeout, Stage.TAKEOVER)",
        "self._ask(promote, 60.0, Stage.TAKEOVER)",
        "test_a_promotion_that_hangs_ends_the_session_in_time_and_reconnects",
    ),
    Mutation(
        "a promotion that nobody answered is taken for a sign of life",
        "vigil.py",
        "        elif not answer:\n            self._doubted = True\n",
        "",
        "test_a_promotion_that_nobody_answers_is_followed_by_a_heartbeat_at_once",
    ),
    Mutation(
        "the spare is not among those that are doubted",
        "group.py",
        "return Presence(self._groups.group(group_of(self._settings, endpoint)), self)",
        "return Presence(Group(self._groups.clock), self)",
        "test_a_death_on_its_host_makes_the_spare_send_a_heartbeat_at_once_and_its_own_the_others",
    ),
    Mutation(
        "a reload forgets that one was paused",
        "../registry.py",
        "        if paused:\n",
        "        if False:\n",
        "test_one_that_is_paused_stays_so_under_its_new_settings",
    ),
    Mutation(
        "a reload begins anew beside the old session",
        "../registry.py",
        "        await old.stop(for_good=True)\n",
        "        self._old = asyncio.create_task(old.stop(for_good=True))\n",
        "test_a_changed_connection_never_has_two_sessions",
    ),
    Mutation(
        "a wish keeps to the round",
        "life.py",
        "            self._attempt = 1\n            self._pool.begin_round()\n            self._pool.move",
        "            self._attempt = 1\n            self._pool.move",
        "test_a_wish_goes_round_every_endpoint_at_once",
    ),
    Mutation(
        "a skip goes past the login budget",
        "operator.py",
        '    withheld = _withheld(supervisor, clock, "the countdown goes on")\n',
        "    withheld = None\n",
        "test_a_wait_whose_login_is_withheld_is_not_skipped",
    ),
    Mutation(
        "a sibling puts off an attempt that an operator asked for",
        "reach.py",
        "if status.deadline is not None and at >= status.deadline:",
        "if False:",
        "test_a_sibling_that_comes_back_right_after_a_skip_does_not_put_the_attempt_off",
    ),
    Mutation(
        "an acknowledgement hides what gets worse",
        "acknowledgement.py",
        " or severity > self._given_for",
        "",
        "test_a_worse_phase_is_a_trouble_that_nobody_has_acknowledged",
    ),
    Mutation(
        "the trouble of a slow probe is a smaller one",
        "acknowledgement.py",
        "max(self._severity, _SEVERITY[Phase.WAITING])",
        "_SEVERITY[Phase.WAITING]",
        "test_one_acknowledged_during_a_slow_probe_is_as_bad_as_before_it",
    ),
    Mutation(
        "a flap ends an acknowledgement",
        "acknowledgement.py",
        "return severity == self._given_for or not status.stable",
        "return severity == self._given_for",
        "test_one_that_flaps_stays_acknowledged",
    ),
    Mutation(
        "a mute goes by a clock that stands still in a suspend",
        "mutes.py",
        "        for mute in self._mutes.values():\n            self._plan(mute)\n",
        "        return\n",
        "test_a_mute_keeps_to_its_promised_time_through_a_suspend_and_a_clock_that_is_set",
    ),
    Mutation(
        "a mute for ever",
        "mutes.py",
        "if not 0 < seconds <= LONGEST:",
        "if seconds < 0:",
        "test_a_mute_is_not_for_ever",
    ),
)


def main(names: list[str]) -> int:
    chosen = [mutation for mutation in MUTATIONS if not names or mutation.name in names]
    return 1 if [mutation for mutation in chosen if not noticed(mutation)] else 0


def noticed(mutation: Mutation) -> bool:
    with tempfile.TemporaryDirectory() as folder:
        copy = Path(folder)
        for part in ("manager", "tests/__init__.py", TESTS, "pyproject.toml"):
            source = ROOT / part
            target = copy / part
            target.parent.mkdir(parents=True, exist_ok=True)
            shutil.copytree(source, target) if source.is_dir() else shutil.copy(source, target)
        file = copy / "manager" / "engine" / mutation.file
        code = file.read_text()
        if code.count(mutation.old) != 1:
            print(f"does not fit   {mutation.name}: mend this script")
            return False
        file.write_text(code.replace(mutation.old, mutation.new))
        command = [
            sys.executable,
            "-m",
            "pytest",
            "-q",
            "-x",
            "-p",
            "no:cacheprovider",
            TESTS,
            "-k",
            mutation.test,
        ]
        code = subprocess.run(command, cwd=copy, capture_output=True, check=False, timeout=120).returncode
    print(f"{'noticed       ' if code == 1 else 'NOT NOTICED   '} {mutation.name}: {mutation.test}")
    return code == 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
