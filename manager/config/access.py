"""The table `[service]`: who may speak to the service."""

from __future__ import annotations

import grp

from manager.access import Access, Group
from manager.config.section import Section


def read_access(section: Section) -> Access:
    """Read `[service]`."""
    access = Access(read_group=_group(section, "read_group"), act_group=_group(section, "act_group"))
    section.unknown()
    return access


def _group(section: Section, name: str) -> Group | None:
    group = section.optional_text(name, "the name of a group")
    if group is None:
        return None
    try:
        return Group(group, grp.getgrnam(group).gr_gid)
    except (KeyError, OSError):
        section.mistake(name, f'"{group}", which this machine does not know', "the name of a group")
        return None
