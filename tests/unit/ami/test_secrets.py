"""The secret is looked for everywhere but in the bytes that have to hold it."""

from __future__ import annotations

import asyncio
import gc
import logging
import traceback

import pytest

from manager.drivers.ami import create
from manager.drivers.ami.connection import PendingAction
from manager.drivers.ami.message import AmiMessage
from manager.drivers.base import DriverError
from manager.secret import Secret
from tests.unit.ami.peer import (
    BANNER,
    CANARY,
    Peer,
    Recorder,
    failure_of_open,
    hold,
    opened,
    serving,
    settings,
)


async def accepted(peer: Peer) -> None:
    await peer.log_in()
    await hold(peer)


async def plain(peer: Peer) -> None:
    await peer.send(BANNER)
    await peer.answer("Challenge", "Error", "Message: unknown")
    await peer.answer("Login", "Error", "Message: Authentication failed")
    await hold(peer)


async def echoed(peer: Peer) -> None:
    await peer.send(BANNER)
    await peer.answer("Challenge", "Error", "Message: unknown")
    login = await peer.action("Login")
    await peer.reply(login, "Error", f"Message: no {login['Secret']} here")
    await hold(peer)


async def dropped(peer: Peer) -> None:
    await peer.send(BANNER)
    await peer.answer("Challenge", "Error", "Message: unknown")
    await peer.action("Login")
    await peer.close()


async def garbage(peer: Peer) -> None:
    await peer.send(BANNER)
    await peer.answer("Challenge", "Error", "Message: unknown")
    login = await peer.action("Login")
    await peer.send(login["Secret"] * 10_000)
    await hold(peer)


async def silent(peer: Peer) -> None:
    await peer.send(BANNER)
    await peer.answer("Challenge", "Error", "Message: unknown")
    await peer.action("Login")
    await hold(peer)


@pytest.mark.parametrize("script", [accepted, plain, echoed, dropped, garbage, silent])
async def test_the_secret_is_in_no_log_exception_or_repr(script, caplog: pytest.LogCaptureFixture):
    caplog.set_level(logging.DEBUG)
    for name in ("panoramisk", "asyncio", "manager"):
        caplog.set_level(logging.DEBUG, logger=name)
    loop = asyncio.get_running_loop()
    loop.set_debug(True)
    loop.slow_callback_duration = 0.0
    seen: list[str] = []
    async with serving(script) as server:
        chosen = settings(server)
        driver = create(chosen, {})
        listener = Recorder()
        opening = asyncio.create_task(driver.open(chosen.endpoints[0], listener))
        done, _ = await asyncio.wait([opening], timeout=0.5 if script is silent else 10)
        seen += [repr(one) for one in asyncio.all_tasks()]
        seen += [repr(one) for one in gc.get_objects() if isinstance(one, (PendingAction, AmiMessage))]
        if not done:
            opening.cancel()
        try:
            session = await opening
        except (DriverError, asyncio.CancelledError) as error:
            seen += [repr(error), *traceback.format_exception(error)]
            if isinstance(error, DriverError):
                seen += [repr(error.failure), repr(vars(error))]
        else:
            seen += [
                repr(session),
                repr(vars(session)),
                repr(vars(session.connection.protocol)),
                repr(session.facts),
            ]
            await session.close(graceful=False)
        seen += [repr(driver), repr(vars(driver)), repr(chosen), repr(listener.events)]
    assert "Executing" in caplog.text
    assert CANARY not in "\n".join([*seen, caplog.text])


async def test_a_server_that_repeats_the_secret_after_the_login_has_it_masked():
    async def script(peer: Peer) -> None:
        await peer.challenge()
        await peer.answer("Login")
        await peer.message("Event: FullyBooted")
        await peer.answer("CoreSettings", "Success", f"SystemName: pbx of {CANARY}")
        await peer.answer("CoreStatus", "Error", f"Message: no {CANARY} here")
        await peer.answer("Ping", "Error", f"Message: no {CANARY} here")
        await hold(peer)

    async with opened(script) as (session, _):
        assert session.facts["system"] == "pbx of ***"
        with pytest.raises(DriverError) as caught:
            await session.heartbeat()
    assert caught.value.failure.reason == "Ping refused: no *** here"


async def test_an_action_with_a_secret_is_told_by_its_name_alone():
    action = PendingAction({"Action": "Login", "Secret": Secret(CANARY), "Username": "monitor"})
    assert repr(action) == str(action) == f"{action}" == "<PendingAction Login>"
    assert CANARY not in repr(dict(action))
    assert CANARY not in repr(vars(action))
    action.future.cancel()


async def test_a_server_that_repeats_the_key_of_a_login_has_it_masked_in_what_is_recorded():
    listener, keys = Recorder(), []

    async def script(peer: Peer) -> None:
        await peer.challenge()
        login = await peer.action("Login")
        keys.append(login["Key"])
        await peer.reply(login, "Error", f"Message: no {login['Key']} here")
        await hold(peer)

    async with serving(script) as server:
        await failure_of_open(server, listener)
    recorded = b"".join(content for _, content, _ in listener.wires)
    assert b"Message: no *** here" in recorded
    assert keys[0].encode() not in recorded
