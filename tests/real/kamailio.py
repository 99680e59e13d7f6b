"""A real Kamailio, as a registrar."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

from tests.real.authority import Authority
from tests.real.debian import System
from tests.real.server import Server, free_ports

SYSTEM = System("kamailio", "bookworm", ("kamailio", "kamailio-tls-modules", "kamailio-websocket-modules"))

USERS = ("6001", "6002", "6003", "6004", "6005")
REALM = "trunkline"


@dataclass(frozen=True)
class Ports:
    """Where the server listens on 127.0.0.1; WebSockets come in over `tcp` and `tls`."""

    udp: int
    tcp: int
    tls: int


class Kamailio(Server):
    """Kamailio with digest authentication and bindings in memory, over every transport, on the loopback."""

    def __init__(self, authority: Authority) -> None:
        super().__init__(SYSTEM, "kamailio", 61539, authority)
        self.ports = Ports(*free_ports(3))
        self.secrets = {user: f"secret-of-{user}" for user in USERS}
        self._write()

    @staticmethod
    def version() -> str:
        """Return what it calls itself: `Kamailio 5.6.3`."""
        found = re.search(r"version: kamailio (\S+)", SYSTEM.run("kamailio", "-v"))
        assert found is not None
        return f"Kamailio {found[1]}"

    @property
    def command(self) -> list[str]:
        return [
            "/usr/sbin/kamailio",
            "-DD",
            "-E",
            "-Y",
            str(self.inside),
            "-f",
            f"{self.inside}/kamailio.cfg",
        ]

    def is_ready(self) -> bool:
        try:
            return "kamailio" in self.rpc("core.version")
        except RuntimeError:
            return False

    def rpc(self, *command: str) -> str:
        """Call a procedure of the running server and return what it prints."""
        return self.system.run("kamcmd", "-s", f"unix:{self.inside}/control", *command)

    def set_secret(self, user: str, secret: str) -> None:
        """Give a user another secret."""
        self.secrets[user] = secret
        self._write()
        self.rpc("htable.sets", "secrets", f"s:{user}", f"s:{secret}")

    def contacts(self, user: str) -> list[str]:
        """Return the contact addresses that are registered for a user now."""
        found = self.rpc("ul.dump").split("AoR: ")[1:]
        ours = "".join(record for record in found if record.split(maxsplit=1)[0] == user)
        return re.findall(r"Address: (\S+)", ours)

    def forget_contacts(self, user: str) -> None:
        """Forget what is registered for a user, as a restart does."""
        self.rpc("ul.rm", "location", f"s:{user}")

    def sip_refusals(self) -> int:
        """Return how many answers to a SIP challenge were wrong."""
        return self.log.count("refused user ")

    def _write(self) -> None:
        script = _script(self.inside, self.ports, self.secrets)
        self.write({"kamailio.cfg": script, "tls.cfg": _tls(self.inside)})


def _tls(inside: Path) -> str:
    return f"""[server:default]
method = TLSv1.2+
private_key = {inside}/server.key
certificate = {inside}/server.pem
"""


def _script(inside: Path, ports: Ports, secrets: dict[str, str]) -> str:
    secret_lines = "\n".join(f'    $sht(secrets=>{user}) = "{secret}";' for user, secret in secrets.items())
    return f"""#!KAMAILIO
debug=1
children=1
tcp_children=2
auto_aliases=no
enable_tls=yes
tcp_accept_no_cl=yes
listen=udp:127.0.0.1:{ports.udp}
listen=tcp:127.0.0.1:{ports.tcp}
listen=tls:127.0.0.1:{ports.tls}

loadmodule "ctl.so"
loadmodule "tm.so"
loadmodule "sl.so"
loadmodule "pv.so"
loadmodule "xlog.so"
loadmodule "usrloc.so"
loadmodule "registrar.so"
loadmodule "htable.so"
loadmodule "auth.so"
loadmodule "tls.so"
loadmodule "xhttp.so"
loadmodule "nathelper.so"
loadmodule "websocket.so"

modparam("ctl", "binrpc", "unix:{inside}/control")
modparam("tls", "config", "{inside}/tls.cfg")
modparam("htable", "htable", "secrets=>size=4;")
modparam("usrloc", "db_mode", 0)
modparam("registrar", "min_expires", 60)
modparam("registrar", "max_expires", 3600)

request_route {{
    if (method == "OPTIONS") {{
        sl_send_reply("200", "OK");
        exit;
    }}
    if (method != "REGISTER") {{
        sl_send_reply("405", "Method Not Allowed");
        exit;
    }}
    if ($au == $null) {{
        auth_challenge("{REALM}", "1");
        exit;
    }}
    if (!pv_www_authenticate("{REALM}", "$sht(secrets=>$au)", "0")) {{
        if ($retcode == -2) {{
            xlog("L_ALERT", "refused user $au \\n");
        }}
        auth_challenge("{REALM}", "1");
        exit;
    }}
    save("location");
}}

event_route[htable:mod-init] {{
{secret_lines}
}}

event_route[xhttp:request] {{
    if ($hdr(Upgrade) =~ "websocket" && $hdr(Sec-WebSocket-Protocol) =~ "sip") {{
        ws_handle_handshake();
        exit;
    }}
    xhttp_reply("404", "Not Found", "", "");
}}
"""
