"""A REGISTER and its answers: what each means, and which comes next (RFC 3261 §10, §22). No IO."""

from __future__ import annotations

import contextlib
from collections.abc import Callable

import msgspec

from manager.drivers.base import DriverError
from manager.drivers.failures import NOT_LISTED, PLACE_TAKEN
from manager.drivers.sip import digest
from manager.drivers.sip.message import Request, Response
from manager.drivers.sip.refusal import failure_of_response
from manager.drivers.sip.registration import Granted, Purpose, Registration
from manager.model import Failure, FailureClass, Stage

_MAX_INTERVAL_RETRIES = 2
_MAX_STALE_RETRIES = 2
_MAX_CHALLENGES = 3
_MAX_EXPIRES = 7 * 86_400
"""Seconds; a registrar that wants longer lifetimes than the settings ask for gets no more than this."""
_NO_LOOK = frozenset({400, 405, 501})
"""Answers of a registrar that knows no REGISTER without a Contact."""


class Exchange:
    """One REGISTER until it is granted or refused: challenges answered, intervals lengthened, no guesses."""

    def __init__(
        self, registration: Registration, purpose: Purpose, stage: Stage, now: Callable[[], float]
    ) -> None:
        self._registration = registration
        self._purpose = purpose
        self._stage = stage
        self._now = now
        self._answered: dict[tuple[str, str], digest.Challenge] = {}
        self._stale = self._intervals = 0
        self.granted: Granted | None = None

    @property
    def with_credentials(self) -> bool:
        """Whether the request that `first` or `next` returned carries credentials."""
        return bool(self._answered)

    def first(self) -> Request:
        """Return the request that begins."""
        return self._registration.register(self._purpose, self._now())

    def next(self, response: Response) -> Request | None:
        """Take the final response; return the request that follows, None where all is done.

        Raises:
            DriverError: refused; the failure says what that means.
        """
        self._registration.learn(response)
        if response.status >= 300 and self._purpose is Purpose.REGISTER:
            self._registration.declined()
        if response.status in (401, 407):
            return self._authenticated(response)
        if response.status == 423 and self._purpose is Purpose.REGISTER:
            return self._lengthened(response)
        if 200 <= response.status < 300:
            self._accept(response)
            return None
        if self._purpose is Purpose.FETCH and response.status in _NO_LOOK:
            return None
        raise DriverError(self._refusal(response))

    def _accept(self, response: Response) -> None:
        registration = self._registration
        if self._purpose is Purpose.REMOVE:
            registration.unbound()
            return
        granted = registration.granted(response, registration.expires)
        if self._purpose is Purpose.FETCH and granted is not None and not granted.listed:
            # No binding at all, which is only news from a registrar that lists them.
            granted = None if registration.lists_bindings else granted
        if granted is None or granted.expires <= 0:
            raise DriverError(self._failure(NOT_LISTED, "another device may have replaced it"))
        if self._purpose is Purpose.REGISTER:
            registration.lists_bindings = granted.listed
            registration.bound(granted.expires, self._now())
        self.granted = granted

    def _authenticated(self, response: Response) -> Request:
        name = "WWW-Authenticate" if response.status == 401 else "Proxy-Authenticate"
        header = "Authorization" if response.status == 401 else "Proxy-Authorization"
        challenges: list[digest.Challenge] = []
        for line in response.headers.lines(name):
            with contextlib.suppress(digest.DigestError):  # one that cannot be read hides no other
                challenges += digest.parse_challenges([line])
        challenges = digest.ranked(challenges)
        if not challenges:
            raise DriverError(
                self._failure(
                    "the registrar asks for a login of a kind we do not know",
                    "it has to offer Digest",
                    FailureClass.PERMANENT,
                )
            )
        best: dict[str, digest.Challenge] = {}
        for challenge in challenges:
            best.setdefault(challenge.realm, challenge)
        fresh = {(header, realm): challenge for realm, challenge in best.items()}
        repeated = [challenge for key, challenge in fresh.items() if key in self._answered]
        if repeated and not all(challenge.stale for challenge in repeated):
            raise DriverError(
                self._failure(
                    "wrong user name or password",
                    "check username and password; a registrar does not tell the two apart",
                    FailureClass.CREDENTIALS,
                )
            )
        self._stale += bool(repeated)
        self._answered |= fresh
        if self._stale > _MAX_STALE_RETRIES or len(self._answered) > _MAX_CHALLENGES:
            raise DriverError(self._failure("the registrar keeps asking for the login", ""))
        return self._again()

    def _lengthened(self, response: Response) -> Request:
        shortest = response.headers.number("Min-Expires") or 0
        self._intervals += 1
        useless = not self._registration.expires < shortest <= _MAX_EXPIRES
        if useless or self._intervals > _MAX_INTERVAL_RETRIES:
            raise DriverError(
                self._failure(
                    "the registrar wants a longer registration", "raise `expires`", FailureClass.PERMANENT
                )
            )
        self._registration.expires = shortest
        return self._again()

    def _again(self) -> Request:
        registration = self._registration
        request = registration.register(self._purpose, self._now())
        for (header, _), challenge in self._answered.items():
            try:
                value = digest.answer(
                    challenge,
                    username=registration.identity.username,
                    password=registration.identity.password,
                    method=request.method,
                    uri=request.uri,
                    nonce_count=registration.count(challenge.nonce),
                )
            except digest.DigestError as error:
                raise DriverError(
                    self._failure(f"cannot answer the challenge: {error}", "", FailureClass.PERMANENT)
                ) from None
            request.headers.add(header, value)
        if self._purpose is Purpose.REGISTER and self._answered:
            registration.proposed(self._now())
        return request

    def _refusal(self, response: Response) -> Failure:
        registration, now = self._registration, self._now()
        failure = failure_of_response(response, self._reached())
        if self._purpose is not Purpose.REGISTER or registration.outdated(now) is None:
            return failure
        if response.status == 403:
            # A registrar that allows one Contact refuses ours while the earlier one lives.
            return Failure(
                kind=FailureClass.OVERLOAD,
                stage=failure.stage,
                reason=f"{PLACE_TAKEN} (403 Forbidden)",
                hint="it is tried again once that has run out",
                retry_after=max(1.0, registration.remembered.until - now),
            )
        if failure.kind is FailureClass.PERMANENT:
            # It may be the earlier Contact that it cannot take; the next REGISTER goes without.
            registration.unbound()
            return msgspec.structs.replace(failure, kind=FailureClass.TRANSIENT)
        return failure

    def _failure(self, reason: str, hint: str, kind: FailureClass = FailureClass.TRANSIENT) -> Failure:
        return Failure(kind=kind, stage=self._reached(), reason=reason, hint=hint)

    def _reached(self) -> Stage:
        """Until credentials are sent, opening has not come to the login."""
        return Stage.HANDSHAKE if self._stage is Stage.LOGIN and not self._answered else self._stage
