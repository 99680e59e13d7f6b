"""A registration: our Contact, what is asked for it and what is granted (RFC 3261 §10). No IO.

Times are wall-clock seconds since 1970 and are passed in: what is remembered outlives the process.
"""

from __future__ import annotations

import enum
import ipaddress
import secrets
from dataclasses import dataclass

import msgspec

from manager.drivers.base import Memory
from manager.drivers.sip.address import (
    AddressError,
    NameAddress,
    SipUri,
    parse_name_address,
    parse_uri,
    parse_via,
    same_address,
)
from manager.drivers.sip.memory import Remembered, recall, remember
from manager.drivers.sip.message import Headers, Request, Response
from manager.secret import Secret

USER_AGENT = "trunkline"
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
        self._before: Remembered | None = None
        """What was remembered before a Contact was proposed whose answer is still to come."""
        self.lists_bindings = True
        self.public: tuple[str, int] | None = None
        """Where the registrar sees us, once it has said so."""
        self._memory = memory
        self._key = key
        self._tag = secrets.token_hex(6)
        self._local = ("", 0)
        self._transport = ""
        self.contact = SipUri("")
        """The Contact to register: where we are seen, else where we are; the same as long as that is."""
        self.offered: SipUri | None = None
        """The Contact of the last REGISTER for a binding…"""
        self._offered_as = ""
        """…as it was written."""
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
        self.contact = self._reachable_at(local)

    def _reachable_at(self, address: tuple[str, int]) -> SipUri:
        host, port = address
        scheme, transport = self.identity.aor.scheme, self._transport
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
        cseq = max(self.remembered.cseq + 1, int(now) - _CSEQ_EPOCH)
        contact = str(self.contact)
        if purpose is Purpose.REGISTER:
            self.offered, self._offered_as = self.contact, contact
            # The port already now: the answer may be lost, and the Contact bound all the same.
            self._remember(cseq=cseq, port=self._local[1])
        else:
            self._remember(cseq=cseq)
        headers = self._headers(self.remembered.call_id, cseq, "REGISTER")
        # Without it a registrar may refuse what came through an edge proxy (RFC 3327 §5.3; Kamailio: 420).
        headers.add("Supported", "path")
        request = Request("REGISTER", self.uri, headers)
        if purpose is Purpose.FETCH:
            return request
        expires = 0 if purpose is Purpose.REMOVE else self.expires
        headers.add("Contact", f"<{contact}>;expires={expires}")
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
            address = (via.parameter("received") or via.host).strip("[]")
            if address != self._local[0]:
                address = str(ipaddress.ip_address(address))
        except (AddressError, ValueError):
            return
        port = via.parameter("rport") or ""
        if port.isascii() and port.isdecimal() and 0 < int(port) < 65536:
            seen = address, int(port)
            if seen != self.public:
                self.public, self.contact = seen, self._reachable_at(seen)

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
                exact, ours = self._recognised(listed.uri)
            except AddressError:
                continue
            if ours:
                found.append((exact, _expires(listed, fallback)))
        return Granted(max(found)[1], listed=True) if found else None

    def _recognised(self, listed: str) -> tuple[bool, bool]:
        """Return whether a URI that is listed is the Contact we have sent, and whether it is ours at all."""
        if listed == self._offered_as:
            return True, True
        uri = parse_uri(listed)
        exact = self.offered is not None and same_address(uri, self.offered)
        # A registrar may list the address it saw in place of the one we sent.
        return exact, exact or bool(self.remembered.line and uri.parameter("line") == self.remembered.line)

    def bound(self, expires: int, now: float) -> None:
        """Remember that the Contact of the last REGISTER is bound for this long."""
        self._before = None
        self._remember(contact=self._offered_as, until=now + expires)

    def proposed(self, now: float) -> None:
        """Remember that the Contact of this REGISTER may be bound from now on: its answer may be lost.

        Not while an earlier Contact may live that this one is to replace: only one can be remembered.
        """
        if self.outdated(now) is None:
            before = self.remembered
            self.bound(self.expires, now)
            self._before = before

    def declined(self) -> None:
        """Remember what was before it was proposed: the registrar has refused it."""
        before, self._before = self._before, None
        if before is not None:
            self._remember(contact=before.contact, until=before.until)

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


def _expires(listed: NameAddress, fallback: int) -> int:
    value = (listed.parameter("expires") or "").strip('"')
    return int(value) if value.isascii() and value.isdecimal() and len(value) <= 10 else fallback
