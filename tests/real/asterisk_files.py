"""The configuration of the tests' Asterisk."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

AMI_USERS = {
    "monitor": "read = all\nwrite = all\n",
    "limited": "read = call\nwrite = call\n",
    "denied": "read = all\nwrite = all\ndeny = 0.0.0.0/0.0.0.0\npermit = 192.0.2.1/255.255.255.255\n",
}
"""Who may log in to the manager interface, and what each may see."""

SIP_USERS = ("6001", "6002", "6003", "6004", "6005", "6010", "6011", "6020", "6030")
CROWD = tuple(f"61{number:02}" for number in range(20))
"""Users of SIP who are many."""

_DIGESTS = {"6010": "SHA-256", "6011": "SHA-256,MD5"}
"""Which algorithms a user is asked for; MD5 where nothing is said."""

_CONTACTS = {"6020": "max_contacts = 1\nremove_existing = no\n"}
"""Who may not register a second contact while the first one lives."""

_ROUTES = {"6030": "rewrite_contact = yes\n"}
"""Whose contact is replaced by the address that was seen, as is usual for phones behind NAT."""

REALM = "trunkline"

_MODULES = (
    "app_dial",
    "bridge_simple",
    "chan_pjsip",
    "codec_ulaw",
    "pbx_config",
    "res_ari",
    "res_ari_applications",
    "res_ari_events",
    "res_ari_model",
    "res_clioriginate",
    "res_crypto",
    "res_http_websocket",
    "res_pjproject",
    "res_pjsip",
    "res_pjsip_authenticator_digest",
    "res_pjsip_caller_id",
    "res_pjsip_endpoint_identifier_user",
    "res_pjsip_nat",
    "res_pjsip_pubsub",
    "res_pjsip_registrar",
    "res_pjsip_sdp_rtp",
    "res_pjsip_session",
    "res_pjsip_transport_websocket",
    "res_rtp_asterisk",
    "res_security_log",
    "res_sorcery_astdb",
    "res_sorcery_config",
    "res_sorcery_memory",
    "res_stasis",
    "res_timing_timerfd",
    "res_websocket_client",
)
"""What is needed here: a tenth of what there is, and started in a third of the time."""

_DIRECTORIES = {
    "astetcdir": "etc",
    "astvarlibdir": "lib",
    "astdbdir": "lib",
    "astkeydir": "lib",
    "astcachedir": "lib",
    "astspooldir": "spool",
    "astrundir": "run",
    "astlogdir": "log",
}


@dataclass(frozen=True)
class Ports:
    """Where the server listens."""

    ami: int
    amis: int
    http: int
    https: int
    udp: int
    tcp: int
    tls: int


def files(inside: Path, host: str, ports: Ports, secrets: dict[str, str]) -> dict[str, str]:
    """Return the files by their path in the server's folder."""
    return {
        "etc/asterisk.conf": _asterisk(inside),
        "etc/modules.conf": "[modules]\nautoload = no\n"
        + "".join(f"load = {name}.so\n" for name in _MODULES),
        "etc/logger.conf": "[general]\ndateformat = %FT%T.%3q%z\n\n"
        "[logfiles]\nmessages = notice,warning,error,verbose\nsecurity = security\n",
        "etc/manager.conf": _manager(inside, host, ports, secrets),
        "etc/http.conf": _http(inside, host, ports),
        "etc/ari.conf": _ari(secrets),
        "etc/pjsip.conf": _pjsip(inside, host, ports, secrets),
        "etc/extensions.conf": "[trunkline]\nexten => 600,1,Answer()\n same => n,Wait(30)\n",
    }


def _asterisk(inside: Path) -> str:
    directories = "".join(f"{name} => {inside / folder}\n" for name, folder in _DIRECTORIES.items())
    return f"[directories]\n{directories}\n[options]\nsystemname = trunkline\n"


def _manager(inside: Path, host: str, ports: Ports, secrets: dict[str, str]) -> str:
    users = "".join(f"\n[{name}]\nsecret = {secrets[name]}\n{may}" for name, may in AMI_USERS.items())
    return f"""[general]
enabled = yes
bindaddr = {host}
port = {ports.ami}
tlsenable = yes
tlsbindaddr = {host}:{ports.amis}
tlscertfile = {inside}/server.pem
tlsprivatekey = {inside}/server.key
{users}"""


def _http(inside: Path, host: str, ports: Ports) -> str:
    return f"""[general]
enabled = yes
bindaddr = {host}
bindport = {ports.http}
tlsenable = yes
tlsbindaddr = {host}:{ports.https}
tlscertfile = {inside}/server.pem
tlsprivatekey = {inside}/server.key
"""


def _ari(secrets: dict[str, str]) -> str:
    return f"[general]\nenabled = yes\n\n[ari]\ntype = user\npassword = {secrets['ari']}\n"


def _pjsip(inside: Path, host: str, ports: Ports, secrets: dict[str, str]) -> str:
    certificate = f"cert_file = {inside}/server.pem\npriv_key_file = {inside}/server.key"
    tls = f":{ports.tls}\nmethod = tlsv1_2\n{certificate}"
    wheres = {"udp": f":{ports.udp}", "tcp": f":{ports.tcp}", "tls": tls, "ws": "", "wss": ""}
    transports = "".join(
        _section(f"transport-{name}", f"type = transport\nprotocol = {name}\nbind = {host}{where}\n")
        for name, where in wheres.items()
    )
    return transports + "".join(_user(user, secrets[user]) for user in (*SIP_USERS, *CROWD))


def _user(user: str, secret: str) -> str:
    algorithms = f"supported_algorithms_uas = {_DIGESTS[user]}\n" if user in _DIGESTS else ""
    endpoint = f"type = endpoint\ncontext = trunkline\nallow = ulaw\nauth = {user}\naors = {user}\n"
    auth = f"auth_type = digest\nrealm = {REALM}\nusername = {user}\npassword = {secret}\n"
    return (
        _section(user, endpoint + _ROUTES.get(user, ""))
        + _section(user, "type = auth\n" + auth + algorithms)
        + _section(user, "type = aor\n" + _CONTACTS.get(user, "max_contacts = 5\n"))
    )


def _section(name: str, body: str) -> str:
    return f"[{name}]\n{body.rstrip()}\n\n"
