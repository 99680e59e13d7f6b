"""Plain words for what the operating system and TLS say, the same for all drivers.

A name that is not found is transient and no mistake of the configuration, though it often is one: the same
answer comes while a VPN is not up yet, for a container that has not started, and from a zone that is broken.
Blocking for half an hour would outlast all three. It is looked up anew for each attempt and each peek, and
the hint names the spelling first.
"""

from __future__ import annotations

import errno
import socket
import ssl

import dns.exception
import dns.resolver

from manager.model import Failure, FailureClass, Stage
from manager.secret import SecretUnavailableError

CONNECTION_REFUSED = "connection refused"
NO_ROUTE = "no route to host"

LOGGED_IN_ALREADY = "this AMI user is logged in already"
NOT_LISTED = "the registrar does not list our Contact"
REGISTRATION_ENDED = "the registrar has ended the registration"
PLACE_TAKEN = "an earlier registration of ours still holds the place"
APPLICATION_TAKEN = "another client took over the ARI application"

_LINK_HINT = "check the route and the link; a firewall may turn us away"
_FILES_HINT = "raise the limit (`ulimit -n`, or LimitNOFILE of the service)"
_SYSTEM = {
    errno.ECONNREFUSED: (CONNECTION_REFUSED, "nothing listens there, or a firewall turns us away"),
    errno.ENETUNREACH: ("network unreachable", _LINK_HINT),
    errno.EHOSTUNREACH: (NO_ROUTE, _LINK_HINT),
    errno.ENETDOWN: ("network down", _LINK_HINT),
    errno.EADDRNOTAVAIL: ("no local address left to connect from", ""),
    errno.ECONNRESET: ("connection reset", ""),
    errno.EPIPE: ("connection closed by the peer", ""),
    errno.ECONNABORTED: ("connection aborted", ""),
    errno.EPERM: ("not permitted", "a firewall of this machine forbids it"),
    errno.EACCES: ("not permitted", "a firewall of this machine forbids it"),
    errno.EMFILE: ("too many open files on this machine", _FILES_HINT),
    errno.ENFILE: ("too many open files on this machine", _FILES_HINT),
}
_FILES = {errno.ENOENT: "no such file", errno.EACCES: "no permission to read"}
_TLS_HINT = "the port may not speak TLS, or the versions do not meet"
_RESOLVER_HINT = "check the resolver of this machine, and whether it is online; it is asked for each attempt"
_LOOKUPS = {
    socket.EAI_NONAME: (
        "name not found",
        "check the spelling; if that is right, the name may come with a VPN, a container or another resolver",
    ),
    socket.EAI_NODATA: ("the name has no address", "it exists, but has no A or AAAA record"),
    socket.EAI_AGAIN: ("the name server does not answer", _RESOLVER_HINT),
    socket.EAI_FAIL: ("the name server fails", _RESOLVER_HINT),
}
_CERTIFICATES = {
    9: "check the clock of this machine",
    10: "have it renewed on the server, and check the clock of this machine",
    18: "set ca_file to this very certificate",
    19: "set ca_file to the authority at the end of its chain",
    20: "set ca_file to the authority that has issued it, or have the server send the whole chain",
    21: "set ca_file to the authority that has issued it, or have the server send the whole chain",
    62: "set server_name to a name in the certificate, or address the server by one",
    64: "set server_name to a name in the certificate, or address the server by one",
}
"""What helps, by OpenSSL's number of the error (X509_V_ERR_…)."""
_NOT_YET_VALID = 9


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
        return _tls(error)
    if isinstance(error, (socket.gaierror, UnicodeError, dns.exception.DNSException)):
        return _lookup(error)
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
    hint = _CERTIFICATES.get(error.verify_code, "set ca_file or server_name, or mend the certificate")
    # A machine without a clock of its own starts in the past, and is set right in a moment.
    passes = error.verify_code == _NOT_YET_VALID
    kind = FailureClass.TRANSIENT if passes else FailureClass.CONFIGURATION
    return _failure(kind, Stage.TLS, f"certificate refused: {error.verify_message}", hint)


def _tls(error: ssl.SSLError) -> Failure:
    said = error.reason or "TLS error"
    reason = said.replace("_", " ").lower()
    if "ALERT" in said and ("CERTIFICATE" in said or "UNKNOWN_CA" in said):
        return _failure(
            FailureClass.CONFIGURATION,
            Stage.TLS,
            f"the server does not accept our certificate: {reason}",
            "check cert_file and key_file, and which authorities the server trusts",
        )
    return _failure(FailureClass.TRANSIENT, Stage.TLS, f"TLS failed: {reason}", _TLS_HINT)


def _lookup(error: Exception) -> Failure:
    if isinstance(error, UnicodeError):
        return _failure(
            FailureClass.CONFIGURATION, Stage.LOOKUP, "no name that a host can have", "mend the address"
        )
    number = error.errno if isinstance(error, socket.gaierror) else None
    reason, hint = _LOOKUPS.get(number or 0, ("name lookup failed", _RESOLVER_HINT))
    return _failure(FailureClass.TRANSIENT, Stage.LOOKUP, reason, hint)


def _system(error: OSError, stage: Stage) -> Failure:
    inner = getattr(error, "exceptions", None)
    if inner:
        return failure_of(inner[0], stage)
    number = error.errno or 0
    if number in _FILES and error.filename is not None:
        reason = f"{_FILES[number]}: {error.filename}"
        return _failure(FailureClass.CONFIGURATION, stage, reason, "mend the path or its permissions")
    if number in _SYSTEM:
        return _failure(FailureClass.TRANSIENT, stage, *_SYSTEM[number])
    if str(error).startswith("Multiple exceptions"):
        return _failure(
            FailureClass.TRANSIENT,
            stage,
            "no address of the host answers",
            "filtered, or the host is down",
        )
    return _failure(FailureClass.TRANSIENT, stage, error.strerror or "connection lost", "")


def _failure(kind: FailureClass, stage: Stage, reason: str, hint: str) -> Failure:
    return Failure(kind=kind, stage=stage, reason=reason, hint=hint)
