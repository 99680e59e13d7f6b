from __future__ import annotations

import asyncio
import gc
import hashlib

import msgspec
import pytest

from manager.drivers.ami import create
from manager.drivers.base import DriverError
from manager.model import FailureClass, Stage
from manager.secret import SecretSource
from tests.unit.ami.peer import (
    BANNER,
    CANARY,
    Peer,
    Recorder,
    cancel_at_every_await,
    failure_of_open,
    hold,
    open_session,
    opened,
    serving,
    settings,
)


async def usable(peer: Peer) -> None:
    await peer.log_in()
    await hold(peer)


async def test_the_stages_are_reported_in_order_and_login_only_before_the_credentials():
    listener = Recorder()
    before_login: list[Stage] = []

    async def script(peer: Peer) -> None:
        await peer.challenge()
        before_login.extend(listener.stages)
        await peer.action("Login")

    async with serving(script) as server:
        await failure_of_open(server, listener)
    assert listener.stages == [Stage.SECRET, Stage.LOOKUP, Stage.CONNECT, Stage.HANDSHAKE, Stage.LOGIN]
    assert Stage.LOGIN not in before_login[:-1]


async def test_the_answer_to_a_challenge_is_the_digest_and_never_the_secret():
    logins: list[dict[str, str]] = []

    async def script(peer: Peer) -> None:
        logins.append(await peer.log_in())
        await hold(peer)

    async with opened(script):
        pass
    expected = hashlib.md5(f"175677673{CANARY}".encode()).hexdigest()
    assert logins[0] | {"ActionID": ""} == {
        "Action": "Login",
        "ActionID": "",
        "Username": "monitor",
        "Events": "on",
        "AuthType": "MD5",
        "Key": expected,
    }


async def test_a_server_without_challenges_gets_a_plain_login():
    async def script(peer: Peer) -> None:
        await peer.send(BANNER)
        await peer.answer("Challenge", "Error", "Message: Invalid/unknown command: Challenge.")
        login = await peer.answer("Login")
        assert login["Secret"] == CANARY
        assert "Key" not in login
        await peer.message("Event: FullyBooted")
        await peer.look()
        await hold(peer)

    async with opened(script) as (_, server):
        assert server.connections == 1


async def test_a_refused_key_is_not_followed_by_the_secret():
    rest: list[bytes] = []

    async def script(peer: Peer) -> None:
        await peer.challenge()
        await peer.answer("Login", "Error", "Message: Authentication failed")
        rest.append(await peer.rest())

    async with serving(script) as server:
        failure = await failure_of_open(server)
        assert failure.kind is FailureClass.CREDENTIALS
        assert failure.stage is Stage.LOGIN
        assert failure.reason == "wrong AMI secret or ACL"
        assert "does not tell the two apart" in failure.hint
        assert server.connections == 1
    assert rest == [b""]


async def test_another_refusal_of_the_login_is_quoted_without_the_secret_in_it():
    async def script(peer: Peer) -> None:
        await peer.challenge()
        await peer.answer("Login", "Error", f"Message: no \x1b[31muser with {CANARY} " + "x" * 200)
        await hold(peer)

    async with serving(script) as server:
        failure = await failure_of_open(server)
    assert failure.kind is FailureClass.CREDENTIALS
    assert failure.reason.startswith("login refused: no \N{REPLACEMENT CHARACTER}[31muser with *** xxx")
    assert len(failure.reason) < 140


async def test_a_session_is_usable_once_asterisk_has_booted():
    order: list[str] = []

    async def script(peer: Peer) -> None:
        await peer.challenge()
        await peer.answer("Login")
        await peer.look()
        order.append("booted")
        await peer.message("Event: FullyBooted")
        await hold(peer)

    async with opened(script):
        order.append("usable")
    assert order == ["booted", "usable"]


async def test_fully_booted_may_come_before_the_reply_to_the_login(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr("manager.drivers.ami.session.BOOT_TIMEOUT", 600.0)

    async def script(peer: Peer) -> None:
        await peer.challenge()
        await peer.message("Event: FullyBooted")
        await peer.answer("Login")
        await peer.look()
        await hold(peer)

    async with opened(script) as (session, _):
        assert session.facts["version"] == "22.10.1"


async def test_a_user_who_never_sees_fully_booted_is_usable_all_the_same(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr("manager.drivers.ami.session.BOOT_TIMEOUT", 0.05)

    async def script(peer: Peer) -> None:
        await peer.challenge()
        await peer.answer("Login")
        await peer.answer("CoreSettings", "Error", "Message: Permission denied")
        await peer.answer("CoreStatus", "Error", "Message: Permission denied")
        await hold(peer)

    async with opened(script) as (session, _):
        assert session.facts == {"ami": "11.0.0"}


async def test_a_server_that_hangs_after_the_login_counts_as_usable(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr("manager.drivers.ami.session.BOOT_TIMEOUT", 0.05)

    async def script(peer: Peer) -> None:
        await peer.challenge()
        await peer.answer("Login")
        await hold(peer)

    async with opened(script) as (session, _):
        assert not session.connection.protocol.responses


async def test_the_facts_of_an_asterisk_are_known_when_the_session_opens():
    async with opened(usable) as (session, _):
        assert session.facts == {
            "ami": "11.0.0",
            "version": "22.10.1",
            "build": "22.10.1+dfsg-1",
            "system": "lab",
            "started": "2026-11-23 18:28:19",
            "reloaded": "2026-11-23 18:30:00",
            "calls": 0,
        }


async def test_facts_are_short_and_on_one_line_whatever_the_server_says():
    async def script(peer: Peer) -> None:
        await peer.challenge()
        await peer.answer("Login")
        await peer.message("Event: FullyBooted")
        await peer.answer("CoreSettings", "Success", "SystemName: \x1b]52;c;" + "x" * 5000)
        await peer.answer("CoreStatus", "Success", "CoreStartupDate: \x1b[2J")
        await hold(peer)

    async with opened(script) as (session, _):
        facts = session.facts
    assert facts["system"] == "\N{REPLACEMENT CHARACTER}]52;c;" + "x" * 112 + "…"
    assert facts["started"] == "\N{REPLACEMENT CHARACTER}[2J"


async def test_a_secret_quoted_back_is_masked_where_the_quote_is_cut_too():
    async def script(peer: Peer) -> None:
        await peer.challenge()
        await peer.answer("Login", "Error", f"Message: {'x' * 74}{CANARY}")
        await hold(peer)

    async with serving(script) as server:
        failure = await failure_of_open(server)
    assert failure.reason == f"login refused: {'x' * 74}***"


async def close_at_once(peer: Peer) -> None:
    await peer.close()


async def close_after_banner(peer: Peer) -> None:
    await peer.send(BANNER)
    await peer.close()


async def close_after_challenge(peer: Peer) -> None:
    await peer.send(BANNER)
    await peer.action("Challenge")
    await peer.close()


async def close_after_login(peer: Peer) -> None:
    await peer.challenge()
    await peer.action("Login")
    await peer.close()


async def close_before_booted(peer: Peer) -> None:
    await peer.challenge()
    await peer.answer("Login")
    await peer.look()
    await peer.close()


async def test_a_close_without_a_word_is_what_a_full_authlimit_looks_like():
    async with serving(close_at_once) as server:
        failure = await failure_of_open(server)
    assert (failure.kind, failure.stage) == (FailureClass.OVERLOAD, Stage.HANDSHAKE)
    assert failure.reason == "closed without a word"
    assert "authlimit" in failure.hint
    assert failure.retry_after is None


@pytest.mark.parametrize(
    ("script", "stage"),
    [
        (close_after_banner, Stage.HANDSHAKE),
        (close_after_challenge, Stage.HANDSHAKE),
        (close_after_login, Stage.LOGIN),
    ],
)
async def test_a_close_after_the_banner_and_before_the_login_is_transient(script, stage):
    async with serving(script) as server:
        failure = await failure_of_open(server)
    assert (failure.kind, failure.stage) == (FailureClass.TRANSIENT, stage)
    assert failure.reason == "closed before login"
    assert "authtimeout" in failure.hint


async def test_a_user_that_is_logged_in_already_is_no_wrong_secret():
    async def script(peer: Peer) -> None:
        await peer.challenge()
        await peer.answer("Login", "Error", "Message: Login Already In Use")
        await hold(peer)

    async with serving(script) as server:
        failure = await failure_of_open(server)
    assert (failure.kind, failure.stage) == (FailureClass.TRANSIENT, Stage.LOGIN)
    assert "allowmultiplelogin" in failure.hint


async def test_a_close_after_the_login_fails_the_opening(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr("manager.drivers.ami.session.BOOT_TIMEOUT", 600.0)
    async with serving(close_before_booted) as server:
        failure = await failure_of_open(server)
    assert (failure.kind, failure.reason) == (FailureClass.TRANSIENT, "closed by the server")


async def test_another_service_on_the_port_is_said_to_be_one():
    async def script(peer: Peer) -> None:
        await peer.send("SSH-2.0-OpenSSH_9.2p1\r\n")
        assert await peer.rest() == b""

    async with serving(script) as server:
        failure = await failure_of_open(server)
    assert (failure.kind, failure.stage) == (FailureClass.TRANSIENT, Stage.HANDSHAKE)
    assert failure.reason == "this is no Asterisk manager interface"


async def test_a_banner_that_does_not_end_fails_the_opening():
    async def script(peer: Peer) -> None:
        await peer.send("x" * 300)
        await hold(peer)

    async with serving(script) as server:
        failure = await failure_of_open(server)
    assert (failure.kind, failure.stage) == (FailureClass.TRANSIENT, Stage.HANDSHAKE)
    assert failure.reason == "the server sent a line longer than 256 bytes"


async def test_a_port_where_nothing_listens_is_a_refused_connection():
    async with serving(hold) as server:
        pass
    failure = await failure_of_open(server)
    assert (failure.kind, failure.stage) == (FailureClass.TRANSIENT, Stage.CONNECT)
    assert failure.reason == "connection refused"


@pytest.mark.parametrize("ending", ["\nEvents: off", "\r", "\0", "\udcff"])
async def test_a_secret_that_is_no_line_of_text_is_a_mistake_here_and_reaches_no_server(ending):
    async with serving(hold) as server:
        failure = await failure_of_open(server, password=CANARY + ending)
        assert server.connections == 0
    assert (failure.kind, failure.stage) == (FailureClass.CONFIGURATION, Stage.SECRET)
    assert CANARY not in failure.reason + failure.hint


async def hang_at_once(peer: Peer) -> None:
    await hold(peer)


async def hang_after_banner(peer: Peer) -> None:
    await peer.send(BANNER)
    await hold(peer)


async def hang_after_challenge(peer: Peer) -> None:
    await peer.challenge()
    await peer.action("Login")
    await hold(peer)


async def hang_after_login(peer: Peer) -> None:
    await peer.challenge()
    await peer.answer("Login")
    await hold(peer)


async def hang_before_booted(peer: Peer) -> None:
    await peer.challenge()
    await peer.answer("Login")
    await peer.look()
    await hold(peer)


@pytest.mark.parametrize(
    "script", [hang_at_once, hang_after_banner, hang_after_challenge, hang_after_login, hang_before_booted]
)
async def test_an_opening_given_up_while_the_server_hangs_leaves_nothing(script, monkeypatch):
    monkeypatch.setattr("manager.drivers.ami.session.BOOT_TIMEOUT", 600.0)
    hanging = asyncio.Event()

    async def announced(peer: Peer) -> None:
        peer.rest = _announcing(peer.rest, hanging)
        await script(peer)

    async with serving(announced) as server:
        chosen = settings(server)
        opening = asyncio.create_task(create(chosen, {}).open(chosen.endpoints[0], Recorder()))
        async with asyncio.timeout(60):
            await hanging.wait()
        opening.cancel()
        with pytest.raises(asyncio.CancelledError):
            await opening
    gc.collect()


def _announcing(rest, hanging: asyncio.Event):
    async def announced() -> bytes:
        hanging.set()
        return await rest()

    return announced


async def test_an_opening_can_be_cancelled_at_every_await():
    async with serving(usable) as server:
        await cancel_at_every_await(settings(server))
    gc.collect()


async def test_an_unreadable_secret_is_a_mistake_here(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.delenv("TRUNKLINE_NO_SUCH", raising=False)
    async with serving(hold) as server:
        chosen = settings(server)
        chosen = msgspec.structs.replace(chosen, password=SecretSource(env="TRUNKLINE_NO_SUCH"))
        with pytest.raises(DriverError) as caught:
            await create(chosen, {}).open(chosen.endpoints[0], Recorder())
    assert caught.value.failure.kind is FailureClass.CONFIGURATION
    assert caught.value.failure.stage is Stage.SECRET


async def test_two_sessions_of_one_driver_share_nothing():
    async with serving(usable) as server:
        first, second = await open_session(server), await open_session(server)
        await first.close(graceful=False)
        assert not second.connection.lost.done()
        await second.close(graceful=False)
