"""What a later session has to know of an earlier one, also after a restart. Never a secret."""

from __future__ import annotations

import secrets
from typing import Annotated

import msgspec

from manager.drivers.base import Memory

_Token = Annotated[str, msgspec.Meta(pattern=r"\A[0-9a-f]*\Z")]


class Remembered(msgspec.Struct, frozen=True):
    """One registration; what could not be ours makes no sense as a whole."""

    contact: str = ""
    until: float = 0.0
    """When the binding runs out, unless it was taken back."""
    call_id: _Token = ""
    cseq: Annotated[int, msgspec.Meta(ge=0, lt=2**31 - 2**16)] = 0
    """Of the last REGISTER; below what CSeq may count to (RFC 3261 §8.1.1.5), with room for a session."""
    line: _Token = ""
    """A token of ours in every Contact: it tells our bindings from those of other devices."""
    port: Annotated[int, msgspec.Meta(ge=1, le=65535)] | None = None
    """The local port, so that the Contact can stay the same."""


def recall(memory: Memory, key: str) -> Remembered:
    """Return what an earlier session has left, with a Call-ID and a token in any case."""
    try:
        remembered = msgspec.json.decode(memory.get(key, "{}"), type=Remembered)
    except msgspec.MsgspecError:
        remembered = Remembered()
    if remembered.call_id and remembered.line:
        return remembered
    return msgspec.structs.replace(remembered, call_id=secrets.token_hex(16), line=secrets.token_hex(6))


def remember(memory: Memory, key: str, remembered: Remembered) -> None:
    """Leave this for a later session."""
    memory[key] = msgspec.json.encode(remembered).decode()
