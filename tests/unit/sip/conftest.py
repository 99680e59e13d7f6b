"""Real traffic of Asterisk 22.10.1 as messages, in the order it went over the wire."""

import re
from pathlib import Path

import pytest

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
