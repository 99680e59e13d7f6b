"""The lab's AMI against what Asterisk 22 said."""

from __future__ import annotations

import asyncio
import hashlib
import re
import time

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from manager.lab.ami import AmiServer
from manager.lab.faults import Fault
from manager.secret import Secret
from tests.lab.capture import RawClient, all_received, capture, connected

BANNER = b"Asterisk Call Manager/11.0.0\r\n"
PING = b"Action: Ping\r\nActionID: p\r\n\r\n"
_VARIABLE = re.compile(
    r"(?m)^(Timestamp|EventTV|SessionTV|Uptime|LastReload|SessionID|LocalAddress|RemoteAddress|Challenge"
    r"|Core(?:Startup|Reload)(?:Date|Time)): (.*)$"
)


def server(**options: object) -> AmiServer:
    given = {"username": "monitor", "password": Secret("secret"), "boot_time": 0.0, "refusal_hold": 0.0}
    return AmiServer(**{**given, **options})  # type: ignore[arg-type]  # options of the tests below


def messages(content: bytes) -> list[str]:
    """Split into messages, with what differs between two runs reduced to its shape."""
    text = content.removeprefix(BANNER).decode().replace("\r\n", "\n")
    text = _VARIABLE.sub(lambda found: f"{found[1]}: {re.sub('(0x)?[0-9a-f]+', '0', found[2])}", text)
    return [message for message in text.split("\n\n") if message.strip()]


def login(secret: str = "secret", username: str = "monitor") -> bytes:
    return f"Action: Login\r\nActionID: 1\r\nUsername: {username}\r\nSecret: {secret}\r\n\r\n".encode()


async def logged_in(client: RawClient) -> None:
    assert await client.until(b"\r\n") == BANNER
    client.send(login())
    assert b"Authentication accepted" in await client.until(b"\r\n\r\n")


def in_order_but_for_events(said: list[str]) -> list[str]:
    """Answers as they came, then the events: where these fall between answers is a matter of timing."""
    events = sorted(message for message in said if message.startswith("Event:"))
    return [message for message in said if message not in events] + events


@pytest.mark.parametrize(
    "name", ["ami-login.txt", "ami-before-login.txt", "ami-wrong-secret.txt", "ami-challenge-md5.txt"]
)
async def test_it_says_what_asterisk_said(name: str) -> None:
    sent = b"".join(content for mark, content in capture(name) if mark == "sent")
    actions = [action + b"\r\n\r\n" for action in sent.split(b"\r\n\r\n") if action.strip()]
    commands = [action for action in actions if b"Action: Command" in action]
    ids = [re.search(rb"ActionID: (\S+)", action)[1].decode() for action in commands]  # type: ignore[index]
    said = bytearray()
    async with server() as ami, connected(ami.port) as client:
        for action in actions:
            if action not in commands and b"Key: " not in action:
                client.send(action)
        if name == "ami-challenge-md5.txt":
            said += await client.until(b"Challenge: ")
            challenge = await client.until(b"\r\n\r\n")
            said += challenge
            client.send(_login_by_key(challenge.strip()))
            said += await client.until(b"UsingPassword: 0\r\n") + await client.until(b"\r\n\r\n")
        elif name == "ami-before-login.txt":
            said += await client.until(b"Permission denied\r\n\r\n")
        else:
            said += await client.rest()
    expected = [m for m in messages(all_received(name)) if not any(f"ActionID: {i}" in m for i in ids)]
    assert in_order_but_for_events(messages(bytes(said))) == in_order_but_for_events(expected)


def _login_by_key(challenge: bytes) -> bytes:
    key = hashlib.md5(challenge + b"secret").hexdigest()
    return f"Action: Login\r\nAuthType: MD5\r\nUsername: monitor\r\nKey: {key}\r\n\r\n".encode()


async def test_a_user_without_the_right_is_denied_as_by_asterisk() -> None:
    calls_only = frozenset({"call"})
    async with server(read=calls_only, write=calls_only) as ami, connected(ami.port) as client:
        await logged_in(client)
        client.send(b"Action: Originate\r\nActionID: lab-2\r\n\r\n")
        client.send(b"Action: CoreStatus\r\nActionID: lab-3\r\n\r\n")
        denied = messages(await client.until(b"\r\n\r\n"))
        assert denied == messages(all_received("ami-no-permission.txt"))[-1:]
        assert b"Permission denied" in await client.until(b"\r\n\r\n")


async def test_a_stop_says_shutdown_as_asterisk_does() -> None:
    ami = server()
    await ami.start()
    async with connected(ami.port) as client:
        await logged_in(client)
        await client.until(b"UsingPassword: 0\r\n")
        await client.until(b"\r\n\r\n")
        await ami.stop()
        said = messages(await client.rest())
    assert said == messages(all_received("ami-reload-shutdown.txt"))[-1:]


async def test_fully_booted_comes_when_the_boot_is_done_and_the_login_before() -> None:
    async with server(boot_time=0.3) as ami, connected(ami.port) as client:
        await logged_in(client)
        assert b"Event: FullyBooted" in await client.until(b"\r\n\r\n")
        assert time.time() >= ami.started_at + 0.3


async def test_a_refused_login_waits_for_its_answer() -> None:
    async with server(refusal_hold=0.3) as ami, connected(ami.port) as client:
        await client.until(b"\r\n")
        before = time.monotonic()
        client.send(login("wrong"))
        assert b"Authentication failed" in await client.rest()
        assert time.monotonic() - before >= 0.3
        assert (ami.logins, ami.refused) == (0, 1)


async def test_a_key_without_a_challenge_opens_nothing() -> None:
    async with server() as ami, connected(ami.port) as client:
        client.send(_login_by_key(b""))
        assert b"Authentication failed" in await client.rest()


async def test_a_call_is_heard_as_asterisk_would_tell_it_and_adds_no_line() -> None:
    def names(message: str) -> list[str]:
        return [line.partition(":")[0] for line in message.split("\n")]

    real = {
        kind: next(m for m in messages(all_received("ami-call.txt")) if m.startswith(f"Event: {kind}\n"))
        for kind in ("Newchannel", "Hangup")
    }
    async with server(read=frozenset({"call"})) as ami, connected(ami.port) as client:
        await logged_in(client)
        assert await ami.carry_call("Eve\r\nEvent: Shutdown\x1b[2J") == 1
        created = messages(await client.until(b"\r\n\r\n"))[0]
        ended = messages(await client.until(b"\r\n\r\n"))[0]
    assert names(created) == names(real["Newchannel"])
    assert names(ended) == names(real["Hangup"])
    assert "CallerIDName: Eve  Event: Shutdown\x1b[2J" in created.split("\n")


async def test_core_status_counts_the_calls_that_are_up() -> None:
    async def counted(client: RawClient) -> bytes:
        client.send(b"Action: CoreStatus\r\n\r\n")
        return (await client.until(b"\r\n\r\n"))[-50:]

    async with server(read=frozenset()) as ami, connected(ami.port) as client:
        await logged_in(client)
        calling = asyncio.create_task(ami.carry_call("Eve", seconds=60))
        await asyncio.sleep(0)
        assert b"CoreCurrentCalls: 1\r\nCoreProcessedCalls: 0\r\n" in await counted(client)
        calling.cancel()
        await asyncio.gather(calling, return_exceptions=True)
        assert b"CoreCurrentCalls: 0\r\nCoreProcessedCalls: 1\r\n" in await counted(client)


async def test_it_remembers_the_actions_it_was_sent() -> None:
    async with server() as ami, connected(ami.port) as client:
        await logged_in(client)
        client.send(PING + b"Action: Originate\r\nActionID: o\r\n\r\n")
        await client.until(b"Originate successfully queued\r\n\r\n")
        assert list(ami.actions) == ["Login", "Ping", "Originate"]


@settings(max_examples=30, deadline=None)
@given(noise=st.binary(max_size=300))
async def test_no_bytes_break_it(noise: bytes) -> None:
    async with server() as ami:
        async with connected(ami.port) as client:
            client.send(noise + b"\r\n\r\n" + login() + PING + b"Action: Logoff\r\n\r\n")
            await client.rest()
        async with connected(ami.port) as client:
            await logged_in(client)


async def test_a_line_without_an_end_is_cut_off() -> None:
    async with server() as ami, connected(ami.port) as client:
        client.send(b"x" * 1_000_000)
        assert (await client.rest()) in (b"", BANNER)
        assert ami.sessions == 0


async def test_a_client_that_does_not_read_is_cut_off() -> None:
    async with server(read=frozenset({"call"})) as ami, connected(ami.port) as client:
        await logged_in(client)
        async with asyncio.timeout(60):
            while ami.emit({"Event": "Filler", "Text": "x" * 60_000}):
                await asyncio.sleep(0)


async def test_an_overloaded_one_closes_without_a_word() -> None:
    async with server() as ami:
        ami.fault = Fault.OVERLOAD
        async with connected(ami.port) as client:
            assert await client.rest() == b""


async def test_a_mask_of_system_events_leaves_calls_out_until_all_are_asked_for() -> None:
    async with server() as ami, connected(ami.port) as client:
        assert await client.until(b"\r\n") == BANNER
        client.send(login().replace(b"Username", b"Events: system\r\nUsername"))
        assert b"FullyBooted" in await client.until(b"Fully Booted\r\n\r\n")
        assert ami.emit({"Event": "Newchannel"}) == 0
        client.send(b"Action: Events\r\nActionID: e\r\nEventMask: on\r\n\r\n")
        assert b"Response: Success\r\nActionID: e\r\nEvents: On" in await client.until(b"\r\n\r\n")
        assert ami.emit({"Event": "Newchannel"}) == 1
        client.send(b"Action: Events\r\nActionID: f\r\nEventMask: nonsense\r\n\r\n")
        assert b"Invalid event mask" in await client.until(b"mask\r\n\r\n")
        client.send(b"Action: Events\r\nActionID: g\r\nEventMask: off\r\n\r\n")
        assert b"Events: Off" in await client.until(b"Events: Off\r\n\r\n")
        assert ami.emit({"Event": "Newchannel"}) == 0
