"""Outages at the default timing. Each takes about a minute, so each shows as much as it can."""

from __future__ import annotations

import time
from pathlib import Path

from manager.manager import ConnectionManager
from manager.model import Phase
from tests.real.asterisk import Asterisk
from tests.real.authority import Authority
from tests.real.cable import Cable
from tests.real.connections import everything, named, until
from tests.real.kamailio import Kamailio
from tests.real.managed import are, first_time
from tests.real.watching import phases, watching


async def test_hung_servers_and_a_pulled_cable_are_suspect_within_36_seconds_and_given_up_within_42(
    asterisk: Asterisk,
    kamailio: Kamailio,
    distant: Asterisk,
    cable: Cable,
    authority: Authority,
    record_property,
) -> None:
    connections = everything(asterisk, authority)
    connections += named("kamailio", everything(kamailio, authority))
    behind = named("distant", everything(distant, authority))
    async with ConnectionManager([*connections, *behind]) as manager:
        await until(are(manager, Phase.UP))
        lost = time.time()
        asterisk.freeze()
        kamailio.freeze()
        cable.pull()
        await until(lambda: set(first_time(manager, Phase.WAITING)) == set(manager.states), 60)
        suspected, given_up = first_time(manager, Phase.SUSPECT), first_time(manager, Phase.WAITING)
        for name in manager.states:
            assert suspected[name] - lost <= 25 + 10 + 1, name
            assert given_up[name] - lost <= 25 + 10 + 3 + 3 + 1, name
        # In the middle of a connect, where the kernel has come to ask only now and then.
        await until(lambda: time.time() - max(given_up.values()) >= 10, 20)
        asterisk.thaw()
        kamailio.thaw()
        cable.mend()
        mended = time.time()
        await until(are(manager, Phase.UP), 60)
        back = max(first_time(manager, Phase.UP, mended)[each.name] for each in behind) - mended
        record_property(
            "figure",
            f"default timing: suspect after {max(suspected.values()) - lost:.1f} s at most, given up after "
            f"{max(given_up.values()) - lost:.1f} s, up {back:.1f} s after the cable is back",
        )
        assert back <= 6


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
