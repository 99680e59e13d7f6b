from __future__ import annotations

import grp

import pytest

from manager.access import Access, Group
from manager.secret import SecretSource
from tests.unit.config.parts import AMI

ONE = f"[connections.a]\n{AMI}"


def test_without_the_table_nobody_else_may_do_anything(read):
    assert read(ONE).access == Access()
    assert not Access().by_group


def test_groups_are_looked_up_on_this_machine(read):
    access = read(f'{ONE}[service]\nread_group = "users"\nact_group = "adm"\n').access
    assert access.read_group == Group("users", grp.getgrnam("users").gr_gid)
    assert access.act_group == Group("adm", grp.getgrnam("adm").gr_gid)
    assert access.by_group


def test_a_group_that_is_not_there_and_a_name_that_is_misspelt_are_mistakes(mistakes):
    first, second = mistakes(f'{ONE}[service]\nread_group = "no such group"\nact_grup = "adm"\n')
    assert first.key == "service.read_group"
    assert first.found == '"no such group", which this machine does not know'
    assert second.nearest == "act_group"


TLS = 'cert_file = "c.pem"\nkey_file = "k.pem"\n'
TOKEN = 'act_token = { env = "T" }\n'


def test_other_machines_come_in_by_tls_with_a_token(read, tmp_path):
    network = read(
        f'{ONE}[service]\nlisten = "[::1]:8443"\n{TLS}{TOKEN}read_token = {{ file = "t" }}\n'
    ).access.network
    assert (network.host, network.port) == ("::1", 8443)
    assert (network.cert_file, network.key_file) == (tmp_path / "c.pem", tmp_path / "k.pem")
    assert network.act_token == SecretSource(env="T")
    assert network.read_token == SecretSource(file=tmp_path / "t")


@pytest.mark.parametrize(
    ("text", "key", "found"),
    [
        (f'listen = "0.0.0.0:1"\n{TOKEN}', "listen", "listen without cert_file and key_file"),
        (f'listen = "0.0.0.0:1"\ncert_file = "c"\n{TOKEN}', "listen", "listen without key_file"),
        (f'listen = "0.0.0.0:1"\n{TLS}', "listen", "listen without a token"),
        (f'listen = "host"\n{TLS}{TOKEN}', "listen", "a string that does not fit"),
        (f'listen = ":1"\n{TLS}{TOKEN}', "listen", "a string that does not fit"),
        (f'listen = "host:1/x"\n{TLS}{TOKEN}', "listen", "a string that does not fit"),
        (f'listen = "u@host:1"\n{TLS}{TOKEN}', "listen", "a string that does not fit"),
        (f'listen = "host:70000"\n{TLS}{TOKEN}', "listen", "a string that does not fit"),
        ('cert_file = "c.pem"\n', "cert_file", "cert_file alone"),
        (TOKEN, "act_token", "act_token alone"),
    ],
)
def test_without_tls_or_without_a_token_nothing_listens_for_other_machines(mistakes, text, key, found):
    (mistake,) = mistakes(f"{ONE}[service]\n{text}")
    assert (mistake.key, mistake.found) == (f"service.{key}", found)


def test_a_plain_token_is_a_plain_secret(mistakes):
    (mistake,) = mistakes(f'{ONE}[service]\nlisten = "h:1"\n{TLS}act_token = "canary-4"\n', mode=0o644)
    assert "service.act_token" in mistake.found
    assert "canary" not in str(mistake)
