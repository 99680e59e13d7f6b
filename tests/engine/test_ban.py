"""A host that refused logins and then stopped answering says that it has probably banned us."""

from __future__ import annotations

import asyncio

from manager.events import replay
from manager.model import Phase, Stage
from tests.engine.fakes import REFUSED, WRONG_SECRET, FakeServer, House, failure, until

SILENCE = failure(reason="no answer (connect)")


def banned(house: House, name: str) -> bool:
    found = house.status(name).failure
    return found is not None and found.reason.startswith("probably banned")


async def refused_twice(house: House) -> None:
    """Have the connection `bad` refused twice while `good` is up on the same host."""
    house.servers |= {name: FakeServer() for name in ("bad", "good", "elsewhere")}
    house.add("good", secret=True, peek=False)
    house.add("elsewhere", host="pbx2")
    await house.until(Phase.UP, "good")
    await house.until(Phase.UP, "elsewhere")
    house.servers["bad"].open = WRONG_SECRET
    house.add("bad", secret=True)
    await house.until(Phase.BLOCKED, "bad")


async def test_silence_after_refusals_is_told_as_a_probable_ban_on_every_connection_of_the_host():
    async with House() as house:
        await refused_twice(house)
        house.servers["good"].open = SILENCE
        house.servers["good"].drop_all()
        await until(lambda: banned(house, "good"))
        status = house.status("good")
        assert status.failure.reason == (
            "probably banned: 2 logins were refused on pbx1 in 10 min, then it stopped answering"
        )
        assert "fail2ban-client" in status.failure.hint
        assert replay(house.events) == house.manager.get_connection_status()


async def test_a_deadline_that_strikes_while_connecting_is_silence_too():
    async with House() as house:
        await refused_twice(house)
        house.servers["good"].open, house.servers["good"].stage = FakeServer.HANG, Stage.CONNECT
        house.servers["good"].drop_all()
        await until(lambda: banned(house, "good"))


async def test_the_words_go_when_the_refusals_are_too_old_or_the_host_takes_a_login():
    async with House() as house:
        await refused_twice(house)
        house.servers["good"].open = SILENCE
        house.servers["good"].drop_all()
        await until(lambda: banned(house, "good"))
        await asyncio.sleep(700)
        await until(lambda: house.status("good").failure == SILENCE)
        house.servers["good"].open = None
        await until(lambda: house.status("good").stable)
        assert house.status("good").failure is None


async def test_a_host_that_took_a_login_after_the_refusals_is_only_silent():
    async with House() as house:
        await refused_twice(house)
        await asyncio.sleep(60)
        await house.manager.force_reconnection("good")
        house.servers["good"].open = SILENCE
        house.servers["good"].drop_all()
        await until(lambda: house.status("good").attempt == 4)
        assert house.status("good").failure == SILENCE


async def test_silence_without_refusals_is_only_silence():
    async with House() as house:
        house.add(secret=True)
        await house.until(Phase.UP)
        house.server.open = SILENCE
        house.server.drop_all()
        await until(lambda: house.status().failure == SILENCE)
        await house.until(Phase.PARKED)
        assert house.status().failure == SILENCE


async def test_a_server_that_stopped_after_refusals_is_only_refusing():
    async with House() as house:
        await refused_twice(house)
        house.servers["good"].open = REFUSED
        house.servers["good"].drop_all()
        await until(lambda: house.status("good").attempt == 4)
        assert house.status("good").failure == REFUSED
