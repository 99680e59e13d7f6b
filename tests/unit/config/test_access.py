from __future__ import annotations

import grp

from manager.access import Access, Group
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
