"""The programs of `examples/` do what they say, on real servers that come and go."""

from __future__ import annotations

import asyncio
import importlib.util
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

import manager
from manager.lab.ami import AmiServer
from manager.lab.faults import Fault
from manager.lab.registrar import Registrar
from manager.lab.sip import SipServer
from manager.lab.websocket import WebSocketServer
from manager.secret import Secret

EXAMPLES = Path(__file__).parents[2] / "examples"
CANARY = "canary-of-the-examples"


@pytest.fixture(autouse=True)
def _quick(monkeypatch: pytest.MonkeyPatch) -> None:
    """Have a server that is back noticed soon."""
    monkeypatch.setattr("manager.engine.peek.INTERVAL", 0.05)
    monkeypatch.setattr("manager.engine.peek.SETTLE", 0.0)


class Running:
    """An example, and what it has printed."""

    def __init__(self, task: asyncio.Task[None], capsys: pytest.CaptureFixture[str]) -> None:
        self.text = ""
        self._task = task
        self._capsys = capsys

    async def prints(self, text: str, whenever: Callable[[], object] = lambda: None) -> None:
        """Return when it has printed this since the last time; do something again and again until then."""
        async with asyncio.timeout(60):
            while True:
                self.text += self._capsys.readouterr().out
                if text in self.text:
                    self.text = self.text.partition(text)[2]
                    return
                assert not self._task.done()
                whenever()
                await asyncio.sleep(0.02)


@pytest.fixture
def example(capsys: pytest.CaptureFixture[str]):
    @asynccontextmanager
    async def example(name: str, *arguments: str) -> AsyncIterator[Running]:
        spec = importlib.util.spec_from_file_location(name, EXAMPLES / f"{name}.py")
        assert spec is not None
        assert spec.loader is not None
        module = importlib.util.module_from_spec(spec)
        spec.loader.exec_module(module)
        task = asyncio.create_task(module.main(*arguments))
        try:
            yield Running(task, capsys)
        finally:
            task.cancel()
            with pytest.raises(asyncio.CancelledError):
                await task

    return example


async def test_the_websocket_consumer_goes_on_over_a_restart(example) -> None:
    async with (
        WebSocketServer() as server,
        example("websocket_consumer", f"ws://127.0.0.1:{server.port}/events") as running,
    ):
        await running.prints('{"number": 1}', lambda: server.emit({"number": 1}))
        await server.stop()
        await server.start()
        await running.prints('{"number": 2}', lambda: server.emit({"number": 2}))


def test_the_websocket_consumer_is_as_short_as_is_said() -> None:
    lines = (EXAMPLES / "websocket_consumer.py").read_text().splitlines()
    assert sum(bool(line.strip()) for line in lines) < 15


async def test_the_call_monitor_tells_of_calls_and_of_the_server(example, monkeypatch) -> None:
    monkeypatch.setenv("AMI_SECRET", CANARY)
    async with (
        AmiServer(username="monitor", password=Secret(CANARY)) as server,
        example("ami_calls", f"ami://127.0.0.1:{server.port}", "monitor") as running,
    ):
        await running.prints("pbx is up")
        await server.carry_call("Anna", "6001")
        await running.prints("'6001' calls '600'")
        await running.prints("'6001' has hung up: 'Normal Clearing'")
        await server.stop()
        await running.prints("pbx is waiting")
        await server.start()
        await running.prints("pbx is up")


async def test_the_registration_tells_of_its_changes_and_of_calls(example, monkeypatch) -> None:
    monkeypatch.setenv("SIP_PASSWORD", CANARY)
    async with SipServer(Registrar({"6001": Secret(CANARY)})) as server:
        arguments = (f"sip:127.0.0.1:{server.port};transport=tcp", "sip:6001@127.0.0.1", "6001")
        async with example("sip_registration", *arguments) as running:
            await running.prints(f"registered at 127.0.0.1:{server.port} for 299 s")
            assert await server.call("6001", "Anna") == [486]
            await running.prints("Anna")
            server.fault = Fault.REFUSE
            await running.prints("attempt 1 in ")
            server.fault = None
            await running.prints("registered at ")
        assert not server.registrar.bindings("6001")


@pytest.mark.parametrize("name", manager.__all__)
def test_what_a_program_may_use_is_there(name: str) -> None:
    assert getattr(manager, name).__name__ == name


def test_each_example_is_named_in_the_readme() -> None:
    readme = (EXAMPLES.parent / "README.md").read_text()
    for path in EXAMPLES.glob("*.py"):
        assert f"examples/{path.name}" in readme
