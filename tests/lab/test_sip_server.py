"""The lab's registrar against what Asterisk 22 said, line by line."""

from __future__ import annotations

import asyncio
import hashlib
import re
import socket
import struct

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from manager.lab.faults import Fault
from manager.lab.registrar import Registrar
from manager.lab.sip import SipServer
from manager.secret import Secret
from tests.lab.capture import RawClient, all_received, capture, connected
from tests.lab.datagrams import RawDatagrams

SECRET = "secret"
_HASHES = {"MD5": hashlib.md5, "SHA-256": hashlib.sha256}


def server(**options: object) -> SipServer:
    accounts = {name: Secret(SECRET) for name in ("6001", "6002", "6008", "6009", "6010")}
    return SipServer(Registrar(accounts, **options))  # type: ignore[arg-type]  # options of the tests below


def register(
    *,
    call: str = "c1",
    number: int = 1,
    transport: str = "UDP",
    contact: str | None = "<sip:6001@127.0.0.1:4000>",
    expires: int = 60,
    authorization: str = "",
) -> bytes:
    lines = [
        "REGISTER sip:127.0.0.1 SIP/2.0",
        f"Via: SIP/2.0/{transport} 127.0.0.1:4000;rport;branch=z9hG4bK{call}{number}",
        "From: <sip:6001@127.0.0.1>;tag=lab",
        "To: <sip:6001@127.0.0.1>",
        f"Call-ID: {call}",
        f"CSeq: {number} REGISTER",
    ]
    if contact is not None:
        lines += [f"Contact: {contact}", f"Expires: {expires}"]
    if authorization:
        lines.append(f"Authorization: {authorization}")
    return "\r\n".join([*lines, "Content-Length: 0", "", ""]).encode()


def credentials(
    challenge: bytes, password: str = SECRET, *, realm: str = "lab", uri: str = "sip:127.0.0.1"
) -> str:
    """Answer a challenge (RFC 7616 §3.4.1), written without the project's digest."""
    nonce = re.search(rb'nonce="([^"]+)"', challenge)[1].decode()  # type: ignore[index]

    def digest(text: str) -> str:
        return hashlib.md5(text.encode()).hexdigest()

    a1, a2 = digest(f"6001:{realm}:{password}"), digest(f"REGISTER:{uri}")
    response = digest(f"{a1}:{nonce}:00000001:abc:auth:{a2}")
    return (
        f'Digest username="6001", realm="{realm}", nonce="{nonce}", uri="{uri}", response="{response}", '
        f'algorithm=MD5, cnonce="abc", nc=00000001, qop=auth'
    )


async def registered(client: RawDatagrams, *, call: str = "c1", expires: int = 60) -> bytes:
    """Register over UDP and return the last answer."""
    client.send(register(call=call, expires=expires))
    challenge = await client.next()
    client.send(register(call=call, number=2, expires=expires, authorization=credentials(challenge)))
    return await client.next()


async def registered_over_tcp(client: RawClient, call: str = "t1") -> bytes:
    client.send(register(call=call, transport="TCP"))
    challenge = await client.until(b"\r\n\r\n")
    client.send(register(call=call, number=2, transport="TCP", authorization=credentials(challenge)))
    return await client.until(b"\r\n\r\n")


def lines(message: bytes) -> list[str]:
    """The lines of a message, with ports, nonces, tags of ours, times and opaque values reduced."""
    text = message.decode()
    text = re.sub(r'(nonce|opaque)="[^"]*"', r'\1=""', text)
    text = re.sub(r"(?m)^Date: .*GMT", "Date: now", text)
    text = re.sub(r"(127\.0\.0\.1:|rport=)\d+", r"\1port", text)
    text = re.sub(r"branch=z9hG4bKPj[0-9a-f-]+|;tag=[0-9a-f-]{32,}|(?m:^Call-ID: [0-9a-f-]{32,})", "", text)
    text = re.sub(r"CSeq: \d+ OPTIONS", "CSeq: n OPTIONS", text)
    return text.split("\r\n")


def answered_anew(sent: bytes, challenges: bytes) -> bytes:
    """Compute the digest of a captured request for the nonce of this run."""
    who = rb'username="(\w+)", realm="lab", nonce="([^"]+)", uri="([^"]+)", '
    found = re.search(who + rb'response="(\w+)", algorithm=([\w-]+)', sent)
    if found is None:
        return sent
    username, old_nonce, uri, old_response, algorithm = (part.decode() for part in found.groups())
    nonce = re.search(rb'nonce="([^"]+)"', challenges)[1].decode()  # type: ignore[index]

    def digest(text: str) -> str:
        return _HASHES[algorithm](text.encode()).hexdigest()

    a1, a2 = digest(f"{username}:lab:{SECRET}"), digest(f"REGISTER:{uri}")
    response = digest(f"{a1}:{nonce}:00000001:c0ffee:auth:{a2}")
    return sent.replace(old_nonce.encode(), nonce.encode()).replace(old_response.encode(), response.encode())


@pytest.mark.parametrize(
    ("name", "options"),
    [
        ("sip-register-udp-md5.txt", {}),
        ("sip-register-expires-1.txt", {}),
        ("sip-register-expires-3600.txt", {}),
        ("sip-register-sha256.txt", {"algorithms": ["SHA-256"]}),
        ("sip-register-md5-refused.txt", {"algorithms": ["SHA-256"]}),
        ("sip-register-two-algorithms.txt", {"algorithms": ["SHA-256", "MD5"]}),
        ("sip-register-unknown-user.txt", {}),
        ("sip-register-wrong-password.txt", {}),
        ("sip-options.txt", {}),
    ],
)
async def test_over_udp_it_says_what_asterisk_said(name: str, options: dict[str, object]) -> None:
    said = b""
    async with server(**options) as sip:
        with RawDatagrams(sip.port) as client:
            for mark, content in capture(name):
                if mark == "sent":
                    fresh = answered_anew(content.rstrip(b"\n"), said)
                    if "wrong-password" in name:
                        fresh = re.sub(rb'response="\w+"', b'response="0"', fresh)
                    client.send(fresh.rstrip() + b"\r\n\r\n")
                else:
                    said = await client.next()
                    assert lines(said.rstrip()) == lines(content.rstrip())


async def test_over_tcp_it_says_what_asterisk_said() -> None:
    said = b""
    async with server() as sip, connected(sip.port) as client:
        for mark, content in capture("sip-register-tcp-md5.txt"):
            if mark == "sent":
                client.send(answered_anew(content.strip(), said) + b"\r\n\r\n")
            else:
                said = await client.until(b"\r\n\r\n")
                assert lines(said.strip()) == lines(content.strip())


async def test_a_qualify_is_asked_as_by_asterisk() -> None:
    real = next(
        message
        for message in all_received("sip-qualify.txt").split(b"\r\n\r\n")
        if message.strip().startswith(b"OPTIONS")
    )
    async with server() as sip:
        with RawDatagrams(sip.port) as client:
            await registered(client)
            asking = asyncio.create_task(sip.qualify("6001"))
            asked = await client.next()
            client.send(_response_to(asked, b"SIP/2.0 200 OK"))
            assert await asking == [200]
    assert lines(asked.strip()) == [line.replace("6008", "6001") for line in lines(real.strip())]


def _response_to(request: bytes, status_line: bytes) -> bytes:
    names = (b"Via:", b"From:", b"Call-ID:", b"CSeq:")
    kept = [line for line in request.split(b"\r\n") if line.startswith(names)]
    to = next(line for line in request.split(b"\r\n") if line.startswith(b"To:")) + b";tag=ours"
    return b"\r\n".join([status_line, *kept, to, b"Content-Length: 0", b"", b""])


async def test_a_contact_may_ask_for_its_expiry_itself() -> None:
    async with server() as sip:
        with RawDatagrams(sip.port) as client:
            client.send(register())
            answer = credentials(await client.next())
            contact = "<sip:6001@127.0.0.1:4000>;expires=33"
            client.send(register(number=2, contact=contact, authorization=answer))
            assert b"Contact: <sip:6001@127.0.0.1:4000>;expires=32\r\n" in await client.next()


async def test_a_register_without_a_contact_reads_the_bindings() -> None:
    async with server() as sip:
        with RawDatagrams(sip.port) as client:
            await registered(client)
            client.send(register(call="c2", contact=None))
            answer = credentials(await client.next())
            client.send(register(call="c2", number=2, contact=None, authorization=answer))
            said = await client.next()
    assert said.startswith(b"SIP/2.0 200 OK\r\n")
    assert re.search(rb"\r\nContact: <sip:6001@127.0.0.1:4000>;expires=5\d\r\n", said)
    assert sip.logins == 1


async def test_a_binding_runs_out() -> None:
    now = 1000.0
    registrar = Registrar({"6001": Secret(SECRET)}, clock=lambda: now)
    async with SipServer(registrar) as sip:
        with RawDatagrams(sip.port) as client:
            await registered(client, expires=60)
            assert len(registrar.bindings("6001")) == 1
            now = 1060.0
            assert registrar.bindings("6001") == ()


async def test_an_old_nonce_is_stale_and_no_refusal() -> None:
    async with server() as sip:
        with RawDatagrams(sip.port) as client:
            client.send(register())
            answer = credentials(await client.next())
            sip.registrar.expire_nonces()
            client.send(register(number=2, authorization=answer))
            challenge = await client.next()
            assert b",stale=true,algorithm=MD5," in challenge
            client.send(register(number=3, authorization=credentials(challenge)))
            assert (await client.next()).startswith(b"SIP/2.0 200 ")
    assert (sip.logins, sip.refused) == (1, 0)


@pytest.mark.parametrize("other", [{"realm": "bar"}, {"uri": "sip:127.0.0.9"}])
async def test_credentials_for_another_realm_or_uri_are_refused(other: dict[str, str]) -> None:
    async with server() as sip:
        with RawDatagrams(sip.port) as client:
            client.send(register())
            client.send(register(number=2, authorization=credentials(await client.next(), **other)))
            assert b" 401 " in await client.next()
    assert (sip.logins, sip.refused) == (0, 1)


async def test_one_contact_more_than_allowed_is_forbidden_and_the_same_one_is_not() -> None:
    async with server(max_contacts=1) as sip:
        with RawDatagrams(sip.port) as client:
            await registered(client, call="a")
            assert (await registered(client, call="b")).startswith(b"SIP/2.0 200 ")
            client.send(register(call="c", contact="<sip:6001@127.0.0.1:4001>"))
            answer = credentials(await client.next())
            client.send(
                register(call="c", number=2, contact="<sip:6001@127.0.0.1:4001>", authorization=answer)
            )
            assert (await client.next()).startswith(b"SIP/2.0 403 Forbidden\r\n")


async def test_too_short_an_expiry_is_refused_where_that_is_asked_for() -> None:
    async with server(refuse_brief=True, expires_range=(90, 300)) as sip:
        with RawDatagrams(sip.port) as client:
            said = await registered(client, expires=60)
    assert said.startswith(b"SIP/2.0 423 Interval Too Brief\r\n")
    assert b"\r\nMin-Expires: 90\r\n" in said


async def test_a_star_takes_every_binding_back() -> None:
    async with server() as sip:
        with RawDatagrams(sip.port) as client:
            await registered(client)
            client.send(register(call="d"))
            answer = credentials(await client.next())
            client.send(register(call="d", number=2, contact="*", expires=0, authorization=answer))
            assert (await client.next()).startswith(b"SIP/2.0 200 ")
    assert sip.registrar.bindings("6001") == ()


async def test_a_retransmission_gets_the_same_answer_and_is_not_counted() -> None:
    async with server() as sip:
        with RawDatagrams(sip.port) as client:
            client.send(register())
            wrong = register(number=2, authorization=credentials(await client.next(), "wrong"))
            client.send(wrong)
            first = await client.next()
            client.send(wrong)
            assert await client.next() == first
    assert sip.refused == 1


async def test_a_call_reaches_a_phone_over_udp_and_is_acknowledged() -> None:
    async with server() as sip:
        with RawDatagrams(sip.port) as client:
            await registered(client)
            calling = asyncio.create_task(sip.call("6001", 'Eve" <\x1b[2J>\r\nX-Evil: 1', caller="666"))
            invite = await client.next()
            client.send(_response_to(invite, b"SIP/2.0 180 Ringing"))
            client.send(_response_to(invite, b"SIP/2.0 486 Busy Here"))
            assert await calling == [486]
            ack = await client.next()
    assert invite.startswith(b"INVITE sip:6001@127.0.0.1:4000 SIP/2.0\r\n")
    assert b'\r\nFrom: "Eve\\" <\x1b[2J>  X-Evil: 1" <sip:666@127.0.0.1>;tag=' in invite
    assert ack.startswith(b"ACK sip:6001@127.0.0.1:4000 SIP/2.0\r\n")
    assert re.search(rb"branch=(\S+)", ack)[1] == re.search(rb"branch=(\S+)", invite)[1]  # type: ignore[index]
    assert b";tag=ours\r\n" in ack


async def test_a_call_reaches_a_phone_over_tcp() -> None:
    async with server() as sip, connected(sip.port) as client:
        await registered_over_tcp(client)
        calling = asyncio.create_task(sip.call("6001", "Eve"))
        invite = await client.until(b"\r\n\r\n")
        client.send(_response_to(invite, b"SIP/2.0 603 Decline"))
        assert await calling == [603]
        assert (await client.until(b"\r\n")).startswith(b"ACK ")
    assert b"Via: SIP/2.0/TCP " in invite


async def test_a_phone_that_comes_back_from_its_port_while_the_server_was_frozen_is_reached() -> None:
    async with server() as sip:
        # Nobody else connects from this address, so the port stays free between the two connections.
        phone = "127.0.0.77"
        old = socket.create_connection((sip.host, sip.port), source_address=(phone, 0))
        port = old.getsockname()[1]
        while not sip.connects:
            await asyncio.sleep(0)
        sip.fault = Fault.HANG
        old.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        old.send(register(transport="TCP"))
        await asyncio.sleep(0.05)  # the old session holds the request, and will answer nobody
        old.close()
        reader, writer = await asyncio.open_connection(sip.host, sip.port, local_addr=(phone, port))
        sip.fault = None
        client = RawClient(reader, writer)
        await registered_over_tcp(client)
        calling = asyncio.create_task(sip.call("6001", "Eve"))
        client.send(_response_to(await client.until(b"\r\n\r\n"), b"SIP/2.0 486 Busy Here"))
        assert await calling == [486]
        writer.close()
        await writer.wait_closed()


async def test_crlf_pings_are_answered_only_where_that_is_asked_for() -> None:
    async with SipServer(Registrar({}), pongs=True) as sip, connected(sip.port) as client:
        client.send(b"\r\n\r\n")
        assert await client.exactly(2) == b"\r\n"
    async with server() as sip, connected(sip.port) as client:
        client.send(b"\r\n\r\n")
        assert await client.hears_nothing()


_header = st.sampled_from(["Via", "From", "To", "Contact", "Authorization", "CSeq", "Call-ID", "Expires"])
_value = st.one_of(
    st.text(max_size=60),
    st.sampled_from(
        ['Digest username="6001"', "<sip:6001@x>", "SIP/2.0/UDP x;branch=b;rport", '"', "*", "\x00", "9" * 40]
    ),
)


@settings(max_examples=100, deadline=None)
@given(headers=st.lists(st.tuples(_header, _value), max_size=10), noise=st.binary(max_size=60))
async def test_no_bytes_break_it(headers: list[tuple[str, str]], noise: bytes) -> None:
    head = "".join(f"{name}: {value}\r\n" for name, value in headers).encode("utf-8", "replace")
    request = b"REGISTER sip:127.0.0.1 SIP/2.0\r\n" + head + b"\r\n"
    async with server() as sip:
        with RawDatagrams(sip.port) as client:
            client.send(request)
            client.send(noise or b"x")
            client.send(register(call="alive"))
            while b"Call-ID: alive" not in await client.next():
                pass
        async with connected(sip.port) as stream:
            stream.send(request + noise)


async def test_a_stream_that_cannot_be_followed_is_cut_off() -> None:
    async with server() as sip, connected(sip.port) as client:
        client.send(b"x" * 300_000)
        assert await client.rest() == b""
