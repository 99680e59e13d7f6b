"""The settings of a connection. `config/` makes them of a file; a program may make them itself."""

from __future__ import annotations

import enum
import math
from pathlib import Path
from typing import ClassVar

import msgspec

from manager.bounds import BOUNDS, contradictions
from manager.endpoint import Endpoint
from manager.secret import SecretSource
from manager.sources import UNKNOWN, Sources


class Policy(msgspec.Struct, frozen=True, kw_only=True):
    """The numbers by which a connection is kept up. Times in seconds.

    Raises:
        ValueError: a number is out of its bounds, or two contradict each other (`manager.bounds`).
    """

    base_delay: float = 1.0
    """Wait before attempt 1; doubled for each that follows."""
    max_delay: float = 30.0
    """The longest of these waits, but for what a server asks for."""
    max_attempts: int = 15
    """Failed attempts after which a connection is parked."""
    connect_timeout: float = 15.0
    """Covers name lookup, connect, TLS, handshake and login together."""
    heartbeat_interval: float = 25.0
    """Less a hundredth at most: heartbeats that are due at about the same time go together."""
    heartbeat_timeout: float = 10.0
    """Deadline of a heartbeat, and of a health check."""
    suspect_timeout: float = 3.0
    """Deadline of the heartbeats of a suspect, which follow each other at once."""
    health_interval: float = 30.0
    """From the answer to one health check until the next."""
    unhealthy_threshold: int = 3
    """Failures in a row at which a session is given up."""
    stable_after: float = 30.0
    """How long a session is up before the attempts count from nothing again."""
    cooldown: float = 300.0
    """Between the slow probes of a parked connection; 0 for none."""
    blocked_retry: float = 1800.0
    """Between the tries of a blocked connection; 0 for none."""
    jitter: float = 0.2
    """Share of a wait that chance may take off."""
    login_budget: int = 4
    """Refused logins that a host gets within `login_window`."""
    login_window: float = 600.0
    start_rate: float = 80.0
    """Connections that are opened on a host in a second at most; 0 for no such bound."""
    sibling_wake: bool = True
    """Whether a connection of the same group that comes back ends a wait."""
    sibling_doubt: bool = True
    """Whether the death of a connection of the same group calls for a heartbeat at once."""
    peek: bool = True
    """Whether a host that is waited for is looked at, without credentials, and its return ends the wait."""
    flap_watch: bool = True
    """Whether sessions that end by themselves in a rhythm, or very often, are recognised and explained."""

    def __post_init__(self) -> None:
        numbers = msgspec.structs.asdict(self)
        for name, bound in BOUNDS.items():
            if not bound.fits(numbers[name]):
                raise ValueError(f"{name} is {numbers[name]!r}; expected {bound.expected}")
        for contradiction in contradictions(numbers):
            raise ValueError(f"{contradiction.found}; expected {contradiction.expected}")


class Tls(msgspec.Struct, frozen=True, kw_only=True):
    """How a server's certificate is checked, and which one is shown to it."""

    ca_file: Path | None = None
    """PEM file of the authorities to trust instead of the system's."""
    cert_file: Path | None = None
    key_file: Path | None = None
    verify: bool = True
    server_name: str | None = None
    """Name to check the certificate against, where it is not the endpoint's host."""


class Strategy(enum.StrEnum):
    """How one of several endpoints is chosen among those that are not set aside."""

    PRIORITY = "priority"
    """The first in their order; back to the first of all when it has been well for a while."""
    ROUND_ROBIN = "round-robin"
    LEAST_LATENCY = "least-latency"
    """The one whose heartbeats are answered fastest; one that was never measured is tried first."""
    WEIGHTED = "weighted"
    """By chance, an endpoint of weight 3 three times as often as one of weight 1."""
    RANDOM = "random"


class ConnectionSettings(msgspec.Struct, frozen=True, kw_only=True):
    """What every type of connection has.

    Raises:
        ValueError: there is no endpoint, none for a spare, no name, or a weight that is no number above 0.
    """

    type: ClassVar[str]
    name: str
    endpoints: tuple[Endpoint, ...]
    strategy: Strategy = Strategy.PRIORITY
    spare: bool = False
    """Whether a second session is kept warm on another endpoint, to take over at once."""
    policy: Policy = Policy()
    policy_name: str = "default"
    """What the policy is called in the file; numbers of the connection's own may differ from it."""
    tls: Tls = Tls()
    weight: float = 1.0
    """Share in the aggregate health."""
    group: str | None = None
    """Connections that share a fate; the endpoint's host where it is not set."""
    sources: Sources = UNKNOWN
    """Where they were written down."""

    def __post_init__(self) -> None:
        if not self.name:
            raise ValueError("a connection needs a name")
        if not self.endpoints:
            raise ValueError(f"the connection {self.name!r} needs at least one endpoint")
        if self.spare and len(self.endpoints) < 2:
            raise ValueError(f"the spare of {self.name!r} needs a second endpoint")
        if not 0 < self.weight < math.inf:
            raise ValueError(f"the weight of {self.name!r} is {self.weight!r}; expected a number above 0")

    def secrets(self) -> tuple[SecretSource, ...]:
        """Return every source of a secret that a login uses."""
        return ()


class AmiSettings(ConnectionSettings, frozen=True, kw_only=True):
    """A login to Asterisk's manager interface."""

    type: ClassVar[str] = "ami"
    username: str
    password: SecretSource

    def secrets(self) -> tuple[SecretSource, ...]:
        return (self.password,)


class SipSettings(ConnectionSettings, frozen=True, kw_only=True):
    """A registration at a SIP registrar."""

    type: ClassVar[str] = "sip"
    aor: str
    """Address of record: `sip:6001@pbx1.example.com`."""
    username: str
    password: SecretSource
    expires: int = 300
    """Lifetime of the binding that is asked for; the registrar grants what it likes."""
    invite_answer: int = 486
    """Status code that an incoming INVITE is refused with."""

    def secrets(self) -> tuple[SecretSource, ...]:
        return (self.password,)


class WebSocketSettings(ConnectionSettings, frozen=True, kw_only=True):
    """A WebSocket client."""

    type: ClassVar[str] = "websocket"
    headers: dict[str, str | SecretSource] = {}
    query: dict[str, str | SecretSource] = {}
    """Parameters appended to the address; masked wherever it is shown."""
    subprotocols: tuple[str, ...] = ()
    on_connect: tuple[str | SecretSource, ...] = ()
    """Text messages sent after each connect."""
    heartbeat_message: str | None = None
    """Text message of a heartbeat, answered by any message; a protocol ping where it is not set."""
    check_message: str | None = None
    """Text message of the health check; no check where it is not set."""
    check_reply: str | None = None
    """Text that the reply to `check_message` contains."""
    compression: bool = False
    proxy: str | SecretSource | None = None
    """Address of an HTTP or SOCKS proxy; the environment's proxies are not used."""
    max_message_size: int = 1024 * 1024
    """Bytes; a larger message ends the session."""

    def secrets(self) -> tuple[SecretSource, ...]:
        values = [*self.headers.values(), *self.query.values(), *self.on_connect, self.proxy]
        values += [SecretSource(plain=endpoint.url) for endpoint in self.endpoints if endpoint.bears_secret]
        return tuple(value for value in values if isinstance(value, SecretSource))
