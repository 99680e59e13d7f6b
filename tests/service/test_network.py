"""The service for other machines: TLS, a token, and handshakes that cost it little."""

from __future__ import annotations

import asyncio
import json
import socket
import ssl
import stat
import subprocess
from collections.abc import AsyncIterator
from contextlib import ExitStack, closing, suppress
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from msgspec.structs import replace
from websockets.asyncio.client import connect
from websockets.exceptions import ConnectionClosed, InvalidStatus

from manager.access import Access, Group, Network
from manager.client import Pause, Reconnect
from manager.errors import ManagerGoneError, NotAllowedError, TrunklineError, UntrustedError
from manager.secret import Secret, SecretSource
from manager.service import doorway, fingerprint, inquiry, remote
from manager.service import network as network_module
from manager.service.address import NetworkAddress, parse_address
from manager.service.bucket import Bucket
from manager.service.doorway import Doorway
from manager.service.entrances import Entrances
from manager.service.methods import Methods
from manager.service.network import NetworkEntrance
from manager.service.remote import RemoteClient
from manager.service.rights import Right
from manager.service.server import MAX_SIZE, ControlServer
from manager.service.tokens import Tokens, read_tokens
from tests.pki import Pki
from tests.service.conftest import PATIENCE

LOOK, ACT = "canary-token-to-look-0001", "canary-token-to-act-00002"
TOKENS = Tokens(Secret(LOOK), Secret(ACT))


def network(pki: Pki, **fields) -> Network:
    return Network(host="127.0.0.1", port=0, cert_file=pki.cert, key_file=pki.key, **fields)


@pytest.fixture
async def entrance(manager, pki) -> AsyncIterator[NetworkEntrance]:
    entrance = NetworkEntrance(network(pki), TOKENS)
    with closing(entrance.socket):
        async with ControlServer([entrance], Methods(manager, Path("/config.toml"), 1.0)):
            yield entrance


def port_of(entrance: NetworkEntrance) -> int:
    return entrance.socket.getsockname()[1]


@pytest.fixture
def at(entrance, pki, tmp_path):
    """Return the address of the service as one who has a token knows it."""

    def at(token: str = ACT, *, ca: Path | None = pki.cert) -> NetworkAddress:
        file = tmp_path / "token"
        file.write_text(f"{token}\n")
        return NetworkAddress("127.0.0.1", port_of(entrance), ca, file)

    return at


def connecting(address: NetworkAddress, headers: list[tuple[str, str]]) -> connect:
    return connect(
        f"{address}/v1",
        ssl=address.context(),
        additional_headers=headers,
        proxy=None,
        logger=remote._library_log,
    )


# --- who is let in ----------------------------------------------------------------------------------------


async def test_who_has_the_token_to_act_may_everything(at, manager):
    client = RemoteClient(at(ACT))
    assert (await client.about()).may == "act"
    assert [status.name for status in (await client.snapshot()).statuses] == ["one", "two"]
    (result,) = await client.command(Pause(name="one"))
    assert result.status.phase == "paused"


async def test_who_has_the_token_to_look_is_refused_every_command(at):
    client = RemoteClient(at(LOOK))
    assert (await asyncio.to_thread(inquiry.ask, at(LOOK)))["service"]["may"] == "read"
    assert await client.history("one")
    with pytest.raises(NotAllowedError, match="needs the right to act") as refusal:
        await client.command(Reconnect())
    assert "act_token" in refusal.value.hint


@pytest.mark.parametrize("token", ["wrong-canary-token-3", LOOK[:-1], f"{LOOK}x"])
async def test_a_wrong_token_is_refused_and_stands_in_no_log_and_no_message(at, token, caplog):
    for asking in (RemoteClient(at(token)).snapshot(), asyncio.to_thread(inquiry.ask, at(token))):
        with pytest.raises(TrunklineError, match="wants a token") as refusal:
            await asking
        assert token not in str(refusal.value) + refusal.value.hint
    assert "was not let in" in caplog.text
    assert "canary" not in caplog.text


@pytest.mark.parametrize(
    "headers",
    [
        [],
        [("Authorization", ACT)],
        [("Authorization", f"Basic {ACT}")],
        [("Authorization", f"Bearer {ACT}")] * 2,
    ],
)
async def test_anything_but_one_bearer_token_is_none(at, pki, headers):
    with pytest.raises(InvalidStatus) as refusal:
        async with connecting(at(), headers):
            pass
    assert refusal.value.response.status_code == 401
    assert b"Bearer" in refusal.value.response.body


async def test_other_tokens_count_from_when_they_are_renewed_on(at, entrance):
    entrance.renew(None, Tokens(act=Secret("canary-another-token-4")))
    with pytest.raises(TrunklineError, match="wants a token"):
        await RemoteClient(at(ACT)).snapshot()
    assert (await RemoteClient(at("canary-another-token-4")).about()).may == "act"
    entrance.renew(None, Tokens())
    with pytest.raises(TrunklineError, match="wants a token"):
        await RemoteClient(at("canary-another-token-4")).snapshot()


async def test_a_certificate_that_is_not_trusted_is_told_before_a_token_is_sent(at):
    for asking in (
        RemoteClient(at(ca=None)).snapshot(),
        asyncio.to_thread(inquiry.ask, at(ca=None)),
    ):
        with pytest.raises(TrunklineError, match="is not trusted: self-signed certificate") as refusal:
            await asking
        assert "--ca" in refusal.value.hint


async def test_a_certificate_is_trusted_by_its_fingerprint_alone_and_no_token_is_sent_to_another(
    at, pki, entrance
):
    own = fingerprint.parse(entrance.fingerprint)
    named = at()._replace(ca_file=None, host="localhost", fingerprint=own)
    assert len((await RemoteClient(named).snapshot()).statuses) == 2
    assert (await asyncio.to_thread(inquiry.about, named))["may"] == "act"
    other = named._replace(fingerprint=own[::-1], token_file=Path("/nonexistent"))
    for asking in (
        RemoteClient(other._replace(token_file=named.token_file)).snapshot(),
        asyncio.to_thread(inquiry.ask, other),
    ):
        with pytest.raises(UntrustedError, match=f"its fingerprint is {entrance.fingerprint}"):
            await asking


def test_a_fingerprint_is_read_as_others_write_it_and_nothing_else_is(pki):
    shown = subprocess.run(
        ["openssl", "x509", "-in", pki.cert, "-noout", "-fingerprint", "-sha256"],
        capture_output=True,
        text=True,
        check=True,
    ).stdout
    digits = fingerprint.of_file(pki.cert)
    for text in (shown, shown.partition("=")[2], digits, digits.upper(), f"SHA256:{digits}"):
        assert fingerprint.parse(text) == digits
    assert fingerprint.of_file(pki.key) == ""
    for text in ("", digits[1:], f"{digits}0", f"sha1:{digits}", digits.replace(digits[0], "g", 1)):
        with pytest.raises(ValueError, match="64 hexadecimal digits"):
            fingerprint.parse(text)


async def test_without_tls_nothing_is_answered(entrance):
    reader, writer = await asyncio.open_connection("127.0.0.1", port_of(entrance))
    writer.write(f"GET /v1/status HTTP/1.1\r\nAuthorization: Bearer {ACT}\r\n\r\n".encode())
    async with asyncio.timeout(PATIENCE):
        assert b"HTTP" not in await reader.read()
    writer.close()


async def test_where_nobody_listens_the_address_is_named(at):
    with pytest.raises(ManagerGoneError, match=r"no service answers at wss://127\.0\.0\.1:1$"):
        await RemoteClient(at()._replace(port=1)).snapshot()


def test_a_token_is_compared_with_both_whatever_the_first_says():
    assert TOKENS.right_of(LOOK) is Right.READ
    assert TOKENS.right_of(ACT) is Right.ACT
    assert TOKENS.right_of("") is Right.NONE
    assert TOKENS.right_of("ü\udc80") is Right.NONE
    assert Tokens().right_of("") is Right.NONE
    assert "canary" not in repr(TOKENS)


@pytest.mark.parametrize(
    ("fields", "said"),
    [
        ({"read_token": SecretSource(env="NO_SUCH_VARIABLE")}, "read_token of .service.: the environment"),
        ({"act_token": SecretSource(plain=Secret("canary-short"))}, "shorter than 16"),
        ({"act_token": SecretSource(plain=Secret("canary with spaces in it"))}, "visible ASCII"),
        (
            {"act_token": SecretSource(plain=Secret(ACT)), "read_token": SecretSource(plain=Secret(ACT))},
            "are the same",
        ),
    ],
)
async def test_tokens_that_cannot_be_used_are_told(pki, fields, said):
    with pytest.raises(TrunklineError, match=said) as refusal:
        await read_tokens(network(pki, **fields))
    assert "canary" not in str(refusal.value)


def test_a_certificate_without_its_key_is_told(pki, tmp_path):
    wrong = Network(host="127.0.0.1", port=0, cert_file=pki.cert, key_file=pki.cert)
    with pytest.raises(TrunklineError, match="no certificate and its key"):
        NetworkEntrance(wrong, TOKENS)
    wrong = Network(host="127.0.0.1", port=0, cert_file=tmp_path / "none", key_file=pki.key)
    with pytest.raises(TrunklineError, match="cannot read"):
        NetworkEntrance(wrong, TOKENS)


def test_a_port_that_is_taken_is_told(pki):
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        where = Network(host="127.0.0.1", port=port, cert_file=pki.cert, key_file=pki.key)
        with pytest.raises(TrunklineError, match=f"cannot listen at 127.0.0.1:{port}"):
            NetworkEntrance(where, TOKENS)


# --- the doorway ------------------------------------------------------------------------------------------


async def test_a_handshake_that_does_not_go_on_is_closed(manager, pki, monkeypatch):
    monkeypatch.setattr(network_module, "HANDSHAKE_WITHIN", 2.0)  # our own has to be through by then
    monkeypatch.setattr("manager.service.server.OPEN_WITHIN", 0.2)
    entrance = NetworkEntrance(network(pki), TOKENS)
    with closing(entrance.socket):
        async with ControlServer([entrance], Methods(manager, Path("/config.toml"), 1.0)):
            silent = await asyncio.open_connection("127.0.0.1", port_of(entrance))
            trusted = ssl.create_default_context(cafile=pki.cert)
            slow = await asyncio.open_connection("127.0.0.1", port_of(entrance), ssl=trusted)
            slow[1].write(b"GET /v1 HTTP/1.1\r\nX: ")

            async def drip() -> None:
                while True:
                    slow[1].write(b"x")
                    await asyncio.sleep(0.02)

            dripping = asyncio.create_task(drip())
            async with asyncio.timeout(PATIENCE):
                for reader, _ in (silent, slow):
                    with suppress(ConnectionError):
                        assert await reader.read() == b""
            dripping.cancel()
            await asyncio.wait([dripping])
            for _, writer in (silent, slow):
                writer.transport.abort()


async def test_only_so_many_are_in_the_doorway_and_who_is_inside_makes_room(entrance, at, monkeypatch):
    monkeypatch.setattr(doorway, "OF_ONE", 1)
    async with asyncio.timeout(PATIENCE):
        held = await asyncio.open_connection("127.0.0.1", port_of(entrance))
        await asyncio.sleep(0)
        with pytest.raises(ManagerGoneError):
            await RemoteClient(at()).snapshot()
        assert entrance.socket.refused == 1
        held[1].transport.abort()
        while entrance.socket._inside:
            await asyncio.sleep(0.01)
        async with connecting(at(), [("Authorization", f"Bearer {ACT}")]):
            assert (await RemoteClient(at()).about()).may == "act"
        assert not entrance.socket._of_host


def test_who_calls_too_often_is_closed_at_once_and_others_are_not():
    now = 0.0
    with Doorway("127.0.0.1", 0, clock=lambda: now) as door:
        assert [door._has_room("10.0.0.1") for _ in range(int(doorway.BURST) + 1)][-2:] == [True, False]
        assert door._has_room("10.0.0.2")
        now = 1 / doorway.RATE
        assert [door._has_room("10.0.0.1") for _ in range(2)] == [True, False]
        for number in range(3000):
            door._has_room(f"10.1.{number // 256}.{number % 256}")
        assert len(door._buckets) == 1024


def test_however_many_are_refused_others_get_their_turn(monkeypatch):
    monkeypatch.setattr(doorway, "_BACKLOG", 3)
    monkeypatch.setattr(doorway, "AT_ONCE", 0)
    with Doorway("127.0.0.1", 0) as door, ExitStack() as callers:
        for _ in range(4):
            callers.enter_context(socket.create_connection(door.getsockname()))
        door.setblocking(False)
        refused = []
        for _ in range(2):
            with pytest.raises(BlockingIOError):
                door.accept()
            refused.append(door.refused)
        assert refused == [3, 4]


def test_a_bucket_fills_up_to_its_burst():
    bucket = Bucket(rate=2.0, burst=3)
    assert [bucket.take(10.0) for _ in range(4)] == [True, True, True, False]
    assert [bucket.take(10.5) for _ in range(2)] == [True, False]
    assert [bucket.take(100.0) for _ in range(4)] == [True, True, True, False]


async def test_a_service_that_ends_waits_for_no_handshake(manager, pki, monkeypatch):
    monkeypatch.setattr(network_module, "HANDSHAKE_WITHIN", 1000.0)
    entrance = NetworkEntrance(network(pki), TOKENS)
    with closing(entrance.socket):
        async with ControlServer([entrance], Methods(manager, Path("/config.toml"), 1.0)):
            idle = await asyncio.open_connection("127.0.0.1", port_of(entrance))
            while not entrance.socket._inside:
                await asyncio.sleep(0.01)
        async with asyncio.timeout(PATIENCE):
            while entrance.socket._inside:
                await asyncio.sleep(0.01)
        idle[1].transport.abort()


# --- what cannot be trusted -------------------------------------------------------------------------------


@settings(max_examples=25, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(raw=st.binary(max_size=300), secured=st.booleans(), headed=st.booleans())
async def test_no_bytes_take_the_service_down(raw, secured, headed, entrance, pki, at, monkeypatch):
    monkeypatch.setattr(doorway, "BURST", 1e9)
    trusted = ssl.create_default_context(cafile=pki.cert) if secured else None
    reader, writer = await asyncio.open_connection("127.0.0.1", port_of(entrance), ssl=trusted)
    head = f"GET /v1 HTTP/1.1\r\nAuthorization: Bearer {LOOK}\r\n".encode() if headed else b""
    writer.write(head + raw)
    writer.transport.abort()
    assert (await RemoteClient(at()).about()).may == "act"
    del reader


@settings(max_examples=25, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(frames=st.lists(st.binary(max_size=200), max_size=6))
async def test_no_frame_takes_the_service_down(frames, entrance, at, monkeypatch, caplog):
    monkeypatch.setattr(doorway, "BURST", 1e9)
    caplog.clear()
    async with connecting(at(), [("Authorization", f"Bearer {LOOK}")]) as connection:
        try:
            for frame in frames:
                await connection.send(frame, text=False)
            await connection.send(json.dumps({"jsonrpc": "2.0", "id": 1, "method": "pause"}))
            while json.loads(await connection.recv()).get("id") != 1:
                pass
        except ConnectionClosed:
            pass
    assert (await RemoteClient(at()).about()).may == "act"
    assert "failed" not in caplog.text


async def test_a_message_that_is_too_large_ends_its_connection(at):
    async with connecting(at(), [("Authorization", f"Bearer {ACT}")]) as connection:
        await connection.send("x" * (MAX_SIZE + 1))
        with pytest.raises(ConnectionClosed):
            await connection.recv()


# --- the address ------------------------------------------------------------------------------------------


def test_an_address_is_a_path_or_a_place_on_another_machine():
    assert parse_address("/run/x.sock") == Path("/run/x.sock")
    assert parse_address("wss://pbx.example:8443") == NetworkAddress("pbx.example", 8443)
    assert str(parse_address("wss://[::1]:8443")) == "wss://[::1]:8443"


@pytest.mark.parametrize(
    "text",
    [
        "", " ", "ws://pbx:80", "https://pbx:443", "wss://pbx", "wss://pbx:x", "wss://pbx:0", "wss://:8443", "wss://[x:1",
        "wss://user:canary@pbx:1", "wss://pbx:1/?token=canary", "wss://pbx:1/#canary", "wss://pbx:1/path",
    ],
)  # fmt: skip
def test_an_address_that_cannot_be_used_or_holds_a_secret_is_refused_and_not_repeated(text):
    with pytest.raises(ValueError, match="wss://HOST:PORT") as refusal:
        parse_address(text)
    assert "canary" not in str(refusal.value)


def test_a_token_comes_from_a_file_or_the_environment_and_from_nowhere_else(monkeypatch, tmp_path):
    address = NetworkAddress("pbx", 1)
    monkeypatch.delenv("TRUNKLINE_TOKEN", raising=False)
    with pytest.raises(TrunklineError, match="there is no token for wss://pbx:1 in TRUNKLINE_TOKEN"):
        address.token()
    monkeypatch.setenv("TRUNKLINE_TOKEN", "canary-from-env")
    assert address.token() == "canary-from-env"
    file = tmp_path / "token"
    for content, said in ((None, "cannot read"), ("", "no token"), ("a\nb", "is no token")):
        if content is not None:
            file.write_text(content)
        with pytest.raises(TrunklineError, match=said):
            address._replace(token_file=file).token()
    file.write_text("canary-from-file\n")
    assert address._replace(token_file=file).token() == "canary-from-file"
    assert "canary" not in repr(address)


def test_whom_to_trust_is_told_where_it_cannot_be_used(tmp_path):
    for content, said in ((None, "No such file"), ("nothing", "holds no certificate")):
        if content is not None:
            (tmp_path / "ca").write_text(content)
        with pytest.raises(TrunklineError, match=said):
            NetworkAddress("pbx", 1, tmp_path / "ca").context()


# --- new settings -----------------------------------------------------------------------------------------


async def test_new_settings_count_for_who_comes_next_and_not_for_where_it_listens(
    address, manager, pki, tmp_path, monkeypatch, caplog
):
    monkeypatch.setenv("LOOK", LOOK)
    at_first = Access(network=network(pki, read_token=SecretSource(env="LOOK")))
    with Entrances(address, at_first, await read_tokens(at_first.network)) as entrances:
        unix, door = entrances
        async with ControlServer(entrances, Methods(manager, Path("/config.toml"), 1.0)):
            token_file = tmp_path / "token"
            token_file.write_text(LOOK)
            client = RemoteClient(NetworkAddress("127.0.0.1", port_of(door), pki.cert, token_file))
            assert (await client.about()).may == "read"
            elsewhere = replace(at_first.network, port=1, act_token=SecretSource(plain=Secret(ACT)))
            await entrances.renew(Access(network=elsewhere, read_group=Group("some", 7)))
            assert "counts from the next start on" in caplog.text
            assert unix.access.read_group == Group("some", 7)
            assert stat.S_IMODE(address.stat().st_mode) == 0o666
            token_file.write_text(ACT)
            assert (await client.about()).may == "act"
            monkeypatch.delenv("LOOK")
            with pytest.raises(TrunklineError, match="read_token"):
                await entrances.renew(at_first)
            assert (await client.about()).may == "act"
            await entrances.renew(Access())
            assert stat.S_IMODE(address.stat().st_mode) == 0o600
            with pytest.raises(TrunklineError, match="wants a token"):
                await client.about()
