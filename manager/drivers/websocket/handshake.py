"""What one opening sends: address, headers and first messages, with every secret read."""

from __future__ import annotations

from dataclasses import dataclass
from urllib.parse import parse_qsl, quote, unquote, urlencode, urlsplit

from manager.drivers.base import DriverError
from manager.endpoint import Endpoint, is_secret_name
from manager.headers import belongs_to_handshake, is_token, is_value
from manager.model import Failure, FailureClass, Stage
from manager.secret import Secret, SecretSource
from manager.settings import WebSocketSettings
from manager.text import quoted


@dataclass(frozen=True, slots=True)
class Handshake:
    """What is sent to open one session. All of it is held as secrets, so that none of it is ever shown."""

    url: Secret
    headers: tuple[tuple[str, Secret], ...]
    first_messages: tuple[Secret, ...]
    proxy: Secret | None
    secrets: tuple[Secret, ...]
    """Each secret by itself, to be masked where the server repeats it."""
    proves_identity: bool
    """Whether address or headers hold credentials."""
    messages_prove_identity: bool
    """Whether the first messages hold credentials."""

    def quoted(self, text: str) -> str:
        """Return what the server said as it may be shown, with the secrets of this handshake masked."""
        return quoted(text, secrets=self.secrets)


async def prepare(settings: WebSocketSettings, endpoint: Endpoint) -> Handshake:
    """Read every secret that an opening needs, and put address and headers together.

    Raises:
        SecretUnavailableError: a secret could not be read.
        DriverError: a header cannot be sent as it is.
    """
    headers = [(name, await _read(value)) for name, value in settings.headers.items()]
    query = [(name, await _read(value)) for name, value in settings.query.items()]
    messages = [await _read(value) for value in settings.on_connect]
    proxy = None if settings.proxy is None else await _read(settings.proxy)
    for name, value in headers:
        _check_header(name, value)
    in_address = _secrets_of(endpoint.url)
    in_headers = [value for name, value in headers if _is_secret(name, settings.headers[name])]
    in_messages = [
        value
        for value, source in zip(messages, settings.on_connect, strict=True)
        if isinstance(source, SecretSource)
    ]
    in_query = [value for _, value in query]
    in_proxy = _secrets_of(proxy) if proxy else []
    return Handshake(
        url=_with_query(endpoint.url, query),
        headers=tuple(headers),
        first_messages=tuple(messages),
        proxy=proxy,
        secrets=tuple(in_address + in_headers + in_query + in_messages + in_proxy),
        proves_identity=bool(in_address or in_headers or in_query),
        messages_prove_identity=bool(in_messages),
    )


async def _read(value: str | SecretSource) -> Secret:
    return await value.read() if isinstance(value, SecretSource) else Secret(value)


def _is_secret(name: str, value: str | SecretSource) -> bool:
    return isinstance(value, SecretSource) or is_secret_name(name)


def _check_header(name: str, value: Secret) -> None:
    """Refuse what would end the header line, before the library puts the value into an exception."""
    if not is_token(name) or belongs_to_handshake(name):
        reason = f"{name!a} is no name of a header that can be set"
    elif not is_value(value.reveal()):
        reason = f"the value of the header {name} holds characters that no header can"
    else:
        return
    raise DriverError(
        Failure(kind=FailureClass.CONFIGURATION, stage=Stage.SECRET, reason=reason, hint="mend `headers`")
    )


def _with_query(url: Secret, query: list[tuple[str, Secret]]) -> Secret:
    if not query:
        return url
    # %20 and not +, which Asterisk would take for a plus sign outside of forms.
    pairs = urlencode([(name, value.reveal()) for name, value in query], quote_via=quote, safe="")
    address = url.reveal()
    return Secret(f"{address}{'&' if '?' in address else '?'}{pairs}")


def _secrets_of(address: Secret) -> list[Secret]:
    """Return what of an address is secret: the password, and parameters named like secrets."""
    parts = urlsplit(address.reveal())
    found = [parts.password] if parts.password else []
    found += [unquote(found[0])] if found else []
    found += [value for name, value in parse_qsl(parts.query) if is_secret_name(name)]
    return [Secret(value) for value in found]
