"""Other settings for a manager that runs: what they touch, and what they leave alone."""

from __future__ import annotations

import asyncio

import pytest

from manager.endpoint import parse_endpoint
from manager.errors import ManagerGoneError, UnknownConnectionError
from manager.events import Added, Changed, Reloaded, Removed, StateChanged, replay
from manager.model import Phase
from manager.secret import Secret, SecretSource
from manager.settings import Policy
from manager.sources import Sources
from tests.engine.fakes import CANARY, REFUSED, WRONG_SECRET, FakeServer, FakeSettings, House, until


def settings(name: str, host: str = "pbx1", **extra) -> FakeSettings:
    extra.setdefault("policy", Policy(jitter=0.0))
    return FakeSettings(name=name, endpoints=(parse_endpoint(f"ami://{host}"),), **extra)


async def up(house: House, *names: str) -> None:
    await until(lambda: all(house.manager.states.get(name) is Phase.UP for name in names))


def phases(house: House, name: str) -> list[Phase]:
    return [event.phase for event in house.of(StateChanged, name)]


async def test_connections_are_added_removed_and_changed_and_the_others_hear_nothing_of_it():
    async with House() as house:
        await house.manager.reload([settings("same"), settings("gone"), settings("moved")])
        await up(house, "same", "gone", "moved")
        kept = house.manager.session("same")
        house.events.clear()
        await house.manager.reload([settings("new"), settings("same"), settings("moved", "pbx2")])
        await up(house, "new", "same", "moved")
        assert list(house.manager.states) == ["new", "same", "moved"]
        assert house.manager.session("same") is kept
        assert house.of(StateChanged, "same") == []
        assert phases(house, "gone") == [Phase.STOPPED]
        assert phases(house, "moved") == [Phase.STOPPED, Phase.CONNECTING, Phase.UP]
        assert house.status("moved").group == "pbx2"
        assert (len(house.of(Added)), len(house.of(Changed)), len(house.of(Removed))) == (1, 1, 1)
        (told,) = house.of(Reloaded)
        assert (told.added, told.removed, told.changed) == (("new",), ("gone",), ("moved",))
        assert len(house.server.open_sessions) == 3


async def test_the_same_settings_touch_nothing():
    async with House() as house:
        secret = SecretSource(plain=Secret(CANARY))
        await house.manager.reload([settings("one", password=secret)])
        await up(house, "one")
        house.events.clear()
        again = SecretSource(plain=Secret(CANARY))
        await house.manager.reload([settings("one", password=again)])
        assert [type(event) for event in house.events] == [Reloaded]


@pytest.mark.parametrize(
    "other",
    [
        {"host": "pbx2"},
        {"weight": 2.0},
        {"group": "a"},
        {"policy": Policy(jitter=0.0, max_attempts=3)},
        {"password": SecretSource(env="A")},
    ],
)
async def test_whatever_is_different_is_taken_up(other):
    async with House() as house:
        await house.manager.reload([settings("one", password=None)])
        await house.manager.reload([settings("one", **other)])
        (changed,) = house.of(Changed)
        assert house.of(Reloaded)[-1].changed == ("one",)
        assert changed.status.weight == other.get("weight", 1.0)
        assert changed.status.max_attempts == (3 if "policy" in other else 15)


async def test_other_credentials_take_up_one_that_was_blocked_at_once():
    async with House() as house:
        house.server.open = WRONG_SECRET
        await house.manager.reload([settings("one", password=SecretSource(plain=Secret("wrong")))])
        await house.until(Phase.BLOCKED)
        house.server.open = None
        began = asyncio.get_running_loop().time()
        await house.manager.reload([settings("one", password=SecretSource(plain=Secret(CANARY)))])
        await up(house, "one")
        assert asyncio.get_running_loop().time() - began < 1


async def test_one_that_is_paused_stays_so_under_its_new_settings():
    async with House() as house:
        await house.manager.reload([settings("one")])
        await up(house, "one")
        await house.manager.pause("one")
        await house.manager.reload([settings("one", "pbx2")])
        await asyncio.sleep(100)
        assert house.status().phase is Phase.PAUSED
        house.manager.resume("one")
        await up(house, "one")
        assert house.status().group == "pbx2"


async def test_what_cannot_be_taken_up_changes_nothing():
    async with House() as house:
        await house.manager.reload([settings("one")])
        await up(house, "one")
        house.events.clear()

        class Foreign(FakeSettings, frozen=True, kw_only=True):
            type = "foreign"

        foreign = Foreign(name="two", endpoints=(parse_endpoint("ami://pbx1"),))
        for wrong in ([settings("two"), settings("two")], [foreign]):
            with pytest.raises(ValueError, match=r"two|foreign"):
                await house.manager.reload(wrong)
        assert house.events == []
        assert house.manager.states == {"one": Phase.UP}


async def test_a_changed_connection_never_has_two_sessions():
    async with House() as house:
        house.server.close_takes = 2.0
        for number in range(5):
            await house.manager.reload([settings("one", f"pbx{number}")])
            await up(house, "one")
        assert house.server.most_open == 1


async def test_reloads_at_the_same_time_end_with_the_last():
    async with House() as house:
        house.server.close_takes = 1.0
        wanted = [[settings("one", f"pbx{number}"), settings(f"own{number}")] for number in range(4)]
        await asyncio.gather(*(house.manager.reload(each) for each in wanted))
        await up(house, "one", "own3")
        assert list(house.manager.states) == ["one", "own3"]
        assert house.status().group == "pbx3"
        assert replay(house.events) == house.manager.get_connection_status()


@pytest.mark.parametrize("turns", range(12))
async def test_a_stop_in_the_midst_of_a_reload_leaves_nothing(turns):
    async with House() as house:
        house.server.close_takes = 0.5
        await house.manager.reload([settings("gone"), settings("moved")])
        await up(house, "gone", "moved")
        reload = asyncio.create_task(house.manager.reload([settings("new"), settings("moved", "pbx2")]))
        for _ in range(turns):
            await asyncio.sleep(0)
        await house.manager.stop()
        outcome = await asyncio.gather(reload, return_exceptions=True)
        assert outcome == [None] or isinstance(outcome[0], ManagerGoneError)
    assert asyncio.all_tasks() == {asyncio.current_task()}
    assert not house.server.open_sessions


@pytest.mark.parametrize("turns", range(8))
async def test_a_reload_that_is_cancelled_leaves_every_connection_with_one_supervisor(turns):
    async with House() as house:
        house.server.close_takes = 0.5
        await house.manager.reload([settings("gone"), settings("moved")])
        await up(house, "gone", "moved")
        reload = asyncio.create_task(house.manager.reload([settings("moved", "pbx2")]))
        for _ in range(turns):
            await asyncio.sleep(0)
        reload.cancel()
        await asyncio.wait([reload])
        await house.manager.reload([settings("moved", "pbx3")])
        await up(house, "moved")
        assert house.manager.states == {"moved": Phase.UP}
        assert len(house.server.open_sessions) == 1
        assert replay(house.events) == house.manager.get_connection_status()


@pytest.mark.parametrize("paused", [False, True])
@pytest.mark.parametrize("turns", range(1, 9, 2))
async def test_a_connection_whose_change_is_given_up_can_be_taken_up_under_its_settings_of_before(
    turns, paused
):
    async with House() as house:
        house.server.close_takes = 0.5
        await house.manager.reload([settings("one")])
        await up(house, "one")
        if paused:
            await house.manager.pause("one")
        reload = asyncio.create_task(house.manager.reload([settings("one", "pbx2")]))
        for _ in range(turns):
            await asyncio.sleep(0)
        reload.cancel()
        await asyncio.wait([reload])
        assert house.status().phase is not Phase.STOPPED
        await house.manager.reload([settings("one")])
        assert (house.status().phase is Phase.PAUSED) is paused
        house.manager.resume("one")
        await up(house, "one")
        assert house.status().group == "pbx1"
        assert house.server.most_open == 1


async def test_one_that_is_down_is_no_longer_lost_under_other_settings():
    async with House() as house:
        other = house.servers["two"] = FakeServer()
        await house.manager.reload([settings("one"), settings("two")])
        await until(lambda: all(each.stable for each in house.manager.get_connection_status().values()))
        other.open = REFUSED
        other.drop_all()
        await house.until(Phase.WAITING, "two")
        await house.manager.reload([settings("one"), settings("two", "pbx9")])
        assert house.status("two").down_since is None


async def test_a_connection_that_is_the_same_is_told_with_the_line_where_it_stands_now():
    def at(line: int) -> FakeSettings:
        return settings("same", sources=Sources("config.toml", {"endpoints[0]": line}))

    async with House() as house:
        await house.manager.reload([at(3)])
        await up(house, "same")
        kept = house.manager.session("same")
        await house.manager.reload([at(7)])
        assert house.manager.session("same") is kept
        rows = {row.key: row.source for row in house.manager.settings("same")}
        assert rows["endpoints[0]"] == "config.toml:7"


async def test_settings_of_a_connection_that_is_not_there_are_an_error():
    async with House() as house:
        with pytest.raises(UnknownConnectionError):
            house.manager.settings("none")
