"""Why a handshake was refused or a session ended, in plain words, and what that means for trying again."""

from __future__ import annotations

from collections.abc import Callable
from http import HTTPStatus
from urllib.parse import urlsplit

from websockets.exceptions import (
    ConnectionClosed,
    InvalidHandshake,
    InvalidHeader,
    InvalidMessage,
    InvalidProxy,
    InvalidProxyStatus,
    InvalidStatus,
    InvalidURI,
    NegotiationError,
    ProxyError,
    SecurityError,
)
from websockets.http11 import Response

from manager.drivers.failures import failure_of
from manager.drivers.patience import retry_after
from manager.model import Failure, FailureClass, Stage

Quote = Callable[[str], str]
"""Makes what the server said fit to be shown."""

ABNORMAL = 1006
"""Close code of a connection that was lost without a close frame (RFC 6455 §7.4.1)."""

_CLOSE_CODES = {
    1000: "normal closure",
    1001: "the server goes away",
    1002: "protocol error",
    1003: "the server does not take this type of message",
    1005: "without a code",
    1007: "the server got text that is not UTF-8",
    1008: "policy violation",
    1009: "the server finds a message too big",
    1010: "an extension is missing",
    1011: "the server met an internal error",
    1012: "the server restarts",
    1013: "the server is overloaded",
    1014: "bad gateway",
    3000: "unauthorized",
    3003: "forbidden",
    3008: "timeout",
}
"""As registered with IANA."""
_CLASSES = {
    1013: FailureClass.OVERLOAD,
    3000: FailureClass.CREDENTIALS,
    3003: FailureClass.CREDENTIALS,
}
"""Every other close code may pass by itself."""
_HINTS = {
    1002: "something between may alter the stream",
    1003: "check `on_connect`, `heartbeat_message` and `check_message`",
    1008: "check `on_connect`, `headers`, `query` and what the server allows this client",
    1009: "check `on_connect`, `heartbeat_message` and `check_message`",
    1011: "the log of the server has the details",
    3000: "check `on_connect`, `headers` and `query`",
    3003: "check `on_connect`, `headers`, `query` and what the server allows this client",
}
_OUR_COMPLAINTS = {
    1002: ("the server broke the WebSocket protocol (1002)", "something between may alter the stream"),
    1007: ("the server sent text that is not UTF-8 (1007)", ""),
}
_WRONG_PLACE = "check path, parameters and subprotocols of the endpoint"


def refused(error: Exception, stage: Stage, *, known: bool, quote: Quote, now: float) -> Failure:
    """Describe what came instead of an opened session.

    `known` says that this endpoint has taken us before: then a server that does not know us, the path or the
    protocol may just be starting, and the refusal counts as transient. `now` is the wall time.
    """
    if isinstance(error, InvalidStatus):
        return _status(error.response, stage, known=known, quote=quote, now=now)
    if isinstance(error, (ProxyError, InvalidProxy, ImportError)):
        return _proxy(error)
    if isinstance(error, InvalidURI):
        return _failure(FailureClass.CONFIGURATION, stage, "the address cannot be used", "mend the endpoint")
    if isinstance(error, NegotiationError):
        return no_common_subprotocol(stage, known=known)
    if isinstance(error, SecurityError):
        return _failure(FailureClass.TRANSIENT, stage, "the answer to the handshake is too long", "")
    if isinstance(error, InvalidMessage):
        return _no_answer(error, stage)
    if isinstance(error, (InvalidHeader, InvalidHandshake)):
        return _failure(_final(known), stage, "the answer is not a WebSocket handshake", _WRONG_PLACE)
    return failure_of(error, stage)


def no_common_subprotocol(stage: Stage, *, known: bool) -> Failure:
    """Describe a server that took none of the subprotocols asked for.

    RFC 6455 §4.1 leaves it to the client. Whoever asks for `sip` and is given nothing would talk past the
    server, and asking again changes nothing.
    """
    return _failure(
        _final(known), stage, "the server takes none of the subprotocols asked for", "check `subprotocols`"
    )


def ended(closed: ConnectionClosed, *, max_message_size: int, quote: Quote) -> tuple[Failure, int]:
    """Describe the end of a session, and return its close code too."""
    ours = None if closed.rcvd_then_sent else closed.sent
    if ours is not None and ours.code == 1009:
        reason = f"a message was larger than {max_message_size} bytes, or in too many pieces (1009)"
        return _over(FailureClass.TRANSIENT, reason, "raise `max_message_size` if it should be taken"), 1009
    if ours is not None and ours.code in _OUR_COMPLAINTS:
        return _over(FailureClass.TRANSIENT, *_OUR_COMPLAINTS[ours.code]), int(ours.code)
    if ours is not None and ours.code == 1000:
        return _over(FailureClass.TRANSIENT, "closed here (1000)", ""), 1000
    if closed.rcvd is None:
        if isinstance(closed.__cause__, OSError):
            return failure_of(closed.__cause__, Stage.SESSION), ABNORMAL
        return _over(FailureClass.TRANSIENT, "connection lost without a close frame (1006)", ""), ABNORMAL
    code = int(closed.rcvd.code)
    reason = (
        f"closed by the server: {_words(code)} ({code})" if code != 1005 else "closed without a code (1005)"
    )
    if closed.rcvd.reason:
        reason = f"{reason}: {quote(closed.rcvd.reason)}"
    return _over(_CLASSES.get(code, FailureClass.TRANSIENT), reason, _HINTS.get(code, "")), code


def _words(code: int) -> str:
    if code in _CLOSE_CODES:
        return _CLOSE_CODES[code]
    return "a registered code" if code < 4000 else "a code of its own"


def _status(response: Response, stage: Stage, *, known: bool, quote: Quote, now: float) -> Failure:
    code = response.status_code
    name = f"{code} {_phrase(code)}".rstrip()
    if code in (401, 403):
        hint = "check `headers`, `query` and what the server allows this client"
        return _failure(FailureClass.CREDENTIALS, stage, f"the server refuses who we are ({name})", hint)
    if 300 <= code < 400:
        target = quote(_target(response))
        hint = "redirects are not followed, they may lead credentials astray: set the address itself"
        return _failure(FailureClass.PERMANENT, stage, f"redirected to {target} ({code})", hint)
    if code in (429, 503):
        return Failure(
            kind=FailureClass.OVERLOAD,
            stage=stage,
            reason=f"the server asks for patience ({name})",
            hint="it has too much to do, or is being maintained",
            retry_after=retry_after(next(iter(response.headers.get_all("Retry-After")), None), now),
        )
    if code >= 500 or code == 408:
        hint = "a proxy cannot reach it, or its log has the details"
        return _failure(FailureClass.TRANSIENT, stage, f"the server fails ({name})", hint)
    return _failure(_final(known), stage, f"the server refuses the handshake ({name})", _WRONG_PLACE)


def _final(known: bool) -> FailureClass:
    """An Asterisk that starts answers 404 and 400 until the module behind a path is loaded."""
    return FailureClass.TRANSIENT if known else FailureClass.PERMANENT


def _phrase(code: int) -> str:
    try:
        return HTTPStatus(code).phrase
    except ValueError:
        return ""


def _target(response: Response) -> str:
    """Return the host of a redirect and nothing more: path and query may hold what we sent."""
    locations = response.headers.get_all("Location")
    try:
        host = urlsplit(locations[0]).hostname if locations else None
    except ValueError:
        return "an unreadable address"
    return host or ("another path of the host" if locations else "nowhere")


def _proxy(error: Exception) -> Failure:
    stage = Stage.CONNECT
    if isinstance(error, ImportError):
        return _failure(
            FailureClass.CONFIGURATION, stage, "a SOCKS proxy needs the package python-socks", "install it"
        )
    if isinstance(error, InvalidProxy):
        return _failure(
            FailureClass.CONFIGURATION, stage, "the address of the proxy cannot be used", "mend `proxy`"
        )
    if isinstance(error, InvalidProxyStatus):
        code = error.response.status_code
        reason = f"the proxy refuses ({code} {_phrase(code)})"
        if code == 407:
            return _failure(FailureClass.CONFIGURATION, stage, reason, "check user and password of `proxy`")
        kind = FailureClass.TRANSIENT if code >= 500 else FailureClass.PERMANENT
        return _failure(kind, stage, reason, "the proxy cannot or will not reach the endpoint")
    if isinstance(error.__cause__, EOFError):
        return _failure(FailureClass.TRANSIENT, stage, "the proxy closed the connection", "")
    return _failure(FailureClass.TRANSIENT, stage, "the proxy gives no answer that can be read", "")


def _no_answer(error: InvalidMessage, stage: Stage) -> Failure:
    if isinstance(error.__cause__, EOFError):
        return _failure(FailureClass.TRANSIENT, stage, "connection closed during the handshake", "")
    return _failure(
        FailureClass.TRANSIENT,
        stage,
        "the answer to the handshake is not HTTP",
        "the port may belong to another service, or speak TLS",
    )


def _over(kind: FailureClass, reason: str, hint: str) -> Failure:
    return _failure(kind, Stage.SESSION, reason, hint)


def _failure(kind: FailureClass, stage: Stage, reason: str, hint: str) -> Failure:
    return Failure(kind=kind, stage=stage, reason=reason, hint=hint)
