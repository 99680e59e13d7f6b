"""The heartbeats of the last hour as a chart, with those that were not answered marked."""

from __future__ import annotations

import math
import statistics
import time
from collections.abc import Iterator, Sequence
from itertools import groupby

from manager.history import Sample
from tui import formats
from tui.page import PageLine, Piece

HOUR = 3600.0
LOST = "×"  # noqa: RUF001 - the sign of a loss
_STEP = 60.0
"""The chart moves on by so many seconds, so that it is not another at each heartbeat."""


def summary(samples: Sequence[Sample]) -> str:
    """Return the median and the range of the round trips, and how many heartbeats were lost."""
    answered = [sample.latency for sample in samples if sample.latency is not None]
    lost = len(samples) - len(answered)
    told = []
    if answered:
        low, high = formats.latency(min(answered)), formats.latency(max(answered))
        told.append(f"median {formats.latency(statistics.median(answered))}, {low} to {high}")
    told.append(f"{lost} of {formats.plural(len(samples), 'heartbeat')} lost {LOST}" if lost else "none lost")
    return " · ".join(told)


def chart(
    samples: Sequence[Sample], now: float, width: int, height: int, *, ascii_only: bool = False
) -> tuple[PageLine, ...]:
    """Draw a chart `width` cells wide; nothing where there are no heartbeats."""
    if not samples or width < 20:
        return ()
    # Imported here: it takes 30 ms that a dashboard does not need to begin.
    from textual_plotext import Plot  # noqa: PLC0415

    marker = "*" if ascii_only else "braille"
    end = math.ceil(now / _STEP) * _STEP
    start = end - HOUR
    top = max((sample.latency for sample in samples if sample.latency is not None), default=0.001) * 1000
    plot = Plot()
    plot.theme("clear")
    # Its `plotsize` goes no further than a terminal that it asks for itself.
    plot._set_size(width, height)  # noqa: SLF001 - as its own widget does
    for part in _answered(samples):
        plot.plot([sample.time for sample in part], [_ms(sample) for sample in part], marker=marker)
    lost = [sample.time for sample in samples if sample.latency is None]
    if lost:
        plot.scatter(lost, [0.0] * len(lost), marker=LOST)
    plot.ylim(0.0, top)
    plot.xlim(start, end)
    marks = [start + HOUR * part / 4 for part in range(5)]
    plot.xticks(marks, [time.strftime("%H:%M", time.localtime(each)) for each in marks])
    plot.yticks([0.0, top / 2, top], ["0", formats.latency(top / 2000), formats.latency(top / 1000)])
    text = str(plot.uncolorize(plot.build()))
    return tuple(tuple(_in_tones(line, marker)) for line in text.splitlines()[:height])


def _answered(samples: Sequence[Sample]) -> Iterator[Sequence[Sample]]:
    """Yield the heartbeats between two losses, for a line that does not run over a loss."""
    for lost, part in groupby(samples, key=lambda sample: sample.latency is None):
        if not lost:
            yield list(part)


def _ms(sample: Sample) -> float:
    return (sample.latency or 0.0) * 1000


def _in_tones(line: str, marker: str) -> Iterator[Piece]:
    """Yield a line of the chart in pieces: the curve, the losses and the frame."""
    for tone, characters in groupby(line, key=lambda character: _tone(character, marker)):
        yield Piece("".join(characters), tone)


def _tone(character: str, marker: str) -> str:
    if character == LOST:
        return "bad"
    return "accent" if character == marker or "\u2800" < character <= "\u28ff" else "muted"
