"""Where things are found, the same for all parts of trunkline."""

from __future__ import annotations

from pathlib import Path

import platformdirs
import pytest

from manager.places import default_path, key_of, socket_to_serve, sockets_to_ask

CONFIG = Path("/etc/trunkline/config.toml")


@pytest.mark.parametrize("value", [None, "", " ", "/elsewhere"])
def test_the_folders_are_those_of_platformdirs(monkeypatch, value):
    for variable in ("XDG_CONFIG_HOME", "XDG_STATE_HOME"):
        monkeypatch.delenv(variable, raising=False)
        if value is not None:
            monkeypatch.setenv(variable, value)
    assert default_path() == platformdirs.user_config_path("trunkline", appauthor=False) / "config.toml"
    assert sockets_to_ask(CONFIG)[1].parent == platformdirs.user_state_path("trunkline")


def test_a_service_listens_where_it_is_looked_for(monkeypatch, tmp_path):
    monkeypatch.delenv("RUNTIME_DIRECTORY", raising=False)
    monkeypatch.setenv("XDG_RUNTIME_DIR", str(tmp_path))
    assert socket_to_serve(CONFIG) == tmp_path / "trunkline" / f"{key_of(CONFIG)}.sock"
    assert socket_to_serve(CONFIG) == sockets_to_ask(CONFIG)[0]
    monkeypatch.setenv("XDG_RUNTIME_DIR", str(tmp_path / "missing"))
    assert socket_to_serve(CONFIG) == sockets_to_ask(CONFIG)[1]
    monkeypatch.setenv("RUNTIME_DIRECTORY", "/run/trunkline:/run/other")
    assert socket_to_serve(CONFIG) == sockets_to_ask(CONFIG)[2]
