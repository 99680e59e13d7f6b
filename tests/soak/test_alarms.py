"""What the soak must hear, and what it must let go."""

from __future__ import annotations

import asyncio
import gc
import logging
import socket
import warnings

import pytest

from tests.soak.alarms import Alarms


class Brittle:
    def __del__(self) -> None:
        raise ValueError("at the end")


async def forget_a_task_that_raises() -> None:
    async def fail() -> None:
        raise ValueError("unheard")

    task = asyncio.create_task(fail())
    await asyncio.sleep(0)
    await asyncio.sleep(0)
    del task
    gc.collect()


async def forget_a_socket() -> None:
    socket.socket()
    gc.collect()


async def forget_what_is_brittle() -> None:
    Brittle()
    gc.collect()


async def have_a_supervisor_end() -> None:
    logging.getLogger("manager.engine.supervisor").critical("the supervisor raised")


@pytest.mark.parametrize(
    ("happens", "alarm"),
    [
        (forget_a_task_that_raises, "exception was never retrieved"),
        (forget_a_socket, "unclosed <socket.socket"),
        (forget_what_is_brittle, "at the end"),
        (have_a_supervisor_end, "the supervisor raised"),
    ],
)
async def test_what_must_never_be_heard_is_an_alarm(happens, alarm) -> None:
    with Alarms(drivers_may_raise=True) as alarms:
        await happens()
    (heard,) = alarms.heard
    assert alarm in heard


@pytest.mark.parametrize(("may_raise", "number"), [(True, 0), (False, 1)])
def test_a_mistake_of_a_driver_is_an_alarm_where_drivers_are_not_told_to_make_some(
    may_raise: bool, number: int
) -> None:
    with Alarms(drivers_may_raise=may_raise) as alarms:
        logging.getLogger("manager.engine.supervisor").error("opening raised")
        logging.getLogger("manager.listeners").error("a listener is detached")
    assert len(alarms.heard) == number


def test_when_it_is_left_everything_is_as_it_was() -> None:
    with Alarms(drivers_may_raise=True):
        pass
    with pytest.warns(UserWarning, match="to be seen"):
        warnings.warn("to be seen", stacklevel=1)
