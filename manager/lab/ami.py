"""A small Asterisk manager interface: logins, pings, a handful of actions and events on request.

Texts, order of fields and timing are those of Asterisk 22; `tests/captures/ami-*` are compared with it.
"""

from __future__ import annotations

import asyncio
import hashlib
import hmac
import secrets
import time
from collections import deque
from collections.abc import Mapping
from datetime import UTC, datetime

from manager.lab.faults import Fault
from manager.lab.server import READ_LIMIT, LabServer, Peer
from manager.secret import Secret

_BANNER = b"Asterisk Call Manager/11.0.0\r\n"
_MAX_FIELDS = 128
_ALL = frozenset({"system", "call", "security", "reporting", "command", "originate"})

Fields = Mapping[str, str]


class AmiServer(LabServer):
    """An AMI that knows one user; `read` and `write` are the classes of events and actions of `manager.conf`.

    Logins work from the start, but the server is fully booted only after `boot_time` seconds; a refused login
    waits `refusal_hold` seconds for its answer. `challenge` is whether a login by MD5 challenge is offered.
    """

    def __init__(
        self,
        *,
        username: str,
        password: Secret,
        host: str = "127.0.0.1",
        port: int = 0,
        delay: float = 1.0,
        boot_time: float = 0.1,
        refusal_hold: float = 1.0,
        challenge: bool = True,
        read: frozenset[str] = _ALL,
        write: frozenset[str] = _ALL,
    ) -> None:
        super().__init__(host=host, port=port, delay=delay)
        self.username = username
        self.password = password
        self.boot_time = boot_time
        self.refusal_hold = refusal_hold
        self.challenge = challenge
        self.read = read
        self.write = write
        self.actions: deque[str] = deque(maxlen=1000)
        """Names of the last actions that were received."""
        self.masks: dict[Peer, frozenset[str]] = {}
        """Which events each logged-in client wants."""
        self._calls_up = 0
        self._calls_begun = 0

    def emit(self, event: Fields, *, privilege: str = "call") -> int:
        """Send an event to every logged-in client whose user may read it; return how many there are."""
        if privilege not in self.read:
            return 0
        fields = {"Event": event["Event"], "Privilege": f"{privilege},all", **_stamp(), **event}
        peers = [peer for peer in self.peers if privilege in self.masks[peer]]
        for peer in peers:
            peer.push(_message(fields))
        return len(peers)

    async def carry_call(self, caller_name: str, caller_number: str = "6001", *, seconds: float = 0.0) -> int:
        """Emit what a call of `seconds` looks like; return how many clients heard it begin."""
        self._calls_begun += 1
        unique = f"lab-{int(self.started_at)}.{self._calls_begun}"
        channel = {
            "Channel": f"PJSIP/{caller_number}-{self._calls_begun:08x}",
            "ChannelState": "4",
            "ChannelStateDesc": "Ring",
            "CallerIDNum": caller_number,
            "CallerIDName": caller_name,
            "ConnectedLineNum": "<unknown>",
            "ConnectedLineName": "<unknown>",
            "Language": "en",
            "AccountCode": "",
            "Context": "lab",
            "Exten": "600",
            "Priority": "1",
            "Uniqueid": unique,
            "Linkedid": unique,
        }
        heard = self.emit({"Event": "Newchannel", **channel})
        self._calls_up += 1
        try:
            await asyncio.sleep(seconds)
        finally:
            self._calls_up -= 1
        self.emit({"Event": "Hangup", **channel, "Cause": "16", "Cause-txt": "Normal Clearing"})
        return heard

    @property
    def calls(self) -> tuple[int, int]:
        """How many calls are up, and how many have been."""
        return self._calls_up, self._calls_begun - self._calls_up

    def say_goodbye(self, peer: Peer) -> None:
        if "system" in self.read & self.masks[peer]:
            goodbye = {"Event": "Shutdown", "Privilege": "system,all", **_stamp()}
            peer.push(_message({**goodbye, "Shutdown": "Cleanly", "Restart": "False"}))

    async def serve(self, peer: Peer) -> None:
        await self.ready(logged_in=False)
        if self.fault is Fault.OVERLOAD:
            return  # beyond `authlimit` Asterisk closes without a word
        await peer.send(_BANNER)
        try:
            await _Conversation(self, peer).run()
        finally:
            peer.logged_in = False
            self.masks.pop(peer, None)


class _Conversation:
    """One client's session."""

    def __init__(self, server: AmiServer, peer: Peer) -> None:
        self._server = server
        self._peer = peer
        self._challenge = ""
        self._session = f"0x{secrets.randbits(47):x}"

    async def run(self) -> None:
        """Take actions until one ends the session, or the client does, or a line is without an end."""
        fields: dict[str, str] = {}
        unread = b""
        while len(unread) <= READ_LIMIT and (content := await self._peer.receive()):
            *lines, unread = (unread + content).split(b"\n")
            for line in lines:
                if line.strip(b"\r"):
                    _note(fields, line)
                elif not await self._take(fields):
                    return
                else:
                    fields = {}

    async def _take(self, action: Fields) -> bool:
        """Answer one action, if it is one; return whether the session goes on."""
        await self._server.thawed(logged_in=self._peer.logged_in)
        if self._server.fault is Fault.CLOSE_IN_HANDSHAKE and not self._peer.logged_in:
            return False
        return not action or await self._answer(action)

    async def _answer(self, action: Fields) -> bool:
        name = action.get("action", "")
        self._server.actions.append(name)
        match name.lower():
            case "":
                await self._error(action, "Missing action in request")
            case "challenge":
                await self._offer_challenge(action)
            case "login":
                return await self._login(action)
            case "logoff":
                await self._reply(action, "Goodbye", {"Message": "Thanks for all the fish."})
                return False
            case _ if not self._peer.logged_in:
                await self._error(action, "Permission denied")
            case lowered:
                await self._act(lowered, name, action)
        return True

    async def _act(self, lowered: str, name: str, action: Fields) -> None:
        match lowered:
            case "ping":
                await self._reply(action, "Success", {"Ping": "Pong", **_clock()})
            case "corestatus":
                await self._allowed(action, {"system", "reporting"}, self._core_status())
            case "coresettings":
                await self._allowed(action, {"system", "reporting"}, _core_settings())
            case "events":
                await self._choose_events(action)
            case "originate":
                queued = {"Message": "Originate successfully queued"}
                await self._allowed(action, {"originate"}, queued)
            case _:
                hint = "Use Action: ListCommands to show available commands."
                await self._error(action, f"Invalid/unknown command: {name}. {hint}")
                self._warn_of(name)

    async def _offer_challenge(self, action: Fields) -> None:
        if not self._server.challenge or action.get("authtype", "").upper() != "MD5":
            await self._error(action, "Must specify AuthType")
            return
        self._challenge = str(secrets.randbelow(900_000_000) + 100_000_000)
        await self._reply(action, "Success", {"Challenge": self._challenge})

    async def _login(self, action: Fields) -> bool:
        if self._peer.logged_in:
            await self._reply(action, "Success", {"Message": "Already authenticated"})
            return True
        if not self._accepts(action):
            self._server.count_login(accepted=False)
            await asyncio.sleep(self._server.refusal_hold)
            await self._error(action, "Authentication failed")
            return False
        self._server.count_login(accepted=True)
        await self._reply(action, "Success", {"Message": "Authentication accepted"})
        self._server.masks[self._peer] = _mask(action.get("events", "on")) or frozenset()
        self._peer.logged_in = True
        if "system" in self._server.masks[self._peer]:
            to_boot = self._server.started_at + self._server.boot_time - time.time()
            if to_boot > 0:
                self._server.spawn(self._announce_boot_in(to_boot))
            else:
                self._announce_boot()
        return True

    async def _choose_events(self, action: Fields) -> None:
        mask = _mask(action.get("eventmask", ""))
        if mask is None:
            await self._error(action, "Invalid event mask")
            return
        self._server.masks[self._peer] = mask
        await self._reply(action, "Success", {"Events": "On" if mask else "Off"})

    def _accepts(self, action: Fields) -> bool:
        if self._server.fault is Fault.WRONG_PASSWORD or action.get("username") != self._server.username:
            return False
        password = self._server.password.reveal()
        if action.get("authtype", "").upper() == "MD5":
            key = hashlib.md5((self._challenge + password).encode(), usedforsecurity=False).hexdigest()
            return bool(self._challenge) and _equal(action.get("key", ""), key)
        return _equal(action.get("secret", ""), password)

    async def _announce_boot_in(self, seconds: float) -> None:
        await asyncio.sleep(seconds)
        self._announce_boot()

    def _announce_boot(self) -> None:
        if self._peer not in self._server.peers:
            return
        uptime = str(int(time.time() - self._server.started_at))
        if "system" in self._server.read:
            booted = {"Event": "FullyBooted", "Privilege": "system,all", "Uptime": uptime}
            self._peer.push(_message({**booted, "LastReload": uptime, "Status": "Fully Booted"}))
        if "security" in self._server.read & self._server.masks[self._peer]:
            head = self._security_event("SuccessfulAuth", "Informational")
            session = self._security_session()
            rest = {"UsingPassword": "0", "SessionTV": head["EventTV"]}
            account = {"AccountID": self._server.username}
            self._peer.push(_message({**head, **account, **session, **rest}))

    def _warn_of(self, name: str) -> None:
        if "security" in self._server.read & self._server.masks[self._peer]:
            head = self._security_event("RequestBadFormat", "Error")
            rest = {"RequestType": f"Action: {name}", "SessionTV": head["EventTV"]}
            account = {"AccountID": self._server.username}
            self._peer.push(_message({**head, **self._security_session(), **rest, **account}))

    def _security_event(self, event: str, severity: str) -> dict[str, str]:
        now = datetime.now(UTC).isoformat(timespec="milliseconds").replace("+00:00", "+0000")
        head = {"Event": event, "Privilege": "security,all", **_stamp(), "EventTV": now}
        return {**head, "Severity": severity, "Service": "AMI", "EventVersion": "1"}

    def _security_session(self) -> dict[str, str]:
        host, port = self._peer.remote
        local = f"IPV4/TCP/{self._server.host}/{self._server.port}"
        return {"SessionID": self._session, "LocalAddress": local, "RemoteAddress": f"IPV4/TCP/{host}/{port}"}

    def _core_status(self) -> Fields:
        started = datetime.fromtimestamp(self._server.started_at, UTC)
        date, clock = f"{started:%Y-%m-%d}", f"{started:%H:%M:%S}"
        up = {"CoreStartupDate": date, "CoreStartupTime": clock, "CoreReloadDate": date}
        current, processed = (str(calls) for calls in self._server.calls)
        return {**up, "CoreReloadTime": clock, "CoreCurrentCalls": current, "CoreProcessedCalls": processed}

    async def _allowed(self, action: Fields, needed: set[str], answer: Fields) -> None:
        if needed & self._server.write:
            await self._reply(action, "Success", answer)
        else:
            await self._error(action, "Permission denied")

    async def _error(self, action: Fields, text: str) -> None:
        await self._reply(action, "Error", {"Message": text})

    async def _reply(self, action: Fields, response: str, fields: Fields) -> None:
        named = {"ActionID": action["actionid"]} if "actionid" in action else {}
        await self._peer.send(_message({"Response": response, **named, **fields}))


def _note(fields: dict[str, str], line: bytes) -> None:
    name, colon, value = line.decode(errors="replace").partition(":")
    if colon and len(fields) < _MAX_FIELDS:
        fields[name.strip().lower()] = value.strip()


def _mask(text: str) -> frozenset[str] | None:
    """Return the classes of events that a mask names; None for one that makes no sense."""
    if text.lower() in ("on", "1", "yes", "true"):
        return _ALL
    if text.lower() in ("off", "0", "no", "false"):
        return frozenset()
    return frozenset(text.lower().split(",")) & _ALL or None


def _core_settings() -> Fields:
    return {
        "AMIversion": "11.0.0",
        "AsteriskVersion": "22.10.1+dfsg+~cs6.17.60671434-1",
        "SystemName": "lab",
        "CoreMaxCalls": "0",
        "CoreMaxLoadAvg": "0.000000",
        "CoreRunUser": "asterisk",
        "CoreRunGroup": "asterisk",
        "CoreMaxFilehandles": "0",
        "CoreRealTimeEnabled": "No",
        "CoreCDRenabled": "Yes",
        "CoreHTTPenabled": "No",
        "SoundsSearchCustomDir": "No",
    }


def _clock() -> dict[str, str]:
    return {"Timestamp": f"{time.time():.6f}"}


def _stamp() -> dict[str, str]:
    return {**_clock(), "SystemName": "lab"}


def _message(fields: Fields) -> bytes:
    """Encode one message; a line end within a value becomes a space, as a caller may not add headers."""
    lines = [f"{name}: {value}".replace("\r", " ").replace("\n", " ") for name, value in fields.items()]
    return "\r\n".join([*lines, "", ""]).encode()


def _equal(given: str, expected: str) -> bool:
    return hmac.compare_digest(given.encode(), expected.encode())
