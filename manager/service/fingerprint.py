"""Trust in one certificate by its fingerprint: what SSH does, for who has no file of it at hand.

It is compared as the last step of the handshake, before a byte of ours is sent, a token among them.
"""

from __future__ import annotations

import hashlib
import hmac
import re
import ssl
from pathlib import Path
from typing import cast

_LABEL = re.compile(r"(?:sha256(?: fingerprint=|:))?", re.IGNORECASE)
"""What OpenSSL and others write before it."""
_HEX = re.compile(r"[0-9a-f]{64}")
_PEM = re.compile(r"-----BEGIN CERTIFICATE-----.*?-----END CERTIFICATE-----", re.DOTALL)


def parse(text: str) -> str:
    """Return a SHA-256 fingerprint as 64 hexadecimal digits.

    Raises:
        ValueError: it is none.
    """
    digits = _LABEL.sub("", text.strip(), count=1).replace(":", "").lower()
    if _HEX.fullmatch(digits) is None:
        raise ValueError("the SHA-256 of a certificate is 64 hexadecimal digits, with or without colons")
    return digits


def written(digits: str) -> str:
    """Return a fingerprint as people compare it: `AB:CD:…`."""
    return ":".join(re.findall("..", digits.upper()))


def of(certificate: bytes) -> str:
    """Return the fingerprint of a certificate in DER."""
    return hashlib.sha256(certificate).hexdigest()


def of_file(path: Path) -> str:
    """Return the fingerprint of the first certificate in a PEM file; empty where there is none."""
    found = _PEM.search(path.read_text("ascii", "replace"))
    return "" if found is None else of(ssl.PEM_cert_to_DER_cert(found[0]))


class PinnedContext(ssl.SSLContext):
    """Trusts the certificate of one fingerprint, whoever signed it, whatever name it bears, and no other."""

    fingerprint = ""

    def demand(self, certificate: bytes | None) -> None:
        """Return where a certificate in DER is the one.

        Raises:
            ssl.SSLCertVerificationError: it is another.
        """
        found = of(certificate or b"")
        if not hmac.compare_digest(found, self.fingerprint):
            error = ssl.SSLCertVerificationError(f"the certificate is {written(found)}")
            error.verify_message = f"its fingerprint is {written(found)}"
            raise error


class _PinnedObject(ssl.SSLObject):
    def do_handshake(self) -> None:
        super().do_handshake()
        _demand(self)


class _PinnedSocket(ssl.SSLSocket):
    def do_handshake(self, block: bool = False) -> None:
        super().do_handshake(block)
        _demand(self)


def _demand(end: ssl.SSLObject | ssl.SSLSocket) -> None:
    cast("PinnedContext", end.context).demand(end.getpeercert(binary_form=True))


PinnedContext.sslobject_class = _PinnedObject
PinnedContext.sslsocket_class = _PinnedSocket


def pinned(fingerprint: str) -> ssl.SSLContext:
    """Return a context of a client that trusts this certificate alone."""
    context = PinnedContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    context.fingerprint = fingerprint
    return context
