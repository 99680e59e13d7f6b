"""TLS as a client: the context that a connection's settings describe, the same for all drivers."""

from __future__ import annotations

import ssl
from pathlib import Path

from manager.drivers.base import DriverError
from manager.model import Failure, FailureClass, Stage
from manager.settings import Tls


def client_context(tls: Tls) -> ssl.SSLContext:
    """Return a context that trusts and shows what `tls` says; `server_name` is left to the caller.

    The files are read anew, so that a renewed certificate is picked up by the next session.

    Raises:
        DriverError: a file is missing, cannot be read, or holds no certificate or key.
    """
    context = _trusting(tls.ca_file if tls.verify else None)
    if not tls.verify:
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
    if tls.cert_file is not None:
        _show(context, tls.cert_file, tls.key_file or tls.cert_file)
    elif tls.key_file is not None:
        raise _unusable("key_file is set, but not cert_file", "set both, or neither")
    return context


def _trusting(ca_file: Path | None) -> ssl.SSLContext:
    if ca_file is None:
        return ssl.create_default_context()
    path = _readable(ca_file)
    try:
        return ssl.create_default_context(cafile=path)
    except ssl.SSLError:
        raise _unusable(
            f"{path} holds no certificate", "ca_file is a PEM file of the authorities to trust"
        ) from None


def _show(context: ssl.SSLContext, cert_file: Path, key_file: Path) -> None:
    certificate, key = _readable(cert_file), _readable(key_file)
    try:
        # An empty passphrase: OpenSSL would ask for one on the terminal.
        context.load_cert_chain(certificate, key, password="")
    except (ssl.SSLError, ValueError):
        raise _unusable(
            f"{certificate} and {key} are no certificate and its key",
            "both are PEM files; the key belongs to the certificate and has no passphrase",
        ) from None


def _readable(path: Path) -> Path:
    path = path.expanduser()
    try:
        path.open("rb").close()
    except OSError as error:
        raise _unusable(f"cannot read {path}: {error.strerror}", "mend the path or its permissions") from None
    return path


def _unusable(reason: str, hint: str) -> DriverError:
    return DriverError(Failure(kind=FailureClass.CONFIGURATION, stage=Stage.TLS, reason=reason, hint=hint))
