from __future__ import annotations

import shlex
import subprocess

import pytest

from manager.config import ConfigError, load
from manager.settings import WebSocketSettings
from tests.unit.config.parts import AMI, CANARY, WS

PLAIN = {
    "password": AMI.replace('{ env = "P" }', f'"{CANARY}"'),
    "headers.Authorization": f'{WS}headers = {{ Authorization = "{CANARY}" }}\n',
    "headers.Cookie": f'{WS}headers = {{ Cookie = "{CANARY}" }}\n',
    "query.app": f'{WS}query = {{ app = "{CANARY}" }}\n',
    "endpoints[0]": WS.replace("ws://h/", f"ws://h/?api_key={CANARY}"),
    "endpoints[0] ": WS.replace("ws://h/", f"ws://u:{CANARY}@h/"),
    "proxy": f'{WS}proxy = "http://u:{CANARY}@h:1"\n',
}


@pytest.mark.parametrize("mode", [0o644, 0o640, 0o604, 0o620, 0o601])
@pytest.mark.parametrize("key", PLAIN)
def test_a_plain_secret_in_a_file_that_others_can_open_is_refused(mistake, key, mode):
    found = mistake(f"[connections.a]\n{PLAIN[key]}", mode=mode)
    assert f"connections.a.{key.strip()}" in found.found
    assert f"{mode:o}" in found.found
    assert CANARY not in str(found)


@pytest.mark.parametrize("key", PLAIN)
def test_a_plain_secret_in_a_file_of_our_own_is_taken_and_never_shown(read, key):
    configuration = read(f"[connections.a]\n{PLAIN[key]}", mode=0o600)
    assert CANARY not in repr(configuration)
    assert configuration.connections[0].secrets()


def test_the_command_to_run_mends_the_file(tmp_path):
    folder = tmp_path / "it's a folder; with $HOME"
    folder.mkdir()
    path = folder / "config.toml"
    path.write_text(f"[connections.a]\n{PLAIN['password']}")
    path.chmod(0o644)
    with pytest.raises(ConfigError) as caught:
        load(path)
    command = caught.value.mistakes[0].command
    assert shlex.split(command) == ["chmod", "600", str(path)]
    assert command in str(caught.value)
    subprocess.run(command, shell=True, check=True)
    assert load(path).connections


def test_a_file_without_plain_secrets_may_be_open_to_all(read):
    plain = 'headers = { X-Team = "blue" }\nproxy = "http://h:1"\non_connect = ["hello"]\n'
    text = f"[connections.a]\n{WS}{plain}"
    (settings,) = read(text, mode=0o644).connections
    assert isinstance(settings, WebSocketSettings)
    assert settings.headers == {"X-Team": "blue"}
    assert settings.proxy == "http://h:1"
    assert settings.secrets() == ()


def test_no_mistake_repeats_a_secret(mistakes):
    text = f"""
        [connections.a]
        type = "ami"
        endpoints = ["ami://u:{CANARY}@h", "ws://h:x/{CANARY}", "{CANARY}"]
        username = 5
        password = ["{CANARY}"]
        pasword = "{CANARY}"
        [connections.b]
        type = "websocket"
        endpoints = ["ws://h/?token={CANARY}", "ws://h/?token={CANARY}"]
        headers = {{ Authorization = "{CANARY}\\n", "X {CANARY[0]}" = "{CANARY}" }}
        query = {{ a = ["{CANARY}"], b = {{ env = "X", file = "{CANARY}" }}, c = {{ enf = "{CANARY}" }} }}
        proxy = "{CANARY}"
        on_connect = [["{CANARY}"]]
        aor = "{CANARY}"
        [connections.c]
        type = "sip"
        endpoints = ["sip:{CANARY}@h"]
        aor = "sip:u:{CANARY}@h"
        password = {{ command = ["{CANARY}", 1] }}
        """
    path_error = mistakes(text, 0o644)
    assert len(path_error) >= 15
    assert CANARY not in "".join(map(str, path_error)) + repr(path_error)
