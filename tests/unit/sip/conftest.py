"""Real traffic of Asterisk 22.10.1 as messages, in the order it went over the wire; registrars to talk to."""

import re
from pathlib import Path

import pytest

from tests.unit.sip.house import House, nothing_left

CAPTURES = Path(__file__).parents[2] / "captures"
_START = re.compile(rb"(?m)^(?=(?:[A-Z]+ \S+ SIP/2\.0|SIP/2\.0 [0-9]{3} [^\r\n]*)\r?$)")


def messages_of(name: str) -> list[bytes]:
    blocks = re.split(rb"(?m)^(?:>>>|<<<)[^\n]*\n", (CAPTURES / name).read_bytes())
    return [
        part.strip(b"\r\n") + b"\r\n\r\n" for block in blocks for part in _START.split(block) if part.strip()
    ]


SIP_CAPTURES = sorted(path.name for path in CAPTURES.glob("sip-*.txt"))


@pytest.fixture
def capture():
    return messages_of


@pytest.fixture(params=SIP_CAPTURES)
def exchange(request):
    return messages_of(request.param)


@pytest.fixture
def sent_once(monkeypatch):
    """Nothing is sent again over UDP, though the machine stand still for seconds: messages can be counted."""
    monkeypatch.setattr("manager.drivers.sip.transaction.T1", 20.0)


@pytest.fixture(params=["udp", "tcp"])
async def house(request, sent_once):
    house = House(request.param)
    await house.start()
    yield house
    await house.registrar.close()
    await nothing_left()


@pytest.fixture
async def udp(sent_once):
    house = House("udp")
    await house.start()
    yield house
    await house.registrar.close()
    await nothing_left()


@pytest.fixture
async def tcp():
    house = House("tcp")
    await house.start()
    yield house
    await house.registrar.close()
    await nothing_left()
