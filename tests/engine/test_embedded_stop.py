"""Stopping the manager's thread: at any time, from anywhere, as often as one likes."""

from __future__ import annotations

import threading

import pytest

from manager import embedded
from manager.embedded import EmbeddedClient
from manager.endpoint import parse_endpoint
from tests.engine.fakes import FakeServer, FakeSettings

ONE = FakeSettings(name="one", endpoints=(parse_endpoint("ami://pbx1"),))


def managers() -> list[threading.Thread]:
    return [thread for thread in threading.enumerate() if thread.name == "manager"]


def test_stopping_before_the_start_does_nothing():
    EmbeddedClient([ONE], drivers={"fake": FakeServer().create}).stop()


@pytest.mark.parametrize("round_", range(5))
def test_stopping_from_several_threads_at_once_right_after_the_start(round_):
    client = EmbeddedClient([ONE], drivers={"fake": FakeServer().create})
    client.start()
    stoppers = [threading.Thread(target=client.stop) for _ in range(4)]
    for stopper in stoppers:
        stopper.start()
    for stopper in stoppers:
        stopper.join(10)
    assert not managers()
    client.stop()


def test_a_manager_that_is_stopped_while_it_loads_too_long_ends_when_it_has_loaded(monkeypatch):
    monkeypatch.setattr(embedded, "STOP_TIMEOUT", 0.05)
    loading, loaded = threading.Event(), threading.Event()
    server = FakeServer()

    def slow_to_load(settings, memory):
        loading.set()
        loaded.wait(30)
        return server.create(settings, memory)

    client = EmbeddedClient([ONE], drivers={"fake": slow_to_load})
    client.start()
    assert loading.wait(10)
    client.stop()
    (thread,) = managers()
    loaded.set()
    thread.join(10)
    assert not thread.is_alive()
    assert not server.open_sessions
