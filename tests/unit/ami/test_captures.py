"""What a real Asterisk said, replayed byte by byte against the actions that it answered."""

from __future__ import annotations

import asyncio
import re

import pytest

from tests.unit.ami.peer import CAPTURES, Peer, Recorder, hold, opened

ANSWERED = [
    "ami-login.txt",
    "ami-lists.txt",
    "ami-call.txt",
    "ami-contact.txt",
    "ami-registry.txt",
    "ami-no-permission.txt",
]

Message = tuple[tuple[str, str], ...]


def parse(block: str) -> Message:
    """Split a message as plainly as can be; captures hold no odd ones."""
    pairs = (line.partition(": ") for line in block.split("\r\n"))
    return tuple((name, value) if colon else (name.removesuffix(":"), "") for name, colon, value in pairs)


def exchanges(capture: str) -> list[tuple[dict[str, str], str]]:
    """Return each action after the login with the bytes that came until the next one was sent."""
    text = (CAPTURES / capture).read_bytes().decode()
    parts = re.split(r"^(>>> sent|<<< received|<<< closed)\n", text, flags=re.MULTILINE)[1:]
    found: list[tuple[dict[str, str], str]] = []
    for mark, body in zip(parts[::2], parts[1::2], strict=True):
        if "sent" in mark:
            found.append((dict(parse(body.removesuffix("\r\n\r\n"))), ""))
        elif "received" in mark and found:
            found[-1] = (found[-1][0], found[-1][1] + body)
    return found[1:]


@pytest.mark.parametrize("capture", ANSWERED)
@pytest.mark.parametrize("size", [1, 7, 100_000])
async def test_each_captured_action_gets_the_captured_answer(capture, size):
    steps = exchanges(capture)
    messages = [parse(block) for _, body in steps for block in body.split("\r\n\r\n") if block]
    ids = {fields["ActionID"] for fields, _ in steps}
    replies = {dict(one)["ActionID"]: one for one in messages if one[0][0] == "Response"}
    listed = {name for name, one in replies.items() if ("EventList", "start") in one}
    items = [one for one in messages if one[0][0] == "Event" and dict(one).get("ActionID") in listed]
    events = [one for one in messages if one[0][0] == "Event" and one not in items]
    assert set(replies) == ids

    async def script(peer: Peer) -> None:
        await peer.log_in()
        for fields, body in steps:
            assert await peer.action(fields["Action"]) == fields
            answer = body.encode()
            for place in range(0, len(answer), size):
                await peer.send(answer[place : place + size])
        await peer.message("Event: LastOfAll")
        await hold(peer)

    listener = Recorder()
    async with opened(script, listener) as (session, _):
        answered = await asyncio.gather(*(session.action(fields) for fields, _ in steps))
        await listener.event("LastOfAll")
    assert [reply.headers for reply in answered] == [replies[fields["ActionID"]] for fields, _ in steps]
    assert [event.headers for reply in answered for event in reply.events] == items
    assert [event.headers for event in listener.events[1:-1]] == events
    assert [reply.ok for reply in answered] == [
        dict(replies[fields["ActionID"]])["Response"] in ("Success", "Goodbye") for fields, _ in steps
    ]


async def test_the_captured_shutdown_is_known_for_one():
    ((reload, body),) = exchanges("ami-reload-shutdown.txt")

    async def script(peer: Peer) -> None:
        await peer.log_in()
        await peer.action("Reload")
        await peer.send(body)
        await peer.close()

    async with opened(script) as (session, _):
        assert (await session.action(reload)).text == "Module Reloaded"
        assert (await session.ended()).reason == "Asterisk is shutting down"
        assert session.facts["reloads"] == 1
