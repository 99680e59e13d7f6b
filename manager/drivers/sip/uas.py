"""What requests from the registrar are answered with (RFC 3261 §8.2). No IO."""

from __future__ import annotations

from manager.drivers.sip.address import AddressError, SipUri, parse_name_address, parse_uri, parse_via
from manager.drivers.sip.message import Request, Response, cseq_of, response_to
from manager.model import Facts
from manager.text import quoted

ALLOW = "INVITE, ACK, CANCEL, BYE, OPTIONS, NOTIFY"
_KNOWN = frozenset({"INFO", "MESSAGE", "PRACK", "PUBLISH", "REFER", "REGISTER", "SUBSCRIBE", "UPDATE"})


def answer(request: Request, *, invite_answer: int, pending: bool, tag: str) -> Response:
    """Return the final response to any request but ACK.

    Args:
        request: has a Via; everything else is looked at here.
        invite_answer: code for an INVITE outside of a dialog.
        pending: whether a CANCEL meets the INVITE that it means.
        tag: goes into To where it has none.
    """
    if not _well_formed(request):
        return response_to(request, 400, tag=tag)
    required = request.headers.values("Require")
    if required and request.method not in ("CANCEL", "ACK"):
        response = response_to(request, 420, tag=tag)
        response.headers.add("Unsupported", ", ".join(required))
        return response
    if request.method == "OPTIONS":
        response = response_to(request, 200, tag=tag)
        response.headers.add("Allow", ALLOW)
        response.headers.add("Accept", "application/sdp")
        return response
    if request.method == "NOTIFY":
        return response_to(request, 200, tag=tag)
    if request.method == "CANCEL":
        return response_to(request, 200 if pending else 481, tag=tag)
    if request.method == "BYE" or (request.method == "INVITE" and _in_dialog(request)):
        return response_to(request, 481, tag=tag)
    if request.method == "INVITE":
        return response_to(request, invite_answer, tag=tag)
    response = response_to(request, 405 if request.method in _KNOWN else 501, tag=tag)
    response.headers.add("Allow", ALLOW)
    return response


def is_new_call(request: Request) -> bool:
    """Whether a request is an INVITE that somebody calls with, and not one within a call."""
    return request.method == "INVITE" and _well_formed(request) and not _in_dialog(request)


def call_of(request: Request) -> tuple[str, Facts]:
    """Describe an incoming call in a sentence and fields, with nothing in them that a terminal would obey."""
    caller, caller_name = _party(request.headers.get("From"))
    callee, _ = _party(request.headers.get("To"))
    shown = f"{caller_name} ({caller})" if caller_name else caller
    fields: Facts = {
        "caller": caller,
        "caller_name": caller_name,
        "callee": callee,
        "call_id": quoted(request.headers.get("Call-ID") or ""),
    }
    return f"call from {shown} to {callee}", fields


def ends_registration(request: Request) -> bool:
    """Whether a NOTIFY says that the registrar has ended the registration (RFC 3680 §4.7.1, §5)."""
    event = (request.headers.get("Event") or "").partition(";")[0].strip().lower()
    if request.method != "NOTIFY" or event != "reg":
        return False
    body = request.body.replace(b"'", b'"').lower()
    start = body.find(b"<registration ")
    element = body[start : body.find(b">", start)] if start >= 0 else b""
    return b'state="terminated"' in element


def _party(value: str | None) -> tuple[str, str]:
    try:
        address = parse_name_address(value or "")
    except AddressError:
        return quoted(value or "unknown"), ""
    return quoted(_bare(address.uri)), quoted(address.display_name)


def _bare(uri: str) -> str:
    """Leave out a password and the parameters, which are between machines."""
    try:
        parsed = parse_uri(uri)
    except AddressError:
        return uri
    return str(SipUri(parsed.host, parsed.scheme, parsed.user, parsed.port))


def _well_formed(request: Request) -> bool:
    sequence = cseq_of(request)
    if sequence is None or sequence[1] != request.method:
        return False
    try:
        parse_via(request.headers.values("Via")[0])
        parse_name_address(request.headers.get("From") or "")
        parse_name_address(request.headers.get("To") or "")
        if request.uri.lower().startswith(("sip:", "sips:")):
            parse_uri(request.uri)
    except (AddressError, IndexError):
        return False
    return bool(request.headers.get("Call-ID"))


def _in_dialog(request: Request) -> bool:
    return parse_name_address(request.headers.get("To") or "").parameter("tag") is not None
