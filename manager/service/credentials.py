"""Who is at the other end of a Unix socket, as the kernel knows it, and what that one may do."""

from __future__ import annotations

import errno
import os
import socket
import struct
from http import HTTPStatus
from typing import Any

import msgspec
from websockets.asyncio.server import ServerConnection
from websockets.http11 import Request

from manager.access import Access
from manager.service.entrance import TurnedAwayError
from manager.service.rights import Right, Visitor

_SO_PEERGROUPS = 59
"""asm-generic/socket.h; it has no name in the standard library."""
_GID = struct.calcsize("I")
_MOST_GROUPS = 1024 // _GID
"""What `socket.getsockopt` reads at most."""
_UCRED = struct.Struct("3i")
"""pid, uid and gid: `struct ucred` of unix(7)."""
_NOBODY_ELSE = "this service is another user's, and its [service] names no read_group and no act_group"


class Credentials(msgspec.Struct, frozen=True, kw_only=True):
    """A process as it was when it connected."""

    pid: int
    uid: int
    groups: frozenset[int]
    """Supplementary ones included, up to 256 of them: of who has more the first alone is known."""


def credentials_of(own: socket.socket) -> Credentials:
    """Return who connected a Unix socket."""
    pid, uid, gid = _UCRED.unpack(own.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, _UCRED.size))
    return Credentials(pid=pid, uid=uid, groups=frozenset({gid, *_supplementary(own)}))


def _supplementary(own: socket.socket) -> tuple[int, ...]:
    try:
        told = own.getsockopt(socket.SOL_SOCKET, _SO_PEERGROUPS, _MOST_GROUPS * _GID)
    except OSError as error:
        if error.errno in (errno.ERANGE, errno.ENOPROTOOPT):
            return ()
        raise
    return struct.unpack(f"{len(told) // _GID}I", told)


def right_of(who: Credentials, access: Access, *, own_uid: int) -> Right:
    """Return what a process may do: root and our own user everything, others as their groups may."""
    if who.uid in (0, own_uid):
        return Right.ACT
    if access.act_group is not None and access.act_group.gid in who.groups:
        return Right.ACT
    if access.read_group is not None and access.read_group.gid in who.groups:
        return Right.READ
    return Right.NONE


def visitor_of(who: Credentials, access: Access, *, own_uid: int) -> Visitor:
    """Return a process as a visitor.

    Raises:
        TurnedAwayError: it may do nothing; the text says what is missing.
    """
    label = f"process {who.pid} of user {who.uid}"
    right = right_of(who, access, own_uid=own_uid)
    if right is Right.NONE:
        raise TurnedAwayError(HTTPStatus.FORBIDDEN, _refusal(who, access), label=label)
    return Visitor(label, right, "" if right is Right.ACT else _lacking(access))


def _refusal(who: Credentials, access: Access) -> str:
    if not access.by_group:
        return _NOBODY_ELSE
    named = [
        f"{group.name} ({key})"
        for group, key in ((access.read_group, "read_group"), (access.act_group, "act_group"))
        if group is not None
    ]
    return f"user {who.uid} is not in the group {' or '.join(named)}"


def _lacking(access: Access) -> str:
    if access.act_group is None:
        return "the service's [service] names no act_group: act as its own user"
    return f"who is in the group {access.act_group.name} (act_group) may act"


class UnixEntrance:
    """The Unix socket of a service."""

    def __init__(self, listening: socket.socket, access: Access) -> None:
        self.socket = listening
        self.access = access
        """Who may do what; read for each who comes."""

    @property
    def options(self) -> dict[str, Any]:
        """No pings: the kernel tells at once when the other process has ended."""
        return {"unix": True, "ping_interval": None}

    def turn_out(self) -> None:
        """Do nothing: there is no handshake before the request."""

    def visitor(self, connection: ServerConnection, request: Request) -> Visitor:  # noqa: ARG002 - of a protocol
        """Return which process has come and what it may do.

        Raises:
            TurnedAwayError: nothing.
        """
        own = connection.transport.get_extra_info("socket")
        return visitor_of(credentials_of(own), self.access, own_uid=os.geteuid())
