"""The table `[service]`: who may speak to the service."""

from __future__ import annotations

import grp
from urllib.parse import urlsplit

from manager.access import Access, Group, Network
from manager.config.section import Section

_A_PLACE = 'HOST:PORT, an address of this machine: "0.0.0.0:8443", "[::1]:8443"'
_FILES = ("cert_file", "key_file")
_TOKENS = ("read_token", "act_token")


def read_access(section: Section) -> Access:
    """Read `[service]`."""
    sources = section.sources()
    access = Access(
        read_group=_group(section, "read_group"),
        act_group=_group(section, "act_group"),
        network=_network(section),
        sources=sources,
    )
    section.unknown()
    return access


def _network(section: Section) -> Network | None:
    place = section.optional_text("listen", _A_PLACE, lambda text: _host_and_port(text) is not None)
    files = {name: section.path(name) for name in _FILES}
    tokens = {name: section.secret(name) for name in _TOKENS if name in section}
    section.expect(_TOKENS)
    if "listen" not in section:
        for name in (*_FILES, *_TOKENS):
            if name in section:
                section.mistake(name, f"{name} alone", 'listen = "HOST:PORT" too')
        return None
    if missing := [name for name in _FILES if name not in section]:
        section.mistake("listen", f"listen without {' and '.join(missing)}", "TLS: cert_file and key_file")
    if not tokens:
        section.mistake("listen", "listen without a token", "read_token, act_token, or both")
    where = _host_and_port(place or "")
    cert_file, key_file = files["cert_file"], files["key_file"]
    if where is None or cert_file is None or key_file is None:
        return None
    return Network(host=where[0], port=where[1], cert_file=cert_file, key_file=key_file, **tokens)


def _host_and_port(text: str) -> tuple[str, int] | None:
    try:
        parts = urlsplit(f"//{text}")
        host, port = parts.hostname, parts.port
    except ValueError:
        return None
    bare = not (parts.path or parts.query or parts.fragment or "@" in text)
    return (host, port) if host and port and bare and " " not in text else None


def _group(section: Section, name: str) -> Group | None:
    group = section.optional_text(name, "the name of a group")
    if group is None:
        return None
    try:
        return Group(group, grp.getgrnam(group).gr_gid)
    except (KeyError, OSError):
        section.mistake(name, f'"{group}", which this machine does not know', "the name of a group")
        return None
