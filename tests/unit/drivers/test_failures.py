"""What the operating system, the resolver and TLS say, in plain words and with a hint."""

from __future__ import annotations

import asyncio
import errno
import os
import socket
import ssl

import dns.resolver
import pytest

from manager.drivers.failures import failure_of
from manager.model import FailureClass, Stage
from manager.secret import SecretUnavailableError
from tests.pki import Pki

TRANSIENT, CONFIGURATION = FailureClass.TRANSIENT, FailureClass.CONFIGURATION


def of_errno(number: int, filename: str | None = None) -> OSError:
    return OSError(number, os.strerror(number), filename)


def of_resolver(number: int) -> socket.gaierror:
    return socket.gaierror(number, "words of the C library")


def of_tls(reason: str) -> ssl.SSLError:
    error = ssl.SSLError(1, f"[SSL: {reason}] (_ssl.c:1006)")
    error.reason = reason
    return error


@pytest.mark.parametrize(
    ("error", "kind", "stage", "reason", "hint"),
    [
        (of_errno(errno.ECONNREFUSED), TRANSIENT, Stage.CONNECT, "connection refused", "nothing listens"),
        (of_errno(errno.ETIMEDOUT), TRANSIENT, Stage.CONNECT, "no answer (connect)", "filtered"),
        (TimeoutError(), TRANSIENT, Stage.CONNECT, "no answer (connect)", "filtered"),
        (of_errno(errno.EHOSTUNREACH), TRANSIENT, Stage.CONNECT, "no route to host", "route"),
        (of_errno(errno.ENETUNREACH), TRANSIENT, Stage.CONNECT, "network unreachable", "route"),
        (of_errno(errno.EPERM), TRANSIENT, Stage.CONNECT, "not permitted", "firewall of this machine"),
        (of_errno(errno.EMFILE), TRANSIENT, Stage.CONNECT, "too many open files on this machine", "ulimit"),
        (of_errno(errno.ECONNRESET), TRANSIENT, Stage.CONNECT, "connection reset", ""),
        (of_errno(errno.ENOENT, "/x"), CONFIGURATION, Stage.CONNECT, "no such file: /x", "mend"),
        (
            of_errno(errno.EACCES, "/x"),
            CONFIGURATION,
            Stage.CONNECT,
            "no permission to read: /x",
            "permissions",
        ),
        (of_resolver(socket.EAI_NONAME), TRANSIENT, Stage.LOOKUP, "name not found", "spelling"),
        (of_resolver(socket.EAI_NODATA), TRANSIENT, Stage.LOOKUP, "the name has no address", "A or AAAA"),
        (
            of_resolver(socket.EAI_AGAIN),
            TRANSIENT,
            Stage.LOOKUP,
            "the name server does not answer",
            "online",
        ),
        (of_resolver(socket.EAI_FAIL), TRANSIENT, Stage.LOOKUP, "the name server fails", "resolver"),
        (of_resolver(socket.EAI_MEMORY), TRANSIENT, Stage.LOOKUP, "name lookup failed", "resolver"),
        (dns.resolver.NoNameservers(), TRANSIENT, Stage.LOOKUP, "name lookup failed", "resolver"),
        (
            UnicodeError("label empty or too long"),
            CONFIGURATION,
            Stage.LOOKUP,
            "no name that a host can have",
            "mend",
        ),
        (
            of_tls("WRONG_VERSION_NUMBER"),
            TRANSIENT,
            Stage.TLS,
            "TLS failed: wrong version number",
            "may not speak TLS",
        ),
        (
            of_tls("TLSV13_ALERT_CERTIFICATE_REQUIRED"),
            CONFIGURATION,
            Stage.TLS,
            "the server does not accept our certificate: tlsv13 alert certificate required",
            "cert_file",
        ),
        (
            of_tls("TLSV1_ALERT_UNKNOWN_CA"),
            CONFIGURATION,
            Stage.TLS,
            "the server does not accept our certificate: tlsv1 alert unknown ca",
            "cert_file",
        ),
        (SecretUnavailableError("FOO is not set"), CONFIGURATION, Stage.SECRET, "FOO is not set", "mend"),
        (KeyError("canary"), TRANSIENT, Stage.CONNECT, "unexpected KeyError", "log"),
    ],
)
def test_each_has_its_class_its_words_and_its_hint(error, kind, stage, reason, hint):
    failure = failure_of(error, Stage.CONNECT)
    assert (failure.kind, failure.stage, failure.reason) == (kind, stage, reason)
    assert hint in failure.hint


def test_of_several_errors_the_first_is_told():
    group = ExceptionGroup("", [of_errno(errno.ECONNREFUSED), of_errno(errno.EHOSTUNREACH)])
    assert failure_of(group, Stage.CONNECT).reason == "connection refused"


@pytest.mark.parametrize(
    ("code", "kind", "hint"),
    [
        (9, TRANSIENT, "clock of this machine"),
        (10, CONFIGURATION, "renewed"),
        (18, CONFIGURATION, "ca_file"),
        (19, CONFIGURATION, "ca_file"),
        (20, CONFIGURATION, "ca_file"),
        (62, CONFIGURATION, "server_name"),
        (64, CONFIGURATION, "server_name"),
        (7, CONFIGURATION, "certificate"),
    ],
)
def test_a_refused_certificate_says_what_mends_it(code, kind, hint):
    error = ssl.SSLCertVerificationError("certificate verify failed")
    error.verify_code, error.verify_message = code, "words of OpenSSL"
    failure = failure_of(error, Stage.CONNECT)
    assert (failure.kind, failure.stage) == (kind, Stage.TLS)
    assert failure.reason == "certificate refused: words of OpenSSL"
    assert hint in failure.hint


@pytest.mark.parametrize(
    ("trusted", "name", "hint"), [(False, "127.0.0.1", "ca_file"), (True, "other.example", "server_name")]
)
async def test_the_numbers_are_those_that_openssl_gives(pki: Pki, trusted, name, hint):
    async def accept(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.close()

    context = ssl.create_default_context(cafile=pki.cert if trusted else None)
    async with await asyncio.start_server(accept, "127.0.0.1", 0, ssl=pki.server_context()) as server:
        port = server.sockets[0].getsockname()[1]
        with pytest.raises(ssl.SSLCertVerificationError) as caught:
            await asyncio.open_connection("127.0.0.1", port, ssl=context, server_hostname=name)
    assert hint in failure_of(caught.value, Stage.TLS).hint
