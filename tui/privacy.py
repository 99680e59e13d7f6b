"""Hides names and addresses, so that a screen can be shown to others; an alias stays the same."""

from __future__ import annotations

import re
from collections.abc import Iterable

from manager.effective import SettingRow
from manager.model import Status
from tui import rows

_WORD = re.compile(r"[^\s·,;()\[\]\"'“”‘’/@?=&<>]+")  # noqa: RUF001 - the quotation marks that the screen uses
_ADDRESS = re.compile(r"\d{1,3}(?:\.\d{1,3}){3}|[0-9A-Fa-f]*:[0-9A-Fa-f:]*:[0-9A-Fa-f:.%\w]*")
_DOMAIN = re.compile(r"(?:[\w-]+\.)+[A-Za-z][\w-]*\.?")
_USER = re.compile(r"(?P<scheme>sips?:|^|[\s<(])(?P<user>[^\s@:<>()]+)@")
_OWN_FILE = re.compile(
    r"(?:incident|log)-\d{4}-\d\d-\d\d-\d{6}(?:-\d+)?\.(?:md|txt)|copied\.txt|dashboard\.toml"
)
"""Names of files that we choose ourselves, which look like those of hosts and tell nothing."""
_NAMING = {"username": "user", "realm": "host", "group": "host"}
"""Settings whose values are names of somebody."""
_MOST = 50_000
"""Aliases that are kept; what comes after them is hidden behind dots."""


class Privacy:
    """Replaces what it has learnt, and whatever looks like an address, a domain or a user at one."""

    def __init__(self) -> None:
        self.on = False
        self._aliases: dict[str, str] = {}
        self._numbers: dict[str, int] = {}
        self._phrases: list[str] = []
        """What has to be looked for as a whole, because words are parted within it; the longest first."""

    def learn(self, statuses: Iterable[Status]) -> None:
        """Give the names, hosts and groups of connections their aliases."""
        for status in statuses:
            if status.name in self._aliases:
                continue
            self._take(status.name, rows.title_of(status.type).lower())
            for host in (status.group, *hosts_of(status.endpoint), status.address):
                self._take(host, "host")

    def learn_settings(self, settings: Iterable[SettingRow]) -> None:
        """Give the hosts and users in the settings of a connection their aliases."""
        for row in settings:
            key = row.key.partition("[")[0]
            if key == "endpoints":
                for host in hosts_of(row.value.partition(" ")[0]):
                    self._take(host, "host")
            elif key in _NAMING:
                self._take(row.value, _NAMING[key])

    def learn_site(self, name: str) -> None:
        """Give what is watched as a whole its alias."""
        self._take(name, "site")

    def __call__(self, text: str) -> str:
        """Return the text as others may see it."""
        for phrase in self._phrases:
            text = text.replace(phrase, self._aliases[phrase])
        text = _USER.sub(lambda match: f"{match['scheme']}{self._alias(match['user'], 'user')}@", text)
        return _WORD.sub(lambda match: self._hidden(match[0]), text)

    def _hidden(self, word: str) -> str:
        if (alias := self._aliases.get(word)) is not None:
            return alias
        if _OWN_FILE.fullmatch(word) is not None:
            return word
        if _ADDRESS.fullmatch(word) is not None and not _is_time(word):
            return self._alias(word, "host")
        host, colon, port = word.rpartition(":")
        if colon and port.isdigit() and host:
            return f"{self._hidden(host)}:{port}"
        scheme, colon, rest = word.partition(":")
        if colon and scheme in ("sip", "sips") and rest:
            return f"{scheme}:{self._hidden(rest)}"
        return self._alias(word, "host") if _DOMAIN.fullmatch(word) is not None else word

    def _alias(self, word: str, kind: str) -> str:
        self._take(word, kind)
        return self._aliases.get(word, "…")

    def _take(self, word: str, kind: str) -> None:
        if not word or word in self._aliases or len(self._aliases) >= _MOST:
            return
        number = self._numbers[kind] = self._numbers.get(kind, 0) + 1
        self._aliases[word] = f"{kind}-{number}"
        if _WORD.fullmatch(word) is None:
            self._phrases.append(word)
            self._phrases.sort(key=len, reverse=True)


def hosts_of(label: str) -> list[str]:
    """Return the host in the label of an endpoint: `pbx1:5060/tcp`, `wss://pbx1/events`, `[::1]:5038`."""
    found = re.search(r"(?:^|//)(?:[^@/]*@)?(?:\[([^\]]+)\]|([^:/?]+))", label)
    return [host for host in found.groups() if host] if found else []


def _is_time(word: str) -> bool:
    return re.fullmatch(r"\d\d:\d\d:\d\d", word) is not None
