"""A certificate authority of the tests' own, so that what clients verify is really verified."""

from __future__ import annotations

import subprocess
from dataclasses import dataclass
from pathlib import Path

from tests.real.cable import FAR

_KEY = ("-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes")
_OF_AN_AUTHORITY = ("basicConstraints=critical,CA:TRUE", "keyUsage=critical,keyCertSign,cRLSign")
_OF_A_SERVER = (
    "basicConstraints=critical,CA:FALSE",
    "keyUsage=critical,digitalSignature",
    "extendedKeyUsage=serverAuth",
    f"subjectAltName=IP:127.0.0.1,IP:{FAR},DNS:localhost",
)


@dataclass(frozen=True)
class Certificate:
    """PEM files of a certificate and its key."""

    certificate: Path
    key: Path


class Authority:
    """Signs certificates for where the servers are; `ca_file` is what a client is to trust."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._own = self._make("authority", _OF_AN_AUTHORITY)
        self.ca_file = self._own.certificate
        self.server = self._make(
            "server", _OF_A_SERVER, "-CA", str(self.ca_file), "-CAkey", str(self._own.key)
        )

    def _make(self, name: str, extensions: tuple[str, ...], *signer: str) -> Certificate:
        made = Certificate(self._folder / f"{name}.pem", self._folder / f"{name}.key")
        options = [part for extension in extensions for part in ("-addext", extension)]
        files = ("-keyout", str(made.key), "-out", str(made.certificate))
        subprocess.run(
            [
                "openssl",
                "req",
                "-x509",
                *_KEY,
                "-days",
                "2",
                "-subj",
                f"/CN={name}",
                *options,
                *signer,
                *files,
            ],
            check=True,
            capture_output=True,
        )
        return made
