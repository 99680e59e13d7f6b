"""The tokens by which other machines are let in."""

from __future__ import annotations

import hmac

import msgspec

from manager.access import Network
from manager.errors import TrunklineError
from manager.secret import Secret, SecretSource, SecretUnavailableError
from manager.service.address import fits_header
from manager.service.rights import Right

SHORTEST = 16
"""Characters of a token."""


class Tokens(msgspec.Struct, frozen=True):
    """What gives a right to who has it."""

    read: Secret | None = None
    act: Secret | None = None

    def right_of(self, token: str) -> Right:
        """Return what a token allows, in a time that tells nothing of the right one."""
        offered = token.encode("utf-8", "surrogateescape")
        may_read, may_act = _equal(self.read, offered), _equal(self.act, offered)
        return Right.ACT if may_act else Right.READ if may_read else Right.NONE


def _equal(secret: Secret | None, offered: bytes) -> bool:
    return secret is not None and hmac.compare_digest(secret.reveal().encode(), offered)


async def read_tokens(network: Network) -> Tokens:
    """Read the tokens of a service from where they are kept.

    Raises:
        TrunklineError: one cannot be read or used, or both are the same.
    """
    tokens = Tokens(
        await _read("read_token", network.read_token), await _read("act_token", network.act_token)
    )
    if tokens.read is not None and tokens.read == tokens.act:
        raise TrunklineError("read_token and act_token of [service] are the same")
    return tokens


async def _read(name: str, source: SecretSource | None) -> Secret | None:
    if source is None:
        return None
    try:
        secret = await source.read()
    except SecretUnavailableError as error:
        raise TrunklineError(f"{name} of [service]: {error}") from None
    if len(secret.reveal()) < SHORTEST:
        raise TrunklineError(
            f"{name} of [service] is shorter than {SHORTEST} characters", "make one: openssl rand -hex 24"
        )
    if not fits_header(secret.reveal()):
        raise TrunklineError(
            f"{name} of [service] has characters other than visible ASCII", "make one: openssl rand -hex 24"
        )
    return secret
