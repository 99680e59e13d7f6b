"""A certificate for the tests' servers."""

from __future__ import annotations

import ssl
import subprocess
from pathlib import Path


class Pki:
    """A certificate for 127.0.0.1, 127.0.0.78 and pbx.example that is its own authority, and its key."""

    def __init__(self, folder: Path) -> None:
        self.cert, self.key = folder / "cert.pem", folder / "key.pem"
        subprocess.run(
            ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes",
             "-keyout", self.key, "-out", self.cert, "-subj", "/CN=lab", "-days", "2",
             "-addext", "subjectAltName=IP:127.0.0.1,IP:127.0.0.78,DNS:pbx.example"],
            check=True,
            capture_output=True,
        )  # fmt: skip

    def server_context(self) -> ssl.SSLContext:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(self.cert, self.key)
        return context
