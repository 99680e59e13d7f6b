"""Digest authentication, both sides of it (RFC 3261 §22, RFC 7616, RFC 8760; RFC 2069 where there is no qop).

Values are kept raw, still escaped, because that is what is hashed and echoed; only what is compared is
unescaped.
"""

from __future__ import annotations

import hashlib
import hmac
import re
import secrets
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from operator import itemgetter

from manager.secret import Secret

_HASHES = {"md5": "md5", "sha-256": "sha256", "sha-512-256": "sha512_256"}
_STRENGTH = {"sha-512-256": 3, "sha-256": 2, "md5": 1}
_PARAMETER = re.compile(
    r"""\s*([A-Za-z0-9\-.!%*_+`'~]+)\s*=\s*(?:"((?:[^"\\]|\\.)*)"|([^\s",]*))\s*""", re.DOTALL
)
_SCHEME = re.compile(r"[\s,]*([A-Za-z0-9\-.!%*_+`'~]+)(?:\s+|(?=,)|\Z)")
_SEPARATORS = re.compile(r"[\s,]*")
_TOKEN68 = re.compile(r"[A-Za-z0-9\-._~+/]*=*\s*(?:,|\Z)")  # `Negotiate YII=`: no parameters
_CONTROL = re.compile(r"[\x00-\x1f\x7f]")
_MAX_HEADER = 16 * 1024


class DigestError(ValueError):
    """An authentication header that cannot be read, or a challenge that cannot be answered."""


@dataclass(frozen=True, slots=True)
class Challenge:
    """One challenge of a WWW-Authenticate or Proxy-Authenticate header."""

    scheme: str
    """As written; only `Digest` is answered."""
    parameters: Mapping[str, str]
    """By their names in lower case; values raw, without their quotes. Of several the first counts."""

    @property
    def realm(self) -> str:
        """The realm, still escaped."""
        return self.parameters.get("realm", "")

    @property
    def nonce(self) -> str:
        """The nonce, still escaped."""
        return self.parameters.get("nonce", "")

    @property
    def algorithm(self) -> str:
        """The algorithm as written; MD5 where none is named."""
        return self.parameters.get("algorithm") or "MD5"

    @property
    def stale(self) -> bool:
        """Whether only the nonce was too old, and the credentials were not refused."""
        return self.parameters.get("stale", "").lower() == "true"

    @property
    def qops(self) -> list[str]:
        """The offered qualities of protection in lower case; empty for RFC 2069."""
        offered = self.parameters.get("qop", "").lower().split(",")
        return [qop for each in offered if (qop := each.strip())]

    @property
    def strength(self) -> int:
        """How good it is; 0 where it cannot be answered."""
        if self.scheme.lower() != "digest" or "nonce" not in self.parameters:
            return 0
        qops = self.qops
        if qops and "auth" not in qops and "auth-int" not in qops:
            return 0
        return _STRENGTH.get(self.algorithm.lower().removesuffix("-sess"), 0)


@dataclass(frozen=True, slots=True)
class Credentials:
    """The parameters of an Authorization or Proxy-Authorization header, as a server reads them."""

    parameters: Mapping[str, str]
    """By their names in lower case; values raw."""

    @property
    def username(self) -> str:
        """The user name, unescaped."""
        return unescape(self.parameters.get("username", ""))

    @property
    def nonce_count(self) -> int | None:
        """The number that `nc` says; None where there is none or it is no number."""
        count = self.parameters.get("nc", "")
        return int(count, 16) if re.fullmatch(r"[0-9A-Fa-f]{1,8}", count) else None


def parse_challenges(lines: Iterable[str]) -> list[Challenge]:
    """Read every challenge of these header lines; a line may hold several.

    Raises:
        DigestError: a line is no list of challenges.
    """
    return [challenge for line in lines for challenge in _read(line)]


def parse_credentials(line: str) -> Credentials:
    """Read the header by which a client answers a challenge.

    Raises:
        DigestError: it is no single set of Digest credentials.
    """
    found = _read(line)
    if len(found) != 1 or found[0].scheme.lower() != "digest":
        raise DigestError("not one set of Digest credentials")
    return Credentials(found[0].parameters)


def ranked(challenges: Iterable[Challenge]) -> list[Challenge]:
    """Return the challenges that can be answered, the strongest first; equals keep the server's order."""
    weighed = [(challenge.strength, challenge) for challenge in challenges]
    usable = sorted(weighed, key=itemgetter(0), reverse=True)
    return [challenge for strength, challenge in usable if strength]


def answer(
    challenge: Challenge,
    *,
    username: str,
    password: Secret,
    method: str,
    uri: str,
    body: bytes = b"",
    nonce_count: int = 1,
    cnonce: str | None = None,
) -> str:
    """Return the value of the (Proxy-)Authorization header that answers a challenge.

    `auth` is preferred to `auth-int`, which proxies that touch a body break.

    Raises:
        DigestError: the challenge cannot be answered, or the answer would hold a control character.
    """
    if not challenge.strength:
        raise DigestError("a challenge of an unknown kind")
    qops = challenge.qops
    qop = "auth" if "auth" in qops else "auth-int" if qops else None
    algorithm, count = challenge.algorithm, f"{nonce_count:08x}"
    cnonce = cnonce or secrets.token_hex(8)
    response = response_value(
        algorithm=algorithm,
        username=username,
        realm=challenge.realm,
        password=password,
        nonce=challenge.nonce,
        method=method,
        uri=uri,
        qop=qop,
        nonce_count=count,
        cnonce=cnonce,
        body=body,
    )
    # RFC 7616 §3.4: qop, nc and algorithm of a client stand without quotes.
    value = (
        f'Digest username="{escape(username)}", realm="{challenge.realm}", nonce="{challenge.nonce}", '
        f'uri="{uri}", response="{response}"'
    )
    if "algorithm" in challenge.parameters:
        value += f", algorithm={algorithm}"
    if qop or algorithm.lower().endswith("-sess"):
        value += f', cnonce="{cnonce}"'
    if qop:
        value += f", qop={qop}, nc={count}"
    if "opaque" in challenge.parameters:
        value += f', opaque="{challenge.parameters["opaque"]}"'
    if _CONTROL.search(value):
        raise DigestError("it or the user name holds a control character")
    return value


def verify(credentials: Credentials, *, password: Secret, method: str, body: bytes = b"") -> bool:
    """Whether a client knows the password.

    That nonce, realm, URI and algorithm are those asked for is the caller's to see.

    Raises:
        DigestError: the algorithm or qop is unknown, or something needed is missing.
    """
    parameters = credentials.parameters
    missing = {"username", "realm", "nonce", "uri", "response"} - parameters.keys()
    qop = parameters.get("qop")
    algorithm = parameters.get("algorithm", "MD5")
    if qop is not None or algorithm.lower().endswith("-sess"):
        missing |= ({"cnonce", "nc"} if qop is not None else {"cnonce"}) - parameters.keys()
    if missing:
        raise DigestError(f"credentials without {', '.join(sorted(missing))}")
    expected = response_value(
        algorithm=algorithm,
        username=credentials.username,
        realm=parameters["realm"],
        password=password,
        nonce=parameters["nonce"],
        method=method,
        uri=parameters["uri"],
        qop=qop,
        nonce_count=parameters.get("nc", ""),
        cnonce=parameters.get("cnonce", ""),
        body=body,
    )
    return hmac.compare_digest(expected.encode(), _octets(parameters["response"].lower()))


def response_value(
    *,
    algorithm: str,
    username: str,
    realm: str,
    password: Secret,
    nonce: str,
    method: str,
    uri: str,
    qop: str | None,
    nonce_count: str = "",
    cnonce: str = "",
    body: bytes = b"",
) -> str:
    """Return the `response` of RFC 7616 §3.4.1; realm and nonce are raw, the user name is not.

    Raises:
        DigestError: the algorithm or qop is unknown.
    """
    name = algorithm.lower()
    kind = _HASHES.get(name.removesuffix("-sess"))
    if kind is None or (qop is not None and qop.lower() not in ("auth", "auth-int")):
        raise DigestError("an unknown algorithm or qop")

    def digest(octets: bytes) -> str:
        return hashlib.new(kind, octets, usedforsecurity=False).hexdigest()

    a1 = digest(_octets(f"{username}:{realm}:{password.reveal()}"))
    if name.endswith("-sess"):
        a1 = digest(_octets(f"{a1}:{nonce}:{cnonce}"))
    entity = f":{digest(body)}" if qop is not None and qop.lower() == "auth-int" else ""
    a2 = digest(_octets(f"{method}:{uri}{entity}"))
    middle = nonce if qop is None else f"{nonce}:{nonce_count}:{cnonce}:{qop}"
    return digest(_octets(f"{a1}:{middle}:{a2}"))


def escape(text: str) -> str:
    """Write text so that it may stand between quotes."""
    return text.replace("\\", "\\\\").replace('"', '\\"')


def unescape(text: str) -> str:
    """Undo the escapes of a quoted string."""
    return re.sub(r"\\(.)", r"\1", text, flags=re.DOTALL)


def _read(line: str) -> list[Challenge]:
    if len(line) > _MAX_HEADER:
        raise DigestError("an authentication header that is too long")
    found: list[Challenge] = []
    position = 0
    while position < len(line) and line[position:].strip(" \t\r\n,"):
        scheme = _SCHEME.match(line, position)
        if scheme is None:
            raise DigestError("an authentication header without a scheme")
        parameters, position = _read_parameters(line, scheme.end())
        found.append(Challenge(scheme.group(1), parameters))
    return found


def _read_parameters(line: str, position: int) -> tuple[dict[str, str], int]:
    """Read `name=value` parted by commas until the next scheme or the end."""
    parameters: dict[str, str] = {}
    while (match := _PARAMETER.match(line, position)) is not None:
        name, quoted, token = match.groups()
        parameters.setdefault(name.lower(), token if quoted is None else quoted)
        # Some servers part parameters by spaces alone.
        position = _skip(_SEPARATORS, line, match.end())
    if not parameters:
        position = _skip(_TOKEN68, line, position)
    return parameters, position


def _skip(pattern: re.Pattern[str], line: str, position: int) -> int:
    match = pattern.match(line, position)
    return match.end() if match else position


def _octets(text: str) -> bytes:
    try:
        return text.encode("utf-8", "surrogateescape")
    except UnicodeEncodeError:
        raise DigestError("a character that cannot be hashed") from None
