"""The walk through every screen: which keys lead from one picture to the next, and what each must say."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Stop:
    """Where a picture is taken."""

    name: str
    keys: tuple[str, ...]
    """Pressed at the stop before."""
    says: tuple[str, ...]
    """What has to be read there at every size, however many blanks stand between the words."""


WALK = (
    Stop(
        "overview",
        (),
        (
            "■ 1",
            "■ pbx2 wrong secret or ACL: pbx2-ami",
            "↻ pbx1 refuses all 3",
            "↻ desk-6001",
            "◐ trunk-telek",
            "no answer to OPTIONS si",
            "● desk-6005",
            "slow: 240 ms",
            "‖ desk-6006",
            "paused since 02:13:26",
            "○ desk-6008",
            "▸ backend",
            "after connection re",
            "Events ─ following · changes · 14",
            "r reconnect u refresh",
            "? help q quit",
        ),
    ),
    Stop(
        "last-rows",
        ("G",),
        ("■ pbx2-ami", "wrong secret or", "▲ pbx9-ami", "connection refus"),
    ),
    Stop("filter", ("g", "slash", *"ami"), ("4 of 18 match “ami” · esc shows all", "rows /ami▏ enter keeps")),
    Stop("quit", ("escape", "q"), ("q again quits: closes 10 connections",)),
    Stop("log", ("x", "tab"), ("desk-6001", "waiting", "f hold / search tab rows", "? help q quit")),
    Stop(
        "details",
        ("tab", "slash", *"6001", "enter", "escape", "enter"),
        (
            "↻ desk-6001 waiting pbx1:5060/tcp",
            "waiting since 02:13:26",
            "what to do nothing listens there",
            "next attempt 4/15 at 02:14:31",
            "Health ─ 0 of 100 points",
            "r reconnect u refresh",
            "? help esc back",
        ),
    ),
    Stop("details-end", ("G",), ("*** (file ~/.secrets", "preset gentle", "built-in")),
    Stop(
        "wire",
        ("w",),
        (
            "us pbx1:5060/tcp",
            "REGISTER CSeq 1",
            "401 Unauthorized CSe",
            "200 OK CSeq 2",
            "Message ─ received",
            "esc back",
        ),
    ),
    Stop(
        "health",
        ("escape", "escape", "h"),
        ("59 % degraded", "What cost it ─ 41 points", "-7 desk-6001 its own 0 of 100", "? help esc back"),
    ),
    Stop("help", ("escape", "question_mark"), ("keys and signs", "r close and open", "space down esc back")),
    Stop(
        "themes",
        ("escape", "T"),
        ("trunkline-light", "■ pbx7 blocked", "dashboard.toml keeps it", "wear until you quit", "esc back"),
    ),
    Stop("palette", ("escape", "colon"), ("/ Search for commands…", "the next problem (n)", "close and")),
)  # fmt: skip
