"""What the control socket takes, refuses and bounds."""

from __future__ import annotations

import asyncio
import json
import socket
import stat

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from websockets.asyncio.client import ClientConnection, unix_connect
from websockets.exceptions import ConnectionClosed, InvalidStatus

from manager.client import Pause, Resume
from manager.errors import TrunklineError
from manager.service import inquiry, peers
from manager.service import server as server_module
from manager.service.methods import COMMANDS
from manager.service.peers import BURST, RATE, Allowance
from manager.service.remote import RemoteClient
from manager.service.socketfile import SocketFile, SocketUnavailableError
from tests.service.conftest import PATIENCE

URI = "ws://localhost/v1"


def connecting(address):
    return unix_connect(str(address), URI, compression=None, proxy=None, max_size=None)


async def call(connection: ClientConnection, method: str, params=None, **fields) -> dict:
    request = {"jsonrpc": "2.0", "id": 1, "method": method} | fields
    if params is not None:
        request["params"] = params
    await connection.send(json.dumps(request))
    return await answer(connection)


async def answer(connection: ClientConnection) -> dict:
    async with asyncio.timeout(PATIENCE):
        return json.loads(await connection.recv())


async def get(address, path="/v1/status") -> tuple[int, str, str]:
    reader, writer = await asyncio.open_unix_connection(str(address))
    writer.write(f"GET {path} HTTP/1.1\r\nHost: localhost\r\n\r\n".encode())
    async with asyncio.timeout(PATIENCE):
        head, _, body = (await reader.read()).decode().partition("\r\n\r\n")
    writer.close()
    await writer.wait_closed()
    return int(head.split()[1]), head, body


async def test_a_script_gets_the_status_by_plain_http(server, address):
    status, head, body = await get(address)
    assert status == 200
    assert "Content-Type: application/json" in head
    told = json.loads(body)
    assert [each["name"] for each in told["snapshot"]["statuses"]] == ["one", "two"]
    assert told["service"]["protocol"] == 1
    assert told["service"]["config"] == "/config.toml"


async def test_which_service_it_is_costs_no_snapshot(server, address, manager):
    status, _, body = await get(address, "/v1/version")
    assert (status, json.loads(body)["config"]) == (200, "/config.toml")
    await asyncio.to_thread(manager.stop)
    assert (await asyncio.to_thread(inquiry.about, address))["may"] == "act"
    assert (await get(address))[0] == 503


async def test_other_paths_are_told_what_there_is(server, address):
    status, _, body = await get(address, "/")
    assert status == 404
    assert "/v1/status" in body


@pytest.mark.parametrize(
    ("frame", "code", "identity"),
    [
        ("{", -32700, None),
        ("[" * 50_000, -32600, None),
        ('{"x": ' * 10_000, -32700, None),
        ("[]", -32600, None),
        ('{"jsonrpc": "1.0", "method": "version", "id": 1}', -32600, None),
        ('{"jsonrpc": "2.0", "method": 1, "id": 1}', -32600, None),
        ('{"jsonrpc": "2.0", "method": "nonsense", "id": 1}', -32601, 1),
        ('{"jsonrpc": "2.0", "method": "history", "id": "a"}', -32602, "a"),
        ('{"jsonrpc": "2.0", "method": "history", "params": ["one"], "id": 1}', -32602, 1),
        (
            '{"jsonrpc": "2.0", "method": "mute", "params": {"group": "pbx1", "seconds": -1}, "id": 1}',
            -32602,
            1,
        ),
        ('{"jsonrpc": "2.0", "method": "pause", "params": {"name": "nobody"}, "id": 1.5}', -32000, 1.5),
    ],
)
async def test_what_cannot_be_done_is_answered_with_its_code(frame, code, identity, server, address):
    async with connecting(address) as connection:
        await connection.send(frame)
        told = await answer(connection)
        assert told["error"]["code"] == code
        assert told["id"] == identity
        assert (await call(connection, "version"))["result"]["trunkline"]


async def test_what_a_newer_client_adds_is_ignored(server, address):
    async with connecting(address) as connection:
        told = await call(connection, "history", {"name": "one", "depth": 3}, trace="x")
        assert told["result"]["connection"] == "one"


async def test_what_counts_for_every_connection_is_told_at_once_as_for_each(server, address, manager):
    async with connecting(address) as connection:
        told = (await call(connection, "config"))["result"]
    assert told["config"] == "/config.toml"
    assert list(told["connections"]) == ["one", "two"]
    for name, rows in told["connections"].items():
        assert [row["key"] for row in rows] == [row.key for row in await manager.settings(name)]


async def test_every_command_of_a_manager_can_be_given_by_its_name(server, address):
    assert {"reconnect", "refresh", "pause", "resume", "reload", "skip", "mute"} <= COMMANDS.keys()
    async with connecting(address) as connection:
        told = await call(connection, "pause", {"name": "one"})
        assert told["result"][0]["status"]["phase"] == "paused"


async def test_a_subscription_is_answered_before_its_first_event_and_ends_when_told_to(
    server, address, manager
):
    epoch = (await manager.snapshot()).position.epoch
    async with connecting(address) as connection:
        told = await call(connection, "events", {"since": {"epoch": epoch, "seq": 0}})
        assert told["result"] == {"subscription": 1}
        first = await answer(connection)
        assert first["method"] == "events"
        assert first["params"]["subscription"] == 1
        assert first["params"]["events"][0]["event"] == "connection:added"
        assert first["params"]["position"]["epoch"] == epoch
        await connection.send(
            '{"jsonrpc": "2.0", "id": 2, "method": "unsubscribe", "params": {"subscription": 1}}'
        )
        while (told := await answer(connection)).get("id") != 2:
            assert told["method"] == "events"
        assert (await call(connection, "version"))["id"] == 1


async def test_a_notification_is_carried_out_and_not_answered(server, address, manager):
    async with connecting(address) as connection:
        await connection.send('{"jsonrpc": "2.0", "method": "pause", "params": {"name": "one"}}')
        await connection.send('{"jsonrpc": "2.0", "method": "nonsense"}')
        assert (await call(connection, "version"))["id"] == 1
    async with asyncio.timeout(PATIENCE):
        while (await manager.snapshot()).statuses[0].phase != "paused":
            await asyncio.sleep(0.01)


async def test_a_stream_ends_with_the_manager_and_says_so(server, address, manager):
    async with connecting(address) as connection:
        assert (await call(connection, "wire", {"name": "one"}))["result"] == {"subscription": 1}
        await asyncio.to_thread(manager.stop)
        while (told := await answer(connection)).get("method") != "ended":
            assert told["method"] == "wire"
        assert told["params"] == {"subscription": 1}


async def test_a_stream_that_fails_says_why_and_ends_no_other(server, address, manager, monkeypatch, caplog):
    async def failing(*_):
        raise RuntimeError("a mistake of ours")
        yield

    monkeypatch.setattr(manager, "wire", failing)
    async with connecting(address) as connection:
        assert (await call(connection, "wire", {"name": "one"}))["result"] == {"subscription": 1}
        told = await answer(connection)
        assert told["method"] == "ended"
        assert told["params"]["error"]["code"] == -32603
        assert (await call(connection, "version"))["result"]
    assert "RuntimeError" in caplog.text
    with pytest.raises(TrunklineError, match="something is wrong inside"):
        await anext(RemoteClient(address).wire("one"))


async def test_a_client_has_a_bound_of_subscriptions(server, address):
    async with connecting(address) as connection:
        for number in range(peers.AT_ONCE):
            told = await call(connection, "wire", {"name": "one"})
            assert told["result"] == {"subscription": number + 1}
        assert (await call(connection, "wire", {"name": "one"}))["error"]["code"] == -32602


async def test_a_message_that_is_too_large_ends_its_connection_and_no_other(server, address):
    async with connecting(address) as other, connecting(address) as connection:
        await connection.send("x" * (server_module.MAX_SIZE + 1))
        with pytest.raises(ConnectionClosed):
            await connection.recv()
        assert (await call(other, "version"))["result"]


async def test_more_clients_than_the_bound_are_told_so(server, address, monkeypatch):
    monkeypatch.setattr(server_module, "MAX_PEERS", 1)
    async with connecting(address) as first:
        await call(first, "version")
        with pytest.raises(InvalidStatus) as refusal:
            async with connecting(address):
                pass
        assert refusal.value.response.status_code == 503
    assert (await get(address))[0] == 200


def test_an_allowance_lets_a_burst_through_and_then_a_rate():
    allowance = Allowance(0.0)
    assert [allowance.take(0.0) for _ in range(BURST)] == [0.0] * BURST
    assert allowance.take(0.0) == pytest.approx(1 / RATE)
    assert allowance.take(1.0) == 0.0


async def test_who_asks_too_fast_waits_and_nobody_else_does(server, address, monkeypatch):
    monkeypatch.setattr(peers, "BURST", 1)
    monkeypatch.setattr(peers, "RATE", 1e-3)
    async with connecting(address) as hasty, connecting(address) as other:
        assert (await call(hasty, "version"))["result"]
        waiting = asyncio.create_task(call(hasty, "version"))
        assert (await call(other, "version"))["result"]
        async with connecting(address) as third:
            assert (await call(third, "version"))["result"]
        assert not waiting.done()
        waiting.cancel()
        await asyncio.wait([waiting])


async def test_who_does_not_read_is_dropped_and_delays_nobody(server, address, manager, monkeypatch, caplog):
    monkeypatch.setattr(peers, "TAKEN_WITHIN", 0.3)
    epoch = (await manager.snapshot()).position.epoch
    lazy = socket.socket(socket.AF_UNIX)
    lazy.setblocking(False)
    loop = asyncio.get_running_loop()
    await loop.sock_connect(lazy, str(address))
    key = "dGhlIHNhbXBsZSBub25jZQ=="
    await loop.sock_sendall(
        lazy,
        f"GET /v1 HTTP/1.1\r\nHost: l\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
        f"Sec-WebSocket-Key: {key}\r\nSec-WebSocket-Version: 13\r\n\r\n".encode(),
    )
    body = json.dumps(
        {"jsonrpc": "2.0", "id": 1, "method": "events", "params": {"since": {"epoch": epoch, "seq": 0}}}
    ).encode()
    await loop.sock_sendall(lazy, bytes([0x81, 0x80 | len(body)]) + bytes(4) + body)
    async with connecting(address) as other, asyncio.timeout(PATIENCE):
        while "is dropped" not in caplog.text:
            await manager.command(Pause(name="one"))
            await manager.command(Resume(name="one"))
            assert (await call(other, "version"))["result"]
    lazy.close()


@settings(max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    frames=st.lists(
        st.one_of(
            st.binary(max_size=200),
            st.text(max_size=200).map(lambda text: text.encode("utf-8", "surrogatepass")),
            st.recursive(
                st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=20),
                lambda inner: (
                    st.lists(inner, max_size=3)
                    | st.dictionaries(
                        st.sampled_from(
                            ["jsonrpc", "id", "method", "params", "name", "since", "seq", "epoch"]
                        ),
                        inner,
                        max_size=5,
                    )
                ),
                max_leaves=10,
            ).map(lambda value: json.dumps(value).encode()),
            st.builds(
                lambda method, params: json.dumps(
                    {"jsonrpc": "2.0", "id": 1, "method": method, "params": params}
                ).encode(),
                st.sampled_from(["events", "wire", "unsubscribe", "history", "mute", "skip", "snapshot"]),
                st.dictionaries(
                    st.sampled_from(["name", "since", "subscription", "group", "seconds"]),
                    st.none() | st.integers() | st.text(max_size=5) | st.just({"epoch": "", "seq": 1}),
                    max_size=3,
                ),
            ),
        ),
        max_size=8,
    ),
    raw=st.booleans(),
)
async def test_no_frame_takes_the_service_down(frames, raw, server, address, caplog):
    caplog.clear()
    if raw:
        reader, writer = await asyncio.open_unix_connection(str(address))
        writer.write(b"".join(frames))
        writer.write_eof()
        await reader.read()
        writer.close()
    else:
        async with connecting(address) as connection:
            try:
                for frame in frames:
                    await connection.send(frame, text=False)
            except ConnectionClosed:
                pass
    async with connecting(address) as connection:
        assert (await call(connection, "version"))["result"]
    assert "failed" not in caplog.text


# --- the file ---------------------------------------------------------------------------------------------


def test_the_socket_is_for_its_user_alone_and_goes_with_the_service(address):
    with SocketFile(address):
        assert stat.S_IMODE(address.stat().st_mode) == 0o600
        assert [each.name for each in address.parent.iterdir()] == [address.name]
    assert not address.exists()


def test_what_a_killed_service_left_behind_is_no_obstacle(address):
    left = socket.socket(socket.AF_UNIX)
    left.bind(str(address))
    left.close()
    with SocketFile(address), socket.socket(socket.AF_UNIX) as caller:
        caller.connect(str(address))


def test_a_socket_on_which_somebody_listens_is_left_alone(address):
    with SocketFile(address), pytest.raises(SocketUnavailableError, match="listens at"):
        SocketFile(address).__enter__()
    with SocketFile(address):
        pass


def test_another_kind_of_file_in_its_place_is_left_alone(address):
    address.write_text("precious")
    with pytest.raises(SocketUnavailableError, match="something else"):
        SocketFile(address).__enter__()
    assert address.read_text() == "precious"


def test_a_place_that_is_too_long_or_cannot_be_written_is_told(folder):
    with pytest.raises(SocketUnavailableError, match="too long"):
        SocketFile(folder / ("x" * 120)).__enter__()
    (folder / "file").touch()
    with pytest.raises(SocketUnavailableError, match="cannot listen"):
        SocketFile(folder / "file" / "s.sock").__enter__()


def test_the_socket_of_a_successor_is_not_taken_away(address):
    first = SocketFile(address).__enter__()
    first.socket.close()
    with SocketFile(address):
        first.__exit__(None, None, None)
        assert address.exists()
