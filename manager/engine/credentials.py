"""What is known of one connection's credentials: where they were accepted, and how they were refused."""

from __future__ import annotations

import math

from manager.engine.budget import LoginBudget, LoginWithheldError, Slot
from manager.engine.vigil import LifeOver
from manager.model import Failure, FailureClass, Stage
from manager.settings import ConnectionSettings


class Credentials:
    """Decides what a login of one connection costs, and remembers what became of it."""

    __slots__ = ("_accepted", "_budget", "_policy", "_refusal", "_refused", "_settings", "_tried", "refusals")

    def __init__(self, settings: ConnectionSettings, budget: LoginBudget) -> None:
        self._settings = settings
        self._policy = settings.policy
        self._budget = budget
        self._accepted: dict[str, object] = {}
        """By host, the version that was accepted last and not refused since."""
        self._tried: object = None
        """The version of the last attempt."""
        self._refused: object = None
        """The version that was refused last."""
        self._refusal: Failure | None = None
        """The last refusal, until a login is accepted."""
        self.refusals = 0
        """How often in a row one version was refused."""

    def of_a_spare(self) -> Credentials:
        """Return those of a second session: both know where they were accepted, each how it was refused."""
        spare = Credentials(self._settings, self._budget)
        spare._accepted = self._accepted
        return spare

    def must_reserve(self, host: str) -> bool:
        """Whether a login on this host needs a slot of its budget."""
        if not self._settings.secrets():
            return False
        accepted = self._accepted.get(host) == self._version()
        return self._budget.needs_slot(host, self._policy, accepted_before=accepted)

    def withheld_for(self, host: str) -> float:
        """Return the seconds for which the budget holds a login on this host back; 0 where it does not."""
        return self._budget.seconds_to_slot(host, self._policy) if self.must_reserve(host) else 0.0

    def try_now(self) -> None:
        """Note which version an attempt uses."""
        self._tried = self._version()

    @property
    def changed(self) -> bool:
        """Whether a secret has changed since the last attempt."""
        return self._version() != self._tried

    def accepted(self, host: str) -> None:
        """Note that the host took them."""
        self._accepted[host] = self._tried
        self._refusal, self.refusals = None, 0

    def refused(self, failure: Failure, host: str, slot: Slot | None) -> None:
        """Note that the host refused them; that keeps the slot of the login, or draws on the budget."""
        self._refusal = failure
        self._accepted.pop(host, None)
        self.refusals = self.refusals + 1 if self._tried == self._refused else 1
        self._refused = self._tried
        if slot is None:
            self._budget.note_refusal(host, self._policy)
        else:
            slot.refused()

    def withheld(self, error: LoginWithheldError) -> LifeOver:
        """Describe a login that was not tried.

        Who was refused itself waits as long as any blocked connection, and leaves the next free slot to those
        whose credentials may be good.
        """
        if self._refusal is not None:
            patience = self._policy.blocked_retry or math.inf
            return LifeOver(self._refusal, withheld=max(error.seconds, patience))
        failure = Failure(
            kind=FailureClass.CREDENTIALS,
            stage=Stage.LOGIN,
            reason=f"{error.host} refused {self._policy.login_budget} logins lately",
            hint="mend the credentials that it refuses; more tries could get us banned",
        )
        return LifeOver(failure, withheld=error.seconds)

    def _version(self) -> object:
        return tuple(source.version() for source in self._settings.secrets())
