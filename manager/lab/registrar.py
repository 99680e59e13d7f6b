"""A SIP registrar without IO: requests in, responses out. Wording and order of headers are Asterisk's."""

from __future__ import annotations

import hashlib
import hmac
import math
import secrets
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from email.utils import formatdate

from msgspec.structs import replace

from manager.drivers.sip.address import (
    AddressError,
    NameAddress,
    SipUri,
    parse_name_address,
    parse_uri,
    parse_via,
    same_address,
    set_parameter,
)
from manager.drivers.sip.digest import Credentials, DigestError, parse_credentials, verify
from manager.drivers.sip.message import REASONS, Headers, Request, Response
from manager.secret import Secret

SERVER = "Asterisk lab"
_ALLOW = "OPTIONS, REGISTER, SUBSCRIBE, NOTIFY, PUBLISH, INVITE, ACK, BYE, CANCEL, UPDATE, PRACK"
_DEFAULT_EXPIRES = 3600
_MAX_BINDINGS = 100
_EXTENSION = "600"
"""A number that can be called, besides the accounts."""

Address = tuple[str, int]


@dataclass(frozen=True, slots=True)
class Binding:
    """A contact under which an account is reached for now."""

    contact: str
    """The URI as it was registered."""
    source: Address
    """Where the REGISTER came from, and requests go to."""
    expires_at: float
    """On the registrar's clock."""


@dataclass(frozen=True, slots=True)
class Verdict:
    """What came of a REGISTER, for those who count."""

    response: Response
    accepted: bool = False
    """Credentials were right and a binding was made or refreshed."""
    refused: bool = False
    """Credentials were given and wrong."""


class Registrar:
    """Accounts, nonces and bindings.

    `algorithms` are offered in a challenge each, in this order. An expiry outside of `expires_range` is
    clamped to it without a word, or answered 423 where `refuse_brief` is set and it is too short.
    `max_contacts` other than 0 answers 403 to one contact more.
    """

    def __init__(
        self,
        accounts: Mapping[str, Secret],
        *,
        realm: str = "lab",
        algorithms: Sequence[str] = ("MD5",),
        qop: str = "auth",
        nonce_life: float = 32.0,
        expires_range: tuple[int, int] = (10, 300),
        refuse_brief: bool = False,
        max_contacts: int = 0,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self.accounts = dict(accounts)
        self.realm = realm
        self.algorithms = tuple(algorithms)
        self.qop = qop
        self.nonce_life = nonce_life
        self.expires_range = expires_range
        self.refuse_brief = refuse_brief
        self.max_contacts = max_contacts
        self._clock = clock
        self._key = secrets.token_bytes(16)
        self._bindings: dict[str, list[Binding]] = {}

    def bindings(self, account: str) -> tuple[Binding, ...]:
        """Return the bindings of an account that have not run out."""
        now = self._clock()
        alive = [binding for binding in self._bindings.get(account, []) if binding.expires_at > now]
        self._bindings[account] = alive
        return tuple(alive)

    def forget_bindings(self) -> None:
        """Lose every binding, as a registrar does that keeps them in memory only."""
        self._bindings.clear()

    def expire_nonces(self) -> None:
        """Make every nonce stale that has been handed out so far."""
        self._key = secrets.token_bytes(16)

    def answer(self, request: Request, source: Address, *, refuse_all: bool = False) -> Verdict:
        """Answer any request but ACK and CANCEL; with `refuse_all`, even right credentials are wrong."""
        if request.method == "REGISTER":
            return self._register(request, source, refuse_all=refuse_all)
        if request.method == "OPTIONS":
            return Verdict(self._options(request, source))
        return Verdict(reply(request, source, 405, [("Allow", _ALLOW), ("Server", SERVER)]))

    def _options(self, request: Request, source: Address) -> Response:
        if _user_of(request.headers.get("From")) not in self.accounts:
            return self._challenge(request, source)
        asked = _user_of(request.uri)
        known = asked in (None, _EXTENSION) or asked in self.accounts
        extra = [("Accept", "application/sdp"), ("Allow", _ALLOW), ("Supported", "100rel, timer")]
        extra += [("Accept-Encoding", "identity"), ("Accept-Language", "en"), ("Server", SERVER)]
        return reply(request, source, 200 if known else 404, extra)

    # --- authentication ---

    def _register(self, request: Request, source: Address, *, refuse_all: bool) -> Verdict:
        account = _user_of(request.headers.get("To"))
        given = request.headers.get("Authorization")
        if account is None:
            return Verdict(reply(request, source, 400, [("Server", SERVER)]))
        if given is None:
            return Verdict(self._challenge(request, source))
        try:
            credentials = parse_credentials(given)
            known = not refuse_all and self._knows(credentials, request, account)
        except DigestError:
            return Verdict(reply(request, source, 400, [("Server", SERVER)]))
        if not known:
            return Verdict(self._challenge(request, source), refused=True)
        if not self._is_fresh(credentials.parameters.get("nonce", "")):
            return Verdict(self._challenge(request, source, stale=True))
        return self._bind(request, source, account)

    def _knows(self, credentials: Credentials, request: Request, account: str) -> bool:
        password = self.accounts.get(account)
        if password is None or credentials.username != account:
            return False
        asked = {algorithm.lower() for algorithm in self.algorithms}
        if credentials.parameters.get("algorithm", "MD5").lower() not in asked:
            return False
        if (
            credentials.parameters.get("realm") != self.realm
            or credentials.parameters.get("uri") != request.uri
        ):
            return False
        return verify(credentials, password=password, method=request.method, body=request.body)

    def _challenge(self, request: Request, source: Address, *, stale: bool = False) -> Response:
        extra = []
        for algorithm in self.algorithms:
            parts = [f'realm="{self.realm}"', f'nonce="{self._nonce(int(self._clock()))}"']
            parts += [f'opaque="{secrets.token_hex(8)}"', *(["stale=true"] if stale else [])]
            parts += [f"algorithm={algorithm}", *([f'qop="{self.qop}"'] if self.qop else [])]
            extra.append(("WWW-Authenticate", "Digest " + ",".join(parts)))
        return reply(request, source, 401, [*extra, ("Server", SERVER)])

    def _nonce(self, second: int) -> str:
        return f"{second}/{hmac.new(self._key, str(second).encode(), hashlib.md5).hexdigest()}"

    def _is_fresh(self, nonce: str) -> bool:
        second = nonce.partition("/")[0]
        if not (second.isascii() and second.isdecimal() and len(second) < 12):
            return False
        ours = hmac.compare_digest(nonce.encode(errors="replace"), self._nonce(int(second)).encode())
        return ours and self._clock() - int(second) < self.nonce_life

    # --- bindings ---

    def _bind(self, request: Request, source: Address, account: str) -> Verdict:
        contacts = request.headers.values("Contact")
        before = self.bindings(account)
        try:
            after = self._bound(contacts, request.headers.number("Expires"), before, source)
        except _RefusedError as refusal:
            return Verdict(reply(request, source, refusal.status, [*refusal.extra, ("Server", SERVER)]))
        self._bindings[account] = after
        now = self._clock()
        extra = [("Date", formatdate(usegmt=True))]
        for binding in after:
            left = max(0, math.ceil(binding.expires_at - now) - 1)
            extra.append(("Contact", f"<{_listed(binding.contact)}>;expires={left}"))
        asked = request.headers.number("Expires")
        if asked is not None:
            extra.append(("Expires", str(self._clamped(asked))))
        accepted = any(binding not in before for binding in after)
        return Verdict(reply(request, source, 200, [*extra, ("Server", SERVER)]), accepted=accepted)

    def _bound(
        self, contacts: Sequence[str], default: int | None, before: Sequence[Binding], source: Address
    ) -> list[Binding]:
        if list(contacts) == ["*"]:
            if default != 0:
                raise _RefusedError(400)
            return []
        after = list(before)
        for text in contacts:
            address, uri = _contact(text)
            asked = _expires(address, default)
            place = next(
                (at for at, old in enumerate(after) if same_address(parse_uri(old.contact), uri)), None
            )
            if place is not None:
                del after[place]
            if asked > 0:
                if self.refuse_brief and asked < self.expires_range[0]:
                    raise _RefusedError(423, (("Min-Expires", str(self.expires_range[0])),))
                if len(after) >= (self.max_contacts or _MAX_BINDINGS):
                    raise _RefusedError(403)
                after.append(Binding(address.uri, source, self._clock() + self._clamped(asked)))
        return after

    def _clamped(self, expires: int) -> int:
        shortest, longest = self.expires_range
        return min(max(expires, shortest), longest) if expires > 0 else 0


class _RefusedError(Exception):
    def __init__(self, status: int, extra: Sequence[tuple[str, str]] = ()) -> None:
        super().__init__(status)
        self.status = status
        self.extra = extra


def reply(request: Request, source: Address, status: int, extra: Sequence[tuple[str, str]] = ()) -> Response:
    """Write a response in Asterisk's order, with `received` and `rport` in the topmost Via (RFC 3581 §4)."""
    vias = request.headers.values("Via")
    headers = Headers([("Via", _stamped(vias[0], source))] if vias else [])
    for value in vias[1:]:
        headers.add("Via", value)
    tag = branch_of(request) or "lab"
    for name in ("Call-ID", "From", "To", "CSeq"):
        value = request.headers.get(name) or ""
        headers.add(name, f"{value};tag={tag}" if name == "To" and ";tag=" not in value else value)
    for name, value in extra:
        headers.add(name, value)
    return Response(status, REASONS[status], headers)


def branch_of(message: Request | Response) -> str:
    """Return the branch of the topmost Via; empty where there is none."""
    vias = message.headers.values("Via")
    try:
        return (parse_via(vias[0]).parameter("branch") or "") if vias else ""
    except AddressError:
        return ""


def _stamped(text: str, source: Address) -> str:
    try:
        via = parse_via(text)
    except AddressError:
        return text
    ours = [("received", source[0])]
    if via.parameter("rport") is not None:
        ours.insert(0, ("rport", str(source[1])))
    rest = [parameter for parameter in via.parameters if parameter[0].lower() not in ("rport", "received")]
    return str(replace(via, parameters=(*ours, *rest)))


def _user_of(address: str | None) -> str | None:
    try:
        return parse_uri(parse_name_address(address or "").uri).user
    except AddressError:
        return None


def _contact(text: str) -> tuple[NameAddress, SipUri]:
    try:
        address = parse_name_address(text)
        return address, parse_uri(address.uri)
    except AddressError:
        raise _RefusedError(400) from None


def _listed(contact: str) -> str:
    """Write a contact as Asterisk lists it: the transport in capitals, a port of 0 left out."""
    uri = parse_uri(contact)
    transport = uri.parameter("transport")
    if transport is None:
        return str(uri)
    return str(replace(uri, parameters=set_parameter(uri.parameters, "transport", transport.upper())))


def _expires(contact: NameAddress, default: int | None) -> int:
    given = contact.parameter("expires")
    if given is None:
        return _DEFAULT_EXPIRES if default is None else default
    if not (given.isascii() and given.isdecimal() and len(given) < 11):
        raise _RefusedError(400)
    return int(given)
