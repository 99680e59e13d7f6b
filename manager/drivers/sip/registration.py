"""Registrations: which REGISTER comes next, and what an answer to one means (RFC 3261 §10). No IO.

Times are wall-clock seconds since 1970 and are passed in: what is remembered outlives the process.
"""

from __future__ import annotations

import contextlib
import enum
import ipaddress
import secrets
from collections.abc import Callable
from dataclasses import dataclass

import msgspec

from manager.drivers.base import DriverError, Memory
from manager.drivers.sip import digest
from manager.drivers.sip.address import (
    AddressError,
    NameAddress,
    SipUri,
    parse_name_address,
    parse_uri,
    parse_via,
    same_address,
)
from manager.drivers.sip.memory import recall, remember
from manager.drivers.sip.message import Headers, Request, Response
from manager.drivers.sip.refusal import failure_of_response
from manager.model import Failure, FailureClass, Stage
from manager.secret import Secret

USER_AGENT = "trunkline"
_MAX_INTERVAL_RETRIES = 2
_MAX_STALE_RETRIES = 2
_MAX_CHALLENGES = 3
_MAX_EXPIRES = 7 * 86_400
"""Seconds; a registrar that wants longer lifetimes than the settings ask for gets no more than this."""
_NO_LOOK = frozenset({400, 405, 501})
"""Answers of a registrar that knows no REGISTER without a Contact."""
_MAX_NONCES = 16
_CSEQ_EPOCH = 1_700_000_000


@dataclass(frozen=True, slots=True)
class Identity:
    """Who registers, and for how long."""

    aor: SipUri
    username: str
    password: Secret
    expires: int


@dataclass(frozen=True, slots=True)
class Granted:
    """A binding of ours as the registrar lists it."""

    expires: int
    listed: bool
    """False where the registrar lists no bindings at all and the lifetime is that of its Expires header."""


class Purpose(enum.Enum):
    """What a REGISTER is for."""

    REGISTER = "register"
    FETCH = "fetch"
    REMOVE = "remove"


class Registration:
    """One address of record at one registrar, over one flow."""

    def __init__(self, identity: Identity, memory: Memory, key: str) -> None:
        self.identity = identity
        self.expires = identity.expires
        self.remembered = recall(memory, key)
        self.lists_bindings = True
        self.public: tuple[str, int] | None = None
        """Where the registrar sees us, once it has said so."""
        self._memory = memory
        self._key = key
        self._tag = secrets.token_hex(6)
        self._local = ("", 0)
        self._transport = ""
        self.offered: SipUri | None = None
        """The Contact of the last REGISTER for a binding."""
        self._uses: dict[str, int] = {}
        """How often a nonce was used; the registrar may give out the same one again."""
        aor = identity.aor
        self.uri = str(SipUri(aor.host, aor.scheme, port=aor.port))
        """The Request-URI: the domain of the address of record (§10.2)."""
        self._own = str(SipUri(aor.host, aor.scheme, aor.userinfo, aor.port))

    def attach(self, transport: str, local: tuple[str, int]) -> None:
        """Register over a wire of this transport (`UDP`…) and local address."""
        self._transport = transport.lower()
        self._local = local
        self.public = None

    @property
    def contact(self) -> SipUri:
        """The Contact to register: where we are seen, else where we are; the same as long as that is."""
        scheme, transport = self.identity.aor.scheme, self._transport
        host, port = self.public or self._local
        if transport in ("ws", "wss"):
            host, port, transport = self.websocket_host, 0, "ws"  # of both (RFC 7118 §5.3)
        if transport == "tls" and scheme == "sips":
            transport = "tcp"  # below TLS, which the scheme says (RFC 5630 §3.1.4)
        parameters = [("transport", transport)] if transport != "udp" else []
        return SipUri(
            host.partition("%")[0],
            scheme,  # sips: where the Request-URI is (RFC 3261 §8.1.1.8)
            userinfo=self.identity.aor.userinfo,
            port=port or None,
            parameters=(*parameters, ("line", self.remembered.line)),
        )

    @property
    def websocket_host(self) -> str:
        """The name that stands for a WebSocket client (RFC 7118 §5)."""
        return f"{self.remembered.line}.invalid"

    def options(self) -> Request:
        """Return an OPTIONS to the registrar, within no dialog (§11)."""
        request = Request("OPTIONS", self.uri, self._headers(secrets.token_hex(12), 1, "OPTIONS"))
        request.headers.add("Contact", f"<{self.contact}>")
        request.headers.add("Accept", "application/sdp")
        return request

    def register(self, purpose: Purpose, now: float) -> Request:
        """Return the next REGISTER without credentials."""
        self._remember(cseq=max(self.remembered.cseq + 1, int(now) - _CSEQ_EPOCH))
        headers = self._headers(self.remembered.call_id, self.remembered.cseq, "REGISTER")
        # Without it a registrar may refuse what came through an edge proxy (RFC 3327 §5.3; Kamailio: 420).
        headers.add("Supported", "path")
        request = Request("REGISTER", self.uri, headers)
        if purpose is Purpose.FETCH:
            return request
        expires = 0 if purpose is Purpose.REMOVE else self.expires
        headers.add("Contact", f"<{self.contact}>;expires={expires}")
        if purpose is Purpose.REGISTER:
            self.offered = self.contact
            # Already now: the answer may be lost, and the Contact bound all the same.
            self._remember(port=self._local[1])
        outdated = self.outdated(now)
        if outdated is not None:
            headers.add("Contact", f"<{outdated}>;expires=0")
        headers.add("Expires", str(expires))
        return request

    def outdated(self, now: float) -> SipUri | None:
        """Return an earlier Contact of ours whose binding may still live and is not the one of now."""
        if self.remembered.until <= now:
            return None
        try:
            earlier = parse_uri(self.remembered.contact)
        except AddressError:
            return None
        return None if same_address(earlier, self.contact) else earlier

    @property
    def moved(self) -> bool:
        """Whether the registrar sees us elsewhere by now than our Contact says (a NAT's doing)."""
        return self.offered is not None and not same_address(self.offered, self.contact)

    def learn(self, response: Response) -> None:
        """Take where the registrar sees us from `received` and `rport` (RFC 3581)."""
        try:
            via = parse_via((response.headers.values("Via") or [""])[0])
            address = str(ipaddress.ip_address((via.parameter("received") or via.host).strip("[]")))
        except (AddressError, ValueError):
            return
        port = via.parameter("rport") or ""
        if port.isascii() and port.isdecimal() and 0 < int(port) < 65536:
            self.public = (address, int(port))

    def granted(self, response: Response, asked: int) -> Granted | None:
        """Find our binding in a 200, among others'; None where it is not there (§10.2.4)."""
        default = response.headers.number("Expires")
        fallback = asked if default is None else default
        values = response.headers.values("Contact")
        if not values:
            return Granted(fallback, listed=False)
        found: list[tuple[bool, int]] = []
        for value in values:
            try:
                listed = parse_name_address(value)
                uri = parse_uri(listed.uri)
            except AddressError:
                continue
            exact = self.offered is not None and same_address(uri, self.offered)
            # A registrar may list the address it saw in place of the one we sent.
            if exact or (self.remembered.line and uri.parameter("line") == self.remembered.line):
                found.append((exact, _expires(listed, fallback)))
        return Granted(max(found)[1], listed=True) if found else None

    def bound(self, expires: int, now: float) -> None:
        """Remember that the Contact of the last REGISTER is bound for this long."""
        self._remember(contact=str(self.offered), until=now + expires)

    def unbound(self) -> None:
        """Remember that no binding of ours is left."""
        self._remember(until=0.0)

    def count(self, nonce: str) -> int:
        """Return the number of a use of this nonce, from 1 (`nc`, RFC 7616 §3.4)."""
        uses = self._uses.pop(nonce, 0) + 1
        self._uses[nonce] = uses
        if len(self._uses) > _MAX_NONCES:
            del self._uses[next(iter(self._uses))]
        return uses

    def _remember(self, **changes: object) -> None:
        self.remembered = msgspec.structs.replace(self.remembered, **changes)
        remember(self._memory, self._key, self.remembered)

    def _headers(self, call_id: str, cseq: int, method: str) -> Headers:
        return Headers(
            [
                ("Max-Forwards", "70"),
                ("From", f"<{self._own}>;tag={self._tag}"),
                ("To", f"<{self._own}>"),
                ("Call-ID", call_id),
                ("CSeq", f"{cseq} {method}"),
                ("User-Agent", USER_AGENT),
            ]
        )


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
            raise DriverError(
                self._failure(
                    "the registrar does not list our Contact", "another device may have replaced it"
                )
            )
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
                    "check username and password of this connection",
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
                reason="an earlier registration of ours still holds the place (403 Forbidden)",
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


def _expires(listed: NameAddress, fallback: int) -> int:
    value = (listed.parameter("expires") or "").strip('"')
    return int(value) if value.isascii() and value.isdecimal() and len(value) <= 10 else fallback
