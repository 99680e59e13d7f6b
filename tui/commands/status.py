"""`trunkline status`: how everything stands, from the service; quick, for probes and prompts."""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Iterable
from pathlib import Path
from typing import Any, NoReturn

import click

from manager.errors import TrunklineError
from manager.service import inquiry
from manager.service.address import Address
from tui.commands.attaching import address_for
from tui.commands.terms import FAILED, attach_option, config_option, printable, told
from tui.sanitise import clean

OK, WARNING, CRITICAL, UNKNOWN = 0, 1, 2, 3
"""As monitoring plugins have them."""

_AT_REST = ("paused", "stopped")
_DOWN = ("waiting", "parked", "blocked")
_COLUMNS = ("NAME", "TYPE", "PHASE", "FOR", "ENDPOINT", "REASON")
_WORDS = ("ok", "warning", "critical", "unknown")


@click.command(short_help="Print how every connection stands.")
@config_option
@attach_option
@click.option("--json", "as_json", is_flag=True, help="Print the service's answer as it is.")
@click.option("--brief", is_flag=True, help="Print one line.")
@click.option(
    "--exit-code",
    is_flag=True,
    help="End with 0 for all well, 1 for a doubt, 2 for a connection down, 3 where that is not known.",
)
@click.pass_context
def status(
    context: click.Context,
    /,
    *,
    path: Path | None,
    address: Address | None,
    as_json: bool,
    brief: bool,
    exit_code: bool,
) -> None:
    """Print how every connection stands; exit code 3 where no service answers."""
    with told(FAILED):
        try:
            answer = inquiry.ask(address_for(context, path, address))
        except TrunklineError as error:
            if not exit_code:
                raise
            _unknown(error)
    snapshot = answer["snapshot"]
    if as_json:
        click.echo(json.dumps(answer))
    else:
        click.echo(clean(summary(snapshot)))
        if not brief:
            click.echo(printable("\n".join(table(snapshot, time.time()))))
    sys.exit(verdict(snapshot) if exit_code else OK)


def _unknown(error: TrunklineError) -> NoReturn:
    """End a probe that was not answered: who runs it reads its first line on stdout, and 3 for not known."""
    click.echo(clean(f"{_WORDS[UNKNOWN]}: {error}"))
    if error.hint:
        click.echo(printable(f"  {error.hint}"), err=True)
    sys.exit(UNKNOWN)


def verdict(snapshot: dict[str, Any]) -> int:
    """Return 2 where a connection is down, 1 where one is in doubt or opening, 3 where none is configured.

    What is acknowledged, muted, paused or stopped alarms nobody.
    """
    if not snapshot["statuses"]:
        return UNKNOWN
    muted = {mute["group"] for mute in snapshot.get("mutes", ())}
    alarming = [
        each
        for each in snapshot["statuses"]
        if each["group"] not in muted and each.get("acknowledged") is None and each["phase"] not in _AT_REST
    ]
    if any(_is_down(each) for each in alarming):
        return CRITICAL
    return WARNING if any(each["phase"] != "up" for each in alarming) else OK


def summary(snapshot: dict[str, Any]) -> str:
    """Return it all in one line: `critical: 57 of 60 up, 2 waiting, 1 blocked; health 95 %`."""
    phases = [str(each["phase"]) for each in snapshot["statuses"]]
    if not phases:
        return f"{_WORDS[UNKNOWN]}: no connection is configured"
    counting = [phase for phase in phases if phase not in _AT_REST]
    parts = [f"{counting.count('up') + counting.count('suspect')} of {len(counting)} up"]
    parts += [f"{phases.count(phase)} {phase}" for phase in dict.fromkeys(phases) if phase != "up"]
    health = snapshot.get("health")
    whole = "unknown" if health is None else f"{health} %"
    return f"{_WORDS[verdict(snapshot)]}: {', '.join(parts)}; health {whole}"


def table(snapshot: dict[str, Any], now: float) -> Iterable[str]:
    """Return a line for each connection, below a line of titles."""
    rows = [_COLUMNS, *(_row(each, now) for each in snapshot["statuses"])]
    widths = [max(len(row[column]) for row in rows) for column in range(len(_COLUMNS) - 1)]
    for row in rows:
        cells = [cell.ljust(width) for cell, width in zip(row, widths, strict=False)]
        yield "  ".join([*cells, row[-1]]).rstrip()


def _row(status: dict[str, Any], now: float) -> tuple[str, ...]:
    failure = status.get("failure") or {}
    notes = [str(failure.get("reason", ""))] if status["phase"] != "up" else []
    if (next_attempt := status.get("next_attempt")) is not None:
        notes.append(f"next try {time.strftime('%H:%M:%S', time.localtime(next_attempt))}")
    if status.get("acknowledged") is not None:
        notes.append("acknowledged")
    return (
        clean(str(status["name"])),
        clean(str(status["type"])),
        str(status["phase"]),
        age(now - status["since"]),
        clean(str(status.get("endpoint", ""))),
        clean(", ".join(filter(None, notes))),
    )


def age(seconds: float) -> str:
    """Return a span in its largest unit: `45s`, `12m`, `3h`, `8d`."""
    for length, unit in ((86400, "d"), (3600, "h"), (60, "m")):
        if seconds >= length:
            return f"{int(seconds // length)}{unit}"
    return f"{max(0, int(seconds))}s"


def _is_down(status: dict[str, Any]) -> bool:
    return status["phase"] in _DOWN or (
        status["phase"] == "connecting" and status.get("down_since") is not None
    )
