"""`trunkline service`: has systemd run it."""

from __future__ import annotations

import shutil
import sys
from pathlib import Path

import click

from manager.errors import TrunklineError
from manager.service.unitfile import NAME, UnitFile
from tui.commands.terms import FAILED, printable, told

_system_option = click.option(
    "--system", is_flag=True, help="The service of the system, as the user trunkline, not your own."
)


@click.group(short_help="Have systemd run the service, or no longer.")
def service() -> None:
    """Put the service in systemd's hands, or take it out of them."""


@service.command()
@_system_option
def install(system: bool) -> None:
    """Write the unit file, and say how to start it."""
    with told(FAILED):
        unit = UnitFile(system=system)
        unit.install(_program())
    systemctl = "systemctl" if system else "systemctl --user"
    lines = [
        f"{unit.path} is written. Start it, now and with every boot:",
        f"  {systemctl} daemon-reload && {systemctl} enable --now {NAME}",
    ]
    if system:
        lines.append("It needs the user trunkline and /etc/trunkline/config.toml, as the file says.")
    else:
        lines.append("  loginctl enable-linger    # to have it run while you are logged out")
    click.echo(printable("\n".join(lines)))


@service.command()
@_system_option
def uninstall(system: bool) -> None:
    """Remove the unit file, and say how to stop what runs."""
    with told(FAILED):
        unit = UnitFile(system=system)
        was_there = unit.uninstall()
    if not was_there:
        click.echo(printable(f"there is no {unit.path}"))
        return
    systemctl = "systemctl" if system else "systemctl --user"
    click.echo(printable(f"{unit.path} is removed. Stop what still runs:"))
    click.echo(f"  {systemctl} disable --now {NAME}; {systemctl} daemon-reload")


def _program() -> Path:
    started_as = Path(sys.argv[0])
    found = started_as if started_as.name == "trunkline" else Path(sys.executable).with_name("trunkline")
    if not found.exists():
        found = Path(shutil.which("trunkline") or "")
    if not found.is_file():
        raise TrunklineError(
            "there is no program called trunkline beside this one", "install it with pip or pipx"
        )
    return found.absolute()
