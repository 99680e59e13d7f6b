from __future__ import annotations

import re
from pathlib import Path

import msgspec
import pytest

from manager.config import default_path, example, load
from manager.secret import SecretSource
from manager.settings import AmiSettings, Policy, SipSettings, WebSocketSettings
from tests.unit.config.parts import AMI, SIP, WS


def test_the_configuration_of_the_readme_is_read(read):
    configuration = read(
        """
        [defaults]
        max_attempts = 15
        [connections.pbx1-ami]
        type = "ami"
        endpoints = ["ami://127.0.0.1:5038"]
        username = "monitor"
        password = { env = "PBX1_SECRET" }
        [connections.desk-6001]
        type = "sip"
        endpoints = ["sip:pbx1.example.com;transport=tcp"]
        aor = "sip:6001@pbx1.example.com"
        username = "6001"
        password = { file = "~/.secrets/6001" }
        [connections.backend]
        type = "websocket"
        endpoints = ["wss://backend.example.com/events"]
        headers = { Authorization = { env = "BACKEND_AUTH" } }
        query = { api_key = { env = "ARI_KEY" } }
        subprotocols = []
        on_connect = ['{"subscribe": "calls"}']
        heartbeat_message = '{"type": "ping"}'
        """,
        mode=0o644,
    )
    ami, sip, websocket = configuration.connections
    assert isinstance(ami, AmiSettings)
    assert (ami.name, ami.username, str(ami.password)) == ("pbx1-ami", "monitor", "env PBX1_SECRET")
    assert isinstance(sip, SipSettings)
    assert sip.password.file == Path.home() / ".secrets/6001"
    assert isinstance(websocket, WebSocketSettings)
    assert websocket.headers == {"Authorization": SecretSource(env="BACKEND_AUTH")}
    assert websocket.query == {"api_key": SecretSource(env="ARI_KEY")}
    assert websocket.on_connect == ('{"subscribe": "calls"}',)
    assert websocket.heartbeat_message == '{"type": "ping"}'


def written(value: float | bool) -> str:
    return str(value).lower() if isinstance(value, bool) else f"{value:g}"


def test_the_sample_is_valid_and_has_every_type(write):
    configuration = load(write(example(), mode=0o644))
    assert [settings.type for settings in configuration.connections] == ["ami", "sip", "websocket"]


def test_the_sample_names_every_setting_and_every_number_with_its_default(write):
    sample = example()
    for name in Policy.__struct_fields__:
        default = written(getattr(Policy(), name))
        assert re.search(rf"^# {name} = {default}\s+# ", sample, re.MULTILINE), name
    for kind in (AmiSettings, SipSettings, WebSocketSettings):
        for name in set(kind.__struct_fields__) - {"name", "policy", "policy_name", "sources", "tls"}:
            assert re.search(rf"^(# )?{name} = ", sample, re.MULTILINE), name
    for name in ("ca_file", "cert_file", "key_file", "verify", "server_name"):
        assert f"# {name} = " in sample
    service = sample.partition("\n[service]")[2].partition("\n[")[0]
    for name in ("read_group", "act_group", "listen", "cert_file", "key_file", "read_token", "act_token"):
        assert f"\n# {name} = " in service


def test_the_sample_names_all_that_a_service_can_be_told(mistake):
    known = mistake(f"[connections.a]\n{AMI}[service]\nzzzzzz = 1\n").expected
    service = example().partition("[service]")[2].partition("[policies.")[0]
    assert known == "one of " + ", ".join(sorted(re.findall(r"^# (\w+) = ", service, re.MULTILINE)))


def test_the_sample_with_every_line_switched_on_is_valid_too(write):
    everything = re.sub(r"^# (?=\w+ = )", "", example(), flags=re.MULTILINE)
    configuration = load(write(everything, mode=0o644))
    assert configuration.access.network is not None
    assert configuration.connections[0].policy == Policy()
    assert isinstance(configuration.connections[2], WebSocketSettings)
    assert configuration.connections[2].proxy == "http://proxy.example.com:3128"


def test_the_lines_of_the_sample_are_short():
    assert max(map(len, example().splitlines())) <= 110


def test_defaults_count_unless_a_connection_says_otherwise(read):
    defaults = "[defaults]\njitter = 0\nmax_attempts = 3\n"
    text = f"{defaults}[connections.a]\nmax_attempts = 9\n{AMI}[connections.b]\n{SIP}"
    a, b = read(text).connections
    assert (a.policy.jitter, a.policy.max_attempts) == (0.0, 9)
    assert (b.policy.jitter, b.policy.max_attempts) == (0.0, 3)
    assert a.policy.base_delay == Policy().base_delay


def test_every_number_may_stand_in_defaults_and_in_a_connection(read):
    policy = msgspec.structs.replace(Policy(), jitter=1.0)
    lines = "".join(f"{name} = {written(getattr(policy, name))}\n" for name in Policy.__struct_fields__)
    for text in (f"[defaults]\n{lines}[connections.a]\n{AMI}", f"[connections.a]\n{lines}{AMI}"):
        (settings,) = read(text).connections
        assert settings.policy == policy


def test_tls_weight_and_group_are_read(read, tmp_path):
    text = (
        '[connections.a]\nca_file = "ca.pem"\ncert_file = "/c.pem"\nkey_file = "~/k.pem"\nverify = false\n'
        f'server_name = "pbx"\nweight = 2.5\ngroup = "berlin"\n{AMI}'
    )
    (settings,) = read(text).connections
    assert settings.tls.ca_file == tmp_path / "ca.pem"
    assert settings.tls.cert_file == Path("/c.pem")
    assert settings.tls.key_file == Path.home() / "k.pem"
    assert settings.tls.verify is False
    assert (settings.tls.server_name, settings.weight, settings.group) == ("pbx", 2.5, "berlin")


def test_relative_paths_are_beside_the_file_wherever_we_run(read, tmp_path, monkeypatch):
    monkeypatch.chdir("/")
    (settings,) = read(f'[connections.a]\n{WS}headers.X = {{ command = ["./tell", "x"] }}\n').connections
    assert isinstance(settings, WebSocketSettings)
    assert settings.headers["X"] == SecretSource(command=(str(tmp_path / "tell"), "x"))


def test_a_program_without_a_slash_is_left_to_the_path(read):
    (settings,) = read(f'[connections.a]\n{WS}headers.X = {{ command = ["pass", "x"] }}\n').connections
    assert isinstance(settings, WebSocketSettings)
    assert settings.headers["X"] == SecretSource(command=("pass", "x"))


@pytest.mark.parametrize(
    ("aor", "user"), [("sip:6001@h", "6001"), ("sips:a%2Fb@h", "a/b"), ("sip:+49@h:5070", "+49")]
)
def test_the_username_of_a_registration_is_that_of_its_aor(read, aor, user):
    (settings,) = read(f"[connections.a]\n{SIP.replace('sip:6001@h', aor)}").connections
    assert isinstance(settings, SipSettings)
    assert (settings.aor, settings.username) == (aor, user)


@pytest.mark.parametrize(
    "address", ["sip:h", "sips:h", "sip:h;transport=tls", "sip:[::1]:5070", "ws://h/ws", "wss://h:8089/ws"]
)
def test_a_registration_may_go_over_all_these(read, address):
    (settings,) = read(f"[connections.a]\n{SIP.replace('sip:h', address, 1)}").connections
    assert settings.endpoints[0].url.reveal() == address


def test_names_with_dots_spaces_and_other_letters_are_names(read):
    text = f'[connections."pbx1.berlin/ß 1"]\n{AMI}'
    assert read(text).connections[0].name == "pbx1.berlin/ß 1"


def test_a_byte_order_mark_and_windows_line_ends_are_taken(write):
    path = write(("\ufeff[connections.a]\n" + AMI).replace("\n", "\r\n"))
    assert load(path).connections[0].name == "a"


def test_a_file_of_thousands_of_connections_is_read(read):
    text = "".join(f"[connections.c{number}]\n{AMI}" for number in range(2000))
    assert len(read(text).connections) == 2000


def test_the_default_path_is_in_the_configuration_folder(monkeypatch, tmp_path):
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path))
    monkeypatch.setenv("HOME", str(tmp_path))
    assert default_path().parts[-2:] == ("trunkline", "config.toml")
    assert default_path().is_relative_to(tmp_path)
