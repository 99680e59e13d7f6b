"""Where one stands in the table: its lines, the one under the cursor, and the folds that were opened."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from tui.arrange import Fold, Selectable, Single, TableLine


class Cursor:
    """Stays with the connection or the fold that it is on, wherever that comes to stand."""

    def __init__(self) -> None:
        self.lines: Sequence[TableLine] = ()
        self.at = 0
        """Index of the line that it is on."""
        self.unfolded: set[str] = set()
        """Keys of the folds that were opened."""
        self._places: list[int] = []
        """Where the lines are that it can stand on."""
        self._key: str | None = None
        """What the line that it is on is remembered by."""

    @property
    def line(self) -> Selectable | None:
        """The line that it is on; None where there is none to stand on."""
        if not self.lines:
            return None
        line = self.lines[min(self.at, len(self.lines) - 1)]
        return line if isinstance(line, Single | Fold) else None

    @property
    def name(self) -> str | None:
        """Name of the connection that it is on; None on a fold."""
        name = (self._key or "").removeprefix("connection:")
        return name if name and name != self._key else None

    @property
    def names(self) -> list[str]:
        """Names of the connections of the line that it is on."""
        line = self.lines[self.at] if self.at < len(self.lines) else None
        if isinstance(line, Fold):
            return [status.name for status in line.statuses]
        return [line.status.name] if isinstance(line, Single) else []

    def put(self, lines: Sequence[TableLine]) -> bool:
        """Stand among other lines; whether the one that it was on is gone, so that it is on another now."""
        self.lines = lines
        self._places = [index for index, line in enumerate(lines) if isinstance(line, Single | Fold)]
        for index in self._places:
            line = lines[index]
            if isinstance(line, Single | Fold) and line.key == self._key:
                self.at = index
                return False
        nearest = self.nearest(self.at)
        if nearest is None:
            self.at = 0
            return False
        self.stand(nearest)
        return True

    def stand(self, index: int) -> None:
        """Stand on another line."""
        self.at = index
        line = self.lines[index]
        if isinstance(line, Single | Fold):
            self._key = line.key

    def seek(self, name: str) -> None:
        """Be on a connection once the lines are put anew, where it is to have one of its own."""
        self._key = f"connection:{name}"

    # Where keys lead

    def can_stand(self, index: int) -> bool:
        """Whether there is a line that it can be on."""
        return index in self._places

    def onward(self, step: int, wanted: Callable[[Selectable], bool] | None = None) -> int | None:
        """Return the index of the next line that is wanted, of the one before for -1; None for none."""
        places = self._places if step > 0 else reversed(self._places)
        for index in places:
            line = self.lines[index]
            if (index - self.at) * step <= 0 or not isinstance(line, Single | Fold):
                continue
            if wanted is None or wanted(line):
                return index
        return None

    def nearest(self, target: int) -> int | None:
        """Return the index of the line nearest to an index; None for none."""
        return min(self._places, key=lambda index: abs(index - target), default=None)

    # Folds

    def unfold(self) -> bool:
        """Open the fold that it is on, and go to its first connection; whether there is one."""
        line = self.line
        if not isinstance(line, Fold):
            return False
        self.unfolded.add(line.key)
        self.seek(line.statuses[0].name)
        return True

    def fold(self) -> bool:
        """Close the fold that its connection was taken out of, and stand on that; whether there is one."""
        line = self.line
        if not isinstance(line, Single) or line.folds_into is None:
            return False
        self.unfolded.discard(line.folds_into)
        self._key = line.folds_into
        return True
