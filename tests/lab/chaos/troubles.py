"""What can go wrong, where it can, and what must come of it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from manager.lab.faults import Fault
from manager.lab.websocket import WebSocketServer
from tests.lab.chaos.sites import Kind, Site

OPENING = ("lookup", "connect", "handshake", "login")
HELD = ("idle", "heartbeat", "check", "refresh")
"""While a session is up."""
PHASES = (*OPENING, *HELD, "waiting", "parked", "close")

Where = Callable[[Kind, str], bool]


def nowhere(kind: Kind, phase: str) -> bool:
    return False


def everywhere(kind: Kind, phase: str) -> bool:
    return True


@dataclass(frozen=True, slots=True)
class Trouble:
    """Something that goes wrong and, later, is put right again."""

    name: str
    begin: Callable[[Site], object]
    end: Callable[[Site], object] | None = None
    """None where it is over at once; what lasts is ended when an attempt, too, has failed because of it."""
    exempt: tuple[tuple[Where, str], ...] = ()
    """Where it does not apply, and why not."""
    harmless: Where = nowhere
    """Where the session must survive it."""
    silent: bool = False
    """Whether opening may meet silence, so that only a deadline ends it."""

    def reason_against(self, kind: Kind, phase: str) -> str:
        """Say why it does not apply; empty where it does."""
        if phase == "refresh" and kind.type != "sip":
            return "only a registration is refreshed"
        return next((reason for where, reason in self.exempt if where(kind, phase)), "")


def _fault(fault: Fault) -> Trouble:
    def begin(site: Site) -> None:
        site.server.fault = fault
        if fault in _MEETS_NEW_ONES:
            site.cut()

    def end(site: Site) -> None:
        site.server.fault = None

    return Trouble(fault.label, begin, end, _EXEMPT.get(fault, ()), silent=fault not in _ANSWERED)


def _set_tls(name: str) -> Callable[[Site], None]:
    def begin(site: Site) -> None:
        site.server.tls = getattr(site, name) if name else None
        site.cut()

    return begin


def _restore_tls(site: Site) -> None:
    site.server.tls = site.ours


def _lose_name(site: Site) -> None:
    site.names.lost.add(site.name)
    site.cut()


def _silence_name(site: Site) -> None:
    site.names.unanswered.add(site.name)
    site.cut()


def _find_name(site: Site) -> None:
    site.names.lost.discard(site.name)
    site.names.unanswered.discard(site.name)


def _close_with(code: int) -> Callable[[Site], None]:
    def begin(site: Site) -> None:
        assert isinstance(site.server, WebSocketServer)
        site.server.close_sessions(code, "lab")

    return begin


def _put_back(site: Site) -> None:
    site.server.fault = None


_MEETS_NEW_ONES = (Fault.ACCEPT_AND_CLOSE, Fault.CLOSE_IN_HANDSHAKE, Fault.WRONG_PASSWORD, Fault.OVERLOAD)
"""Faults that leave old sessions alone; as they come with a restart of the service, these are cut."""
_ANSWERED = (Fault.REFUSE, Fault.RESET, Fault.WRONG_PASSWORD, Fault.OVERLOAD)
_NO_TLS = ((lambda kind, _: not kind.tls, "no TLS"),)
_NO_CONNECTION = (lambda kind, _: not kind.streams, "UDP has no connection")
_NO_SESSION = (lambda _, phase: phase not in (*HELD, "close"), "there is no session")
_EXEMPT = {Fault.RESET: (_NO_CONNECTION,)}
_LOOKED_UP = (
    (lambda _, phase: phase in ("connect", "handshake", "login"), "the name has been looked up by then"),
    (lambda kind, phase: phase in HELD and not kind.streams, "a session over UDP needs its name no more"),
)
_NOT_SIP = (lambda kind, _: kind.type != "sip", "only a registrar has this")

TROUBLES = (
    *(_fault(fault) for fault in Fault),
    Trouble("stopped by hand", Site.stop, _put_back),
    Trouble(
        "cut once",
        Site.cut,
        exempt=(_NO_CONNECTION, _NO_SESSION),
        harmless=lambda _, phase: phase == "close",
    ),
    Trouble("certificate changed", _set_tls("theirs"), _restore_tls, _NO_TLS),
    Trouble("TLS turned off", _set_tls(""), _restore_tls, _NO_TLS, silent=True),
    Trouble("name lost", _lose_name, _find_name, _LOOKED_UP),
    Trouble("name server silent", _silence_name, _find_name, _LOOKED_UP, silent=True),
    *(
        Trouble(
            f"closed with {code}",
            _close_with(code),
            exempt=(
                (lambda kind, _: kind.type != "websocket", "only a WebSocket has close codes"),
                _NO_SESSION,
            ),
            harmless=lambda _, phase: phase == "close",
        )
        for code in (1001, 1011)
    ),
    Trouble(
        "bindings forgotten",
        lambda site: site.registrar.forget_bindings(),
        exempt=(_NOT_SIP, _NO_SESSION),
        harmless=lambda _, phase: phase in ("refresh", "close"),
    ),
    Trouble(
        "nonces expired",
        lambda site: site.registrar.expire_nonces(),
        exempt=(
            _NOT_SIP,
            (lambda _, phase: phase not in ("login", *HELD, "close"), "no nonce has been given out"),
        ),
        harmless=everywhere,
    ),
)
