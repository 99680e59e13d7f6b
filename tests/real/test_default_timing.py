"""Outages at the default timing. Each takes about a minute, so each shows as much as it can."""

from __future__ import annotations

import time
from pathlib import Path

import msgspec

from manager.events import StateChanged
from manager.manager import ConnectionManager
from manager.model import Phase
from tests.real.asterisk import Asterisk
from tests.real.authority import Authority
from tests.real.connections import everything, until
from tests.real.kamailio import Kamailio
from tests.real.managed import are, events
from tests.real.watching import phases, watching


async def test_a_hung_server_is_suspect_within_36_seconds_and_given_up_within_8_more(
    asterisk: Asterisk, kamailio: Kamailio, authority: Authority
) -> None:
    connections = everything(asterisk, authority)
    connections += [
        msgspec.structs.replace(each, name=f"kamailio-{each.name}")
        for each in everything(kamailio, authority)
    ]
    async with ConnectionManager(connections) as manager:
        await until(are(manager, Phase.UP))
        frozen = time.time()
        asterisk.freeze()
        kamailio.freeze()
        await until(lambda: set(first_time(manager, Phase.WAITING)) == set(manager.states), 60)
        suspected, given_up = first_time(manager, Phase.SUSPECT), first_time(manager, Phase.WAITING)
        for name in manager.states:
            assert suspected[name] - frozen <= 25 + 10 + 1, name
            assert given_up[name] - suspected[name] <= 8, name
        asterisk.thaw()
        kamailio.thaw()
        await until(are(manager, Phase.UP), 60)


async def test_asterisk_killed_for_45_seconds_under_watch_is_met_by_waits_of_1_2_4_8_16_and_30(
    asterisk: Asterisk, authority: Authority, tmp_path: Path
) -> None:
    settings = tmp_path / "config.toml"
    settings.write_text(_settings(asterisk, authority))
    settings.chmod(0o600)
    async with watching(settings, tmp_path) as lines:
        await until(lambda: set(phases(lines).values()) == {"up"} and len(phases(lines)) == 6)
        killed = time.time()
        asterisk.kill()
        await until(lambda: time.time() - killed >= 45, 60)
        asterisk.launch()
        await until(lambda: set(phases(lines).values()) == {"up"}, 30)
    waits = [line for line in lines if line["event"] == "connection:stateChanged" and line["wait"]]
    for name in phases(lines):
        mine = [line for line in waits if line["connection"] == name]
        numbers = [line["attempt"] for line in mine]
        assert numbers == list(range(1, len(mine) + 1)), name
        assert [line["wait"] for line in mine] == [1, 2, 4, 8, 16, 30][: len(mine)], name
        # Over UDP the kill is heard with the next heartbeat, so that fewer attempts are needed.
        assert len(mine) == 6 or name == "desk-udp", name


SETTINGS = """
[defaults]
jitter = 0
[connections.pbx-ami]
type = "ami"
endpoints = ["ami://127.0.0.1:{ports.ami}"]
username = "monitor"
password = "secret-of-monitor"
[connections.pbx-ami-tls]
type = "ami"
endpoints = ["amis://127.0.0.1:{ports.amis}"]
username = "limited"
password = "secret-of-limited"
ca_file = "{ca_file}"
[connections.pbx-ari]
type = "websocket"
endpoints = ["ws://127.0.0.1:{ports.http}/ari/events?app=trunkline&subscribeAll=true"]
query = {{ api_key = "ari:secret-of-ari" }}
[connections.desk-udp]
type = "sip"
endpoints = ["sip:127.0.0.1:{ports.udp};transport=udp"]
aor = "sip:6001@127.0.0.1"
username = "6001"
password = "secret-of-6001"
[connections.desk-tcp]
type = "sip"
endpoints = ["sip:127.0.0.1:{ports.tcp};transport=tcp"]
aor = "sip:6002@127.0.0.1"
username = "6002"
password = "secret-of-6002"
[connections.desk-wss]
type = "sip"
endpoints = ["sip:127.0.0.1:{ports.https};transport=wss"]
aor = "sip:6003@127.0.0.1"
username = "6003"
password = "secret-of-6003"
ca_file = "{ca_file}"
"""


def _settings(asterisk: Asterisk, authority: Authority) -> str:
    return SETTINGS.format(ports=asterisk.ports, ca_file=authority.ca_file)


def first_time(manager: ConnectionManager, phase: Phase) -> dict[str, float]:
    """Return when each connection first came to a phase."""
    found: dict[str, float] = {}
    for event in events(manager):
        if isinstance(event, StateChanged) and event.phase is phase:
            found.setdefault(event.connection, event.time)
    return found
