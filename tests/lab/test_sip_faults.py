"""The faults of the lab's registrar over UDP, where there is no connection to accept and close."""

from __future__ import annotations

import asyncio

import pytest

from manager.lab.faults import Fault
from tests.lab.capture import capture
from tests.lab.datagrams import RawDatagrams
from tests.lab.test_sip_server import register, registered, server


@pytest.mark.parametrize("fault", [Fault.HANG, Fault.ACCEPT_AND_CLOSE, Fault.CLOSE_IN_HANDSHAKE, Fault.RESET])
async def test_over_udp_these_faults_answer_nothing(fault: Fault) -> None:
    async with server() as sip:
        with RawDatagrams(sip.port) as client:
            sip.fault = fault
            client.send(register())
            assert await client.hears_nothing()
            sip.fault = None
            client.send(register(number=2))
            assert b" 401 " in await client.next()


async def test_over_udp_refuse_is_heard_as_a_closed_port_until_taken_back() -> None:
    async with server() as sip:
        with RawDatagrams(sip.port) as client:
            sip.fault = Fault.REFUSE
            with pytest.raises(ConnectionRefusedError):
                await _ask_on(client)
            sip.fault = None
            client.send(register(number=2))
            assert b" 401 " in await client.next()


async def _ask_on(client: RawDatagrams) -> None:
    """Ask again with every turn of the loop, in one of which the server closes its socket."""
    async with asyncio.timeout(60):
        while True:
            client.send(register())
            await asyncio.sleep(0)


async def test_over_udp_hang_after_login_registers_and_answers_nothing_else() -> None:
    async with server() as sip:
        with RawDatagrams(sip.port) as client:
            sip.fault = Fault.HANG_AFTER_LOGIN
            assert b" 200 OK" in await registered(client)
            client.send(capture("sip-options.txt")[0][1])
            client.send(register(call="fetch", contact=None))
            assert await client.hears_nothing()


async def test_over_udp_a_slow_one_answers_late_and_each_as_late_as_the_other(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    sleep, late_enough = asyncio.sleep, asyncio.Event()

    async def held(seconds: float) -> None:
        await (late_enough.wait() if seconds == 321.0 else sleep(seconds))

    monkeypatch.setattr("manager.lab.sip.asyncio.sleep", held)
    async with server() as sip:
        sip.delay = 321.0
        with RawDatagrams(sip.port) as client:
            sip.fault = Fault.SLOW
            for number in range(5):
                client.send(register(number=number))
            async with asyncio.timeout(60):
                while sip._late < 5:  # they wait side by side
                    await sleep(0)
            assert await client.hears_nothing()
            late_enough.set()
            for _ in range(5):
                assert b" 401 " in await client.next()


async def test_over_udp_garbage_takes_the_place_of_answers() -> None:
    async with server() as sip:
        with RawDatagrams(sip.port) as client:
            sip.fault = Fault.GARBAGE
            client.send(register())
            assert b"SIP/2.0" not in await client.next()


async def test_over_udp_a_datagram_is_cut_in_the_middle() -> None:
    async with server() as sip:
        with RawDatagrams(sip.port) as client:
            client.send(register())
            whole = await client.next()
            sip.fault = Fault.TRUNCATE
            client.send(register(number=2))
            assert len(await client.next()) == len(whole) // 2


async def test_a_wrong_password_is_asked_for_again_as_by_asterisk() -> None:
    async with server() as sip:
        with RawDatagrams(sip.port) as client:
            sip.fault = Fault.WRONG_PASSWORD
            assert b" 401 Unauthorized" in await registered(client)
    assert (sip.logins, sip.refused) == (0, 1)


async def test_an_overloaded_one_asks_for_patience() -> None:
    async with server() as sip:
        with RawDatagrams(sip.port) as client:
            sip.fault = Fault.OVERLOAD
            client.send(register())
            said = await client.next()
    assert said.startswith(b"SIP/2.0 503 Service Unavailable\r\n")
    assert b"\r\nRetry-After: 5\r\n" in said


async def test_it_counts_what_came() -> None:
    async with server() as sip:
        with RawDatagrams(sip.port) as client:
            await registered(client)
            client.send(capture("sip-options.txt")[0][1])
            await client.next()
    assert list(sip.requests) == ["REGISTER", "REGISTER", "OPTIONS"]


async def test_a_stop_while_a_slow_answer_and_a_call_are_under_way_leaves_nothing() -> None:
    sip = server()
    await sip.start()
    with RawDatagrams(sip.port) as client:
        await registered(client)
        calling = asyncio.create_task(sip.call("6001", "Eve"))
        await client.next()
        sip.fault = Fault.SLOW
        client.send(register(number=9))
        await asyncio.sleep(0)
        await sip.stop()
        calling.cancel()
        await asyncio.gather(calling, return_exceptions=True)
