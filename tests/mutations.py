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
        "        await asyncio.sleep(self._policy.stable_after)\n        await self._well.wait()\n",
        "",
        "test_a_server_that_accepts_and_drops_still_reaches_the_last_attempt",
    ),
    Mutation(
        "stable without a heartbeat",
        "vigil.py",
        "        await self._well.wait()\n",
        "",
        "test_a_server_that_hangs_after_the_login_still_reaches_the_last_attempt",
    ),
    Mutation(
        "no login budget",
        "supervisor.py",
        "        if not self.settings.secrets():\n            return False\n",
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
        "supervisor.py",
        "            self._woken.set()\n",
        "            pass\n",
        "test_forcing_a_waiting_connection_opens_it_now_and_says_how_long_it_took",
    ),
    Mutation(
        "an early wake-up is kept for the next wait",
        "supervisor.py",
        "        self._woken.clear()\n",
        "",
        "test_a_wake_that_came_while_connecting_is_not_spent_on_the_next_wait",
    ),
    Mutation(
        "no generation check",
        "listener.py",
        "return self._hearer.generation == self._generation",
        "return True",
        "test_late_calls_of_a_session_that_was_replaced_are_dropped",
    ),
    Mutation(
        "forcing keeps the count",
        "supervisor.py",
        "            self._turn.attempt_number = 2\n",
        "",
        "test_forcing_puts_the_count_back_to_one",
    ),
    Mutation(
        "heartbeats hide a check that never works",
        "vigil.py",
        "            self._failures[HEARTBEAT] = 0\n",
        "            self._failures = dict.fromkeys(self._failures, 0)\n",
        "test_a_check_that_never_works_is_not_hidden_by_heartbeats_that_do",
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
        "supervisor.py",
        "            graceful = over.failure is None\n",
        "",
        "test_a_hung_peer_is_suspect_after_35_seconds_and_given_up_after_41",
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
