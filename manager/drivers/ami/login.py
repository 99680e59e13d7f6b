"""From the banner to an accepted login. Credentials go out once, by one way."""

from __future__ import annotations

import hashlib

import msgspec

from manager.drivers.ami.message import AmiReply, FieldValue, is_unsendable
from manager.drivers.ami.session import AmiSession
from manager.drivers.base import DriverError, SessionListener
from manager.drivers.failures import LOGGED_IN_ALREADY
from manager.errors import NotConnectedError
from manager.model import Failure, FailureClass, Stage
from manager.secret import Secret

_BANNER = "Asterisk Call Manager"


async def log_in(
    session: AmiSession, username: str, secret: Secret, listener: SessionListener, *, events: str
) -> None:
    """Read the banner and log in: by MD5 challenge where that is offered, with the secret itself otherwise.

    `events` is the mask of the events that are sent from then on. A refused key is not followed by the secret
    itself: it is as wrong, and counts again on the server.

    Raises:
        DriverError: no manager interface answers, it refuses the login, or closes.
    """
    stage = Stage.HANDSHAKE
    listener.reached(stage)
    try:
        _check_banner(await session.connection.banner())
        challenge = await session.connection.exchange({"Action": "Challenge", "AuthType": "MD5"})
        login: dict[str, FieldValue] = {"Action": "Login", "Username": username, "Events": events}
        if challenge.ok and challenge.first("Challenge"):
            login |= {"AuthType": "MD5", "Key": _key(challenge.first("Challenge"), secret)}
        else:
            login |= {"Secret": secret}
        stage = Stage.LOGIN
        listener.reached(stage)
        reply = await session.connection.exchange(login)
    except NotConnectedError:
        raise DriverError(await _cut_short(session, stage)) from None
    if not reply.ok:
        raise DriverError(_refusal(session, reply))


def check_credentials(username: str, secret: Secret) -> None:
    """Raise `DriverError` where a login cannot be put into header lines."""
    if is_unsendable(username) or is_unsendable(secret.reveal()):
        raise DriverError(
            Failure(
                kind=FailureClass.CONFIGURATION,
                stage=Stage.SECRET,
                reason="the AMI username or secret holds a line end, or is no text",
                hint="a secret in a file is its one line",
            )
        )


def _check_banner(banner: str) -> None:
    if not banner.startswith(_BANNER):
        raise DriverError(
            Failure(
                kind=FailureClass.TRANSIENT,
                stage=Stage.HANDSHAKE,
                reason="this is no Asterisk manager interface",
                hint="another service listens on this port; AMI's own is 5038",
            )
        )


async def _cut_short(session: AmiSession, stage: Stage) -> Failure:
    failure = await session.ended()
    cause = session.connection.lost.result()
    if cause is not None and not isinstance(cause, ConnectionError):
        return msgspec.structs.replace(failure, stage=stage)
    if session.connection.protocol.reader.banner is None:
        # Asterisk closes sessions beyond `authlimit` before it says anything.
        return Failure(
            kind=FailureClass.OVERLOAD,
            stage=stage,
            reason="closed without a word",
            hint="too many sessions that have not logged in yet (authlimit in manager.conf), or Asterisk "
            "is only just starting or stopping",
        )
    return Failure(
        kind=FailureClass.TRANSIENT,
        stage=stage,
        reason="closed before login",
        hint="Asterisk stops, or a login takes longer than authtimeout in manager.conf",
    )


def _key(challenge: str, secret: Secret) -> Secret:
    # MD5 is what AMI has.
    return Secret(hashlib.md5(f"{challenge}{secret.reveal()}".encode(), usedforsecurity=False).hexdigest())


def _refusal(session: AmiSession, reply: AmiReply) -> Failure:
    if reply.text.lower() == "login already in use":
        # Told before the secret is looked at; the session in the way may be one of ours that Asterisk has not
        # missed yet.
        return Failure(
            kind=FailureClass.TRANSIENT,
            stage=Stage.LOGIN,
            reason=LOGGED_IN_ALREADY,
            hint="manager.conf has allowmultiplelogin = no: give each client a user of its own",
        )
    if reply.text.lower() == "authentication failed":
        reason = "wrong AMI secret or ACL"
        hint = "AMI does not tell the two apart: check the secret, and permit and deny in manager.conf"
    else:
        reason = f"login refused: {session.quoted(reply.text)}"
        hint = "check the user in manager.conf"
    return Failure(kind=FailureClass.CREDENTIALS, stage=Stage.LOGIN, reason=reason, hint=hint)
