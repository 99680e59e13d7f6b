"""What a theme makes of each phase, band and severity: styles of the composed screen, and their contrast."""

from __future__ import annotations

from collections.abc import Iterator

from rich.color import Color
from rich.segment import Segment
from rich.style import Style
from textual.app import App

from tests.tui.contrast import contrast

ROWS = {
    "up": ("desk-6002", "●"),
    "suspect": ("trunk-telekom-berlin", "◐"),
    "connecting": ("backend", "▸"),
    "waiting": ("pbx1-ami", "↻"),
    "parked": ("pbx9-ami", "▲"),
    "blocked": ("pbx2-ami", "■"),
    "paused": ("desk-6006", "‖"),
    "stopped": ("desk-6008", "○"),
}
"""By phase, a connection in it and its sign."""
EVENTS = {
    "good": ("02:13:45", "up"),
    "warn": ("02:13:26", "missed"),
    "bad": ("02:12:46", "blocked"),
    "accent": ("02:13:16", "command"),
    "muted": ("02:13:16", "paused"),
}
"""By severity, the time and the word of an event."""
OTHERS = {
    "verdict": ("refuses all 3", "pbx1"),
    "cursor": ("↻ desk-6001", "desk-6001"),
    "countdown": ("↻ pbx1-ami", "━"),
    "heading": ("WebSocket ─", "WebSocket"),
    "rule": ("WebSocket ─", "──"),
    "key": ("reconnect  u", "r"),
    "what it does": ("reconnect  u", " reconnect"),
}
"""By part of the screen, what its line holds and what it begins with itself."""

Look = tuple[str, str, Style]
"""What is looked at, its text, and its style."""


def looks(app: App[None]) -> Iterator[Look]:
    """Yield what the overview looks like."""
    for phase, (name, sign) in ROWS.items():
        for text in (sign, phase):
            yield f"phase {phase}", text, _style(app, f"{sign} {name}", text)
    for severity, (instant, word) in EVENTS.items():
        yield f"event {severity}", word, _style(app, instant, word)
    for part, (within, text) in OTHERS.items():
        yield part, text.strip(), _style(app, within, text)


def look_of_band(app: App[None], word: str) -> Look:
    """Return what a band looks like whose word stands in the header."""
    return f"band {word}", word, _style(app, word, word)


def written(look: Look) -> str:
    """Return a look as a line of a picture."""
    what, text, style = look
    told = f"{contrast_of(style):4.1f}:1" if contrast_of(style) else ""
    return f"{what:<18}{text:<12}{style!s:<38}{told}".rstrip()


def contrast_of(style: Style) -> float:
    """Return the contrast of a style; 0 where the terminal's own colours decide."""
    if not (_is_known(style.color) and _is_known(style.bgcolor)):
        return 0.0
    assert style.color is not None
    assert style.bgcolor is not None
    return contrast(style.color, style.bgcolor)


def _is_known(color: Color | None) -> bool:
    return color is not None and color.triplet is not None


def _style(app: App[None], within: str, text: str) -> Style:
    """Return the style of the first piece that begins with `text`, in the last line that holds `within`."""
    strips = app.screen._compositor.render_strips(app.size)
    *_, strip = [strip for strip in strips if within in strip.text and text in strip.text]
    found = [segment for segment in strip if _begins(segment, text)]
    style = found[0].style
    assert style is not None
    return Style(
        color=style.color, bgcolor=style.bgcolor, bold=style.bold or None, dim=style.dim or None,
        reverse=style.reverse or None, underline=style.underline or None,
    )  # fmt: skip


def _begins(segment: Segment, text: str) -> bool:
    return segment.text.startswith(text) or segment.text.strip().startswith(text)
