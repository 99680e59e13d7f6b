"""The demo's story: what goes wrong when, as data. The same seed tells the same story.

An act is a handful of steps; acts follow each other without end, with calm between them. The first acts are
always the same five, so that within a minute every kind of trouble has been seen.
"""

from __future__ import annotations

import asyncio
import enum
import random
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass

from manager.lab.faults import Fault
from manager.lab.lab import Host, Lab
from manager.lab.server import LabServer
from manager.settings import Policy

HOSTS = (
    Host(
        "pbx1",
        "127.0.0.1",
        sip=("desk-6001", "desk-6002", "desk-6003"),
        websocket=("pbx1-ari",),
        ami=("pbx1-ami",),
    ),
    Host("pbx2", "127.0.0.2", sip=("desk-6101", "desk-6102"), websocket=("pbx2-ari",), ami=("pbx2-ami",)),
    Host("sbc", "127.0.0.3", sip=("trunk-berlin", "trunk-lisbon")),
    Host("backend", "127.0.0.4", websocket=("backend", "recorder")),
)

POLICY = Policy(
    connect_timeout=5.0,
    heartbeat_interval=5.0,
    heartbeat_timeout=2.0,
    suspect_timeout=1.0,
    health_interval=10.0,
    stable_after=5.0,
    cooldown=60.0,
    blocked_retry=12.0,
    login_window=60.0,
)
"""The waits before attempts are the real ones; what an audience would have to sit through is shortened."""

DELAY = 0.4
"""Seconds by which a slow server is late: enough to be seen, not enough to be given up."""

CALLER = "\x1b]0;owned\x07\x1b[2J[bold red]Robert'); DROP TABLE calls;--[/]\u202e"
"""A caller's name as nobody should be able to have one."""


_PAUSE = 9.0
"""Seconds that a restart takes."""
_CALL = 15.0
"""Seconds that a call is up."""


class Deed(enum.Enum):
    """What is done to servers besides faults that last."""

    MEND = "mend"
    RESTART = "restart"
    FLAP = "flap"
    CALL = "call"
    CHATTER = "chatter"
    GO_AWAY = "go away"


class Kind(enum.Enum):
    """Which servers of a host are meant."""

    ALL = "everything"
    SIP = "SIP"
    WEBSOCKET = "WebSocket"
    AMI = "AMI"


@dataclass(frozen=True, slots=True)
class Place:
    """Servers of a host."""

    host: str
    kind: Kind = Kind.ALL

    def __str__(self) -> str:
        return self.host if self.kind is Kind.ALL else f"{self.host} ({self.kind.value})"


@dataclass(frozen=True, slots=True)
class Step:
    """Something that happens at `at` seconds of the story."""

    at: float
    place: Place
    deed: Fault | Deed
    sentence: str
    cut: bool = False
    """Whether sessions are cut as a fault begins that only new ones meet."""


@dataclass(frozen=True, slots=True)
class Beat:
    """A step of an act, `after` seconds from its beginning."""

    after: float
    deed: Fault | Deed
    words: str
    cut: bool = False


@dataclass(frozen=True, slots=True)
class Act:
    """Beats that belong together, at one of several places."""

    places: tuple[Place, ...]
    beats: tuple[Beat, ...]


def _places(kind: Kind, *hosts: str) -> tuple[Place, ...]:
    return tuple(Place(host, kind) for host in hosts)


def _spell(fault: Fault, seconds: float, words: str, end: str, *, cut: bool = False) -> tuple[Beat, ...]:
    return Beat(0.0, fault, words, cut), Beat(seconds, Deed.MEND, end)


_PBXES = ("pbx1", "pbx2")
RESTART = Act(_places(Kind.ALL, *_PBXES), (Beat(0.0, Deed.RESTART, "restarts"),))
HANG = Act(
    (*_places(Kind.SIP, "sbc", *_PBXES), *_places(Kind.WEBSOCKET, "backend")),
    _spell(Fault.HANG, 14.0, "freezes: ports open, nothing answers", "moves again"),
)
WRONG_PASSWORD = Act(
    _places(Kind.AMI, *_PBXES),
    _spell(Fault.WRONG_PASSWORD, 11.0, "has another password now", "has the old password back", cut=True),
)
CALL = Act(_places(Kind.ALL, *_PBXES), (Beat(0.0, Deed.CALL, "has a call with a hostile caller's name"),))
CHATTER = Act(_places(Kind.WEBSOCKET, "backend"), (Beat(0.0, Deed.CHATTER, "has much to say"),))
ACTS = (
    RESTART,
    HANG,
    WRONG_PASSWORD,
    CALL,
    Act(
        _places(Kind.SIP, "sbc"),
        _spell(
            Fault.WRONG_PASSWORD,
            15.0,
            "refuses its trunks: the login budget runs out",
            "takes them",
            cut=True,
        ),
    ),
    Act(
        (*_places(Kind.WEBSOCKET, "backend"), *_places(Kind.AMI, *_PBXES)),
        _spell(Fault.HANG_AFTER_LOGIN, 20.0, "logs in and falls silent", "speaks again", cut=True),
    ),
    Act(
        (*_places(Kind.WEBSOCKET, "backend"), *_places(Kind.AMI, *_PBXES)),
        tuple(Beat(after, Deed.FLAP, "drops every session") for after in (0.0, 4.0, 9.0)),
    ),
    Act(
        (*_places(Kind.ALL, *_PBXES), *_places(Kind.SIP, "sbc")),
        _spell(Fault.SLOW, 18.0, "answers late", "is quick again"),
    ),
    Act(
        (*_places(Kind.WEBSOCKET, "backend"), *_places(Kind.AMI, *_PBXES)),
        _spell(Fault.GARBAGE, 7.0, "sends garbage", "makes sense again", cut=True),
    ),
    Act(
        (*_places(Kind.SIP, "sbc"), *_places(Kind.WEBSOCKET, "backend")),
        _spell(Fault.OVERLOAD, 8.0, "is overloaded and asks for patience", "has room again", cut=True),
    ),
    Act(
        (*_places(Kind.AMI, *_PBXES), *_places(Kind.WEBSOCKET, "backend")),
        _spell(Fault.ACCEPT_AND_CLOSE, 9.0, "accepts connections and drops them", "keeps them", cut=True),
    ),
    Act(
        _places(Kind.WEBSOCKET, "backend", *_PBXES),
        (Beat(0.0, Deed.CHATTER, "has much to say"), Beat(6.0, Deed.GO_AWAY, "closes with code 1012")),
    ),
)


def story(seed: int) -> Iterator[Step]:
    """Yield the steps in order of time, without end."""
    chance = random.Random(seed)  # noqa: S311 - a story, not a secret
    one, other = chance.sample(_PBXES, 2)
    opening = [
        *_steps(RESTART, Place(one), 3.0),
        *_steps(HANG, Place("sbc", Kind.SIP), 8.0),
        *_steps(CALL, Place(other), 15.0),
        *_steps(CHATTER, Place("backend", Kind.WEBSOCKET), 18.0),
        *_steps(WRONG_PASSWORD, Place(other, Kind.AMI), 24.0),
    ]
    yield from sorted(opening, key=lambda step: step.at)
    start = 50.0
    while True:
        for act in chance.sample(ACTS, len(ACTS)):
            steps = _steps(act, chance.choice(act.places), start)
            yield from steps
            start = steps[-1].at + chance.uniform(9.0, 15.0)


def _steps(act: Act, place: Place, start: float) -> list[Step]:
    return [
        Step(start + beat.after, place, beat.deed, f"{place} {beat.words}", beat.cut) for beat in act.beats
    ]


async def play(lab: Lab, steps: Iterable[Step], told: Callable[[Step], None]) -> None:
    """Do the steps at their times; `told` hears of each as it begins."""
    loop = asyncio.get_running_loop()
    begin = loop.time()
    async with asyncio.TaskGroup() as deeds:
        for step in steps:
            await asyncio.sleep(begin + step.at - loop.time())
            told(step)
            deeds.create_task(perform(lab, step))


async def perform(lab: Lab, step: Step) -> None:
    """Do one step now; it takes as long as what it is about (a call is up for 15 s)."""
    host = step.place.host
    match step.deed:
        case Deed.RESTART:
            await asyncio.gather(*(server.restart(_PAUSE) for server in _servers(lab, step.place)))
        case Deed.CALL:
            await _call(lab, host)
        case Deed.CHATTER:
            await lab.websocket[host].emit_at(rate=8.0, count=40)
        case Deed.GO_AWAY:
            lab.websocket[host].close_sessions(1012, "service restart")
        case deed:
            for server in _servers(lab, step.place):
                _disturb(server, deed, cut=step.cut)


def _disturb(server: LabServer, deed: Fault | Deed, *, cut: bool) -> None:
    if deed is not Deed.FLAP:
        server.fault = deed if isinstance(deed, Fault) else None
    if cut or deed is Deed.FLAP:
        server.drop()


async def _call(lab: Lab, host: str) -> None:
    ami, sip = lab.ami[host], lab.sip[host]
    rings = [sip.call(account, CALLER) for account in sip.registrar.accounts]
    await asyncio.gather(ami.carry_call(CALLER, seconds=_CALL), *rings)


def place_of(connection: str, hosts: Iterable[Host] = HOSTS) -> Place:
    """Return where a connection leads to.

    Raises:
        LookupError: no host has it.
    """
    for host in hosts:
        for kind, names in ((Kind.SIP, host.sip), (Kind.WEBSOCKET, host.websocket), (Kind.AMI, host.ami)):
            if connection in names:
                return Place(host.name, kind)
    raise LookupError(connection)


def _servers(lab: Lab, place: Place) -> tuple[LabServer, ...]:
    match place.kind:
        case Kind.ALL:
            return lab.servers_of(place.host)
        case Kind.SIP:
            return (lab.sip[place.host],)
        case Kind.WEBSOCKET:
            return (lab.websocket[place.host],)
        case Kind.AMI:
            return (lab.ami[place.host],)
