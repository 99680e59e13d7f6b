"""A cable of the tests' own that can be pulled: packets vanish, and nobody is told.

A network namespace is the far side and a veth pair the cable. To pull it is to give a side a link-layer
address for the other that nobody has: what it sends is dropped by the card that takes it, as when the cable
is out behind a switch. A link that is down, or a firewall's rule, would be told to the programs of its side.
"""

from __future__ import annotations

import os
from ipaddress import IPv4Address, IPv4Network
from pathlib import Path

from tests.real.debian import NotHereError, run

_NETWORKS = IPv4Network("198.18.0.0/15")
"""Kept for tests between devices (RFC 2544); every run takes four addresses of it, by its number."""
_NETWORK = int(_NETWORKS[os.getpid() * 4 % _NETWORKS.num_addresses])
NEAR, FAR = str(IPv4Address(_NETWORK + 1)), str(IPv4Address(_NETWORK + 2))
"""Addresses of the two sides: the clients are near, the server is far."""

_PREFIX = "trunkline-"
_NEAR_CARD, _FAR_CARD, _NO_CARD = "02:00:00:00:00:01", "02:00:00:00:00:02", "02:00:00:00:00:03"


class Cable:
    """A namespace and the cable to it; one a run at a time.

    Raises:
        NotHereError: this machine lets nobody make a namespace, as most containers.
    """

    def __init__(self) -> None:
        _remove_leftovers()
        self.namespace = f"{_PREFIX}{os.getpid()}"
        self._near, self._far = f"tl{os.getpid()}-near", f"tl{os.getpid()}-far"
        try:
            run("ip", "netns", "add", self.namespace)
        except RuntimeError as error:
            raise NotHereError(f"no network namespace can be made here: {error}") from None
        try:
            far_side = ("peer", "name", self._far, "address", _FAR_CARD, "netns", self.namespace)
            run("ip", "link", "add", self._near, "address", _NEAR_CARD, "type", "veth", *far_side)
            self._take_up(NEAR, self._near)
            self._take_up(FAR, self._far, "-n", self.namespace)
            self.mend()
        except BaseException:
            self.remove()
            raise

    @property
    def inside(self) -> list[str]:
        """What a command on the far side begins with."""
        return ["ip", "netns", "exec", self.namespace]

    def pull(self, *, towards_server: bool = True, towards_clients: bool = True) -> None:
        """Lose all packets from now on, in both directions or one."""
        if towards_server:
            self._send_to_server(_NO_CARD)
        if towards_clients:
            self._send_to_clients(_NO_CARD)

    def mend(self) -> None:
        """Let packets arrive again."""
        self._send_to_server(_FAR_CARD)
        self._send_to_clients(_NEAR_CARD)

    def remove(self) -> None:
        """Remove the namespace, and the cable with it."""
        if Path("/sys/class/net", self._near).exists():
            # By itself it goes some time after its namespace.
            run("ip", "link", "delete", self._near)
        run("ip", "netns", "delete", self.namespace)

    def _take_up(self, address: str, device: str, *where: str) -> None:
        run("ip", *where, "address", "add", f"{address}/30", "dev", device)
        run("ip", *where, "link", "set", device, "up")

    def _send_to_server(self, card: str) -> None:
        run("ip", "neighbour", "replace", FAR, "lladdr", card, "dev", self._near, "nud", "permanent")

    def _send_to_clients(self, card: str) -> None:
        where = ("-n", self.namespace)
        run("ip", *where, "neighbour", "replace", NEAR, "lladdr", card, "dev", self._far, "nud", "permanent")


def _remove_leftovers() -> None:
    """Remove what runs that were killed have left; their number is in the name."""
    for left in Path("/run/netns").glob(f"{_PREFIX}*"):
        if not Path("/proc", left.name.removeprefix(_PREFIX)).exists():
            run("ip", "netns", "delete", left.name)
