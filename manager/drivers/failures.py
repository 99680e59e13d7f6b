"""Plain words for what the operating system and TLS say, the same for all drivers."""

from __future__ import annotations

import errno
import socket
import ssl

import dns.exception
import dns.resolver

from manager.model import Failure, FailureClass, Stage
from manager.secret import SecretUnavailableError

_UNREACHABLE = {
    errno.ENETUNREACH: "network unreachable",
    errno.EHOSTUNREACH: "no route to host",
    errno.ENETDOWN: "network down",
    errno.EADDRNOTAVAIL: "no local address left to connect from",
}
_LOST = {
    errno.ECONNRESET: "connection reset",
    errno.EPIPE: "connection closed by the peer",
    errno.ECONNABORTED: "connection aborted",
}
_TLS_HINT = "the port may not speak TLS, or the versions do not meet"
_NAME_HINT = "check the spelling and the resolver; it is looked up anew for each attempt"


def failure_of(error: BaseException, stage: Stage) -> Failure:
    """Describe an `OSError`, TLS, name or secret error met at `stage`; anything else by its type alone.

    Text of the exception itself is not passed on where it may come from the peer.
    """
    if isinstance(error, SecretUnavailableError):
        return _failure(
            FailureClass.CONFIGURATION, Stage.SECRET, str(error), "mend it; it is read for each attempt"
        )
    if isinstance(error, ssl.SSLCertVerificationError):
        return _certificate(error)
    if isinstance(error, ssl.SSLError):
        reason = (error.reason or "TLS error").replace("_", " ").lower()
        return _failure(FailureClass.TRANSIENT, Stage.TLS, f"TLS failed: {reason}", _TLS_HINT)
    if isinstance(error, (socket.gaierror, UnicodeError)):
        return _unknown_name(error)
    if isinstance(error, dns.exception.DNSException):
        return _failure(FailureClass.TRANSIENT, Stage.LOOKUP, "name lookup failed", _NAME_HINT)
    if isinstance(error, TimeoutError):
        return _failure(
            FailureClass.TRANSIENT, stage, f"no answer ({stage.value})", "filtered, or the server hangs"
        )
    if isinstance(error, ExceptionGroup):
        return failure_of(error.exceptions[0], stage)
    if isinstance(error, OSError):
        return _system(error, stage)
    return _failure(
        FailureClass.TRANSIENT, stage, f"unexpected {type(error).__name__}", "the log has the details"
    )


def _certificate(error: ssl.SSLCertVerificationError) -> Failure:
    hint = "set ca_file or server_name, or mend the certificate"
    return _failure(
        FailureClass.CONFIGURATION, Stage.TLS, f"certificate refused: {error.verify_message}", hint
    )


def _unknown_name(error: OSError | UnicodeError) -> Failure:
    if isinstance(error, OSError) and error.errno == socket.EAI_AGAIN:
        return _failure(FailureClass.TRANSIENT, Stage.LOOKUP, "the name server does not answer", _NAME_HINT)
    return _failure(FailureClass.TRANSIENT, Stage.LOOKUP, "name not found", _NAME_HINT)


def _system(error: OSError, stage: Stage) -> Failure:
    inner = getattr(error, "exceptions", None)
    if inner:
        return failure_of(inner[0], stage)
    if isinstance(error, ConnectionRefusedError) or error.errno == errno.ECONNREFUSED:
        return _failure(FailureClass.TRANSIENT, stage, "connection refused", "nothing listens there")
    if error.errno in _UNREACHABLE:
        return _failure(
            FailureClass.TRANSIENT, stage, _UNREACHABLE[error.errno], "check the route and the link"
        )
    if error.errno in _LOST:
        return _failure(FailureClass.TRANSIENT, stage, _LOST[error.errno], "")
    if isinstance(error, FileNotFoundError):
        return _failure(FailureClass.CONFIGURATION, stage, f"no such file: {error.filename}", "mend the path")
    if error.errno == errno.ETIMEDOUT:
        return _failure(
            FailureClass.TRANSIENT, stage, "no answer (TCP timeout)", "filtered, or the host is down"
        )
    if str(error).startswith("Multiple exceptions"):
        return _failure(FailureClass.TRANSIENT, stage, "no address of the host answers", "")
    return _failure(FailureClass.TRANSIENT, stage, error.strerror or "connection lost", "")


def _failure(kind: FailureClass, stage: Stage, reason: str, hint: str) -> Failure:
    return Failure(kind=kind, stage=stage, reason=reason, hint=hint)
