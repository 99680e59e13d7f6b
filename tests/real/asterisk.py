"""A real Asterisk."""

from __future__ import annotations

import json
import re
from datetime import datetime

from tests.real import asterisk_files
from tests.real.asterisk_files import AMI_USERS, CROWD, SIP_USERS, Ports
from tests.real.authority import Authority
from tests.real.cable import Cable
from tests.real.debian import System
from tests.real.server import Server, free_ports

SYSTEM = System("asterisk", "sid", ("asterisk",))

_REFUSALS = ("InvalidPassword", "ChallengeResponseFailed", "InvalidAccountID", "FailedACL")

_LOGINS = {
    "ami": r"^\[(\S+)\] .* Manager '\w+' logged on from",
    "sip": r'SecurityEvent="SuccessfulAuth",EventTV="([^"]+)",[^\n]*Service="PJSIP"',
    "websocket": r"^\[(\S+)\] .* Creating Stasis app",
}
"""What the log says of a login, by the type of the connection."""


class Asterisk(Server):
    """Asterisk with a manager interface, ARI and SIP over every transport."""

    def __init__(self, authority: Authority, cable: Cable | None = None) -> None:
        super().__init__(SYSTEM, "asterisk", 61538, authority, cable)
        self.ports = Ports(*free_ports(7))
        self.secrets = {user: f"secret-of-{user}" for user in (*AMI_USERS, *SIP_USERS, *CROWD, "ari")}
        for folder in ("lib", "spool", "run"):
            (self.folder / folder).mkdir()
        self._write()

    @staticmethod
    def version() -> str:
        """Return what it calls itself: `Asterisk 22.10.1`."""
        return SYSTEM.run("asterisk", "-V").strip()

    @property
    def command(self) -> list[str]:
        return ["/usr/sbin/asterisk", "-f", "-vvv", "-C", f"{self.inside}/etc/asterisk.conf"]

    def is_ready(self) -> bool:
        try:
            return "fully booted" in self.cli("core waitfullybooted")
        except RuntimeError:
            return False

    def cli(self, command: str) -> str:
        """Run a command of Asterisk's own command line and return what it prints."""
        return self.system.run("asterisk", "-C", f"{self.inside}/etc/asterisk.conf", "-rx", command)

    def set_secret(self, user: str, secret: str) -> None:
        """Give a user another secret, as an administrator does: in the file, then a reload."""
        self.secrets[user] = secret
        self._write()
        self._hand_over()
        self.cli("manager reload" if user in AMI_USERS else "module reload res_pjsip.so")

    def contacts(self, user: str) -> list[str]:
        """Return the contact addresses that are registered for a user now."""
        lines = self.cli("database show registrar").splitlines()
        bindings = [line.partition(": ")[2] for line in lines if f"/registrar/contact/{user};@" in line]
        return [json.loads(binding)["uri"].replace("^3B", ";") for binding in bindings]

    def forget_contacts(self, user: str) -> None:
        """Forget what is registered for a user, as a crash within its first seconds does."""
        self.kill()
        for file in (self.folder / "lib").glob("astdb*"):
            file.unlink()
        self.start()

    def ami_sessions(self, user: str) -> int:
        """Return how many AMI sessions a user has now."""
        lines = self.cli("manager show connected").splitlines()
        return sum(line.split()[0] == user for line in lines if line.strip())

    def ready_at(self) -> float:
        """Return the wall time at which it was last fully started."""
        *_, last = re.finditer(r"^\[(\S+)\] .* Asterisk Ready\.", self.log, re.MULTILINE)
        return datetime.fromisoformat(last[1]).timestamp()

    def logins(self, since: float) -> list[tuple[float, str]]:
        """Return when somebody logged in from a wall time on, and by what type of connection."""
        found = [
            (datetime.fromisoformat(at).timestamp(), kind)
            for kind, words in _LOGINS.items()
            for at in re.findall(words, self.log, re.MULTILINE)
        ]
        return sorted(login for login in found if login[0] >= since)

    def ami_refusals(self) -> int:
        """Return how many AMI logins were refused, by the security log."""
        return self._refusals("AMI")

    def sip_refusals(self) -> int:
        """Return how many answers to a SIP challenge were wrong, by the security log."""
        return self._refusals("PJSIP")

    def _refusals(self, service: str) -> int:
        # Whose they were is not logged where a challenge was answered wrongly.
        path = self.folder / "log" / "security"
        log = path.read_text() if path.exists() else ""
        events = re.findall(r'SecurityEvent="(\w+)".*?Service="(\w+)"', log)
        return sum(event in _REFUSALS and of == service for event, of in events)

    def _write(self) -> None:
        self.write(asterisk_files.files(self.inside, self.host, self.ports, self.secrets))
