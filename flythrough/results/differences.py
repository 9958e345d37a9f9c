"""Why a method has its rank: its paired differences to other methods on one board; and the methods tied as a group."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from jaxtyping import Float

from .paired import TIED, Key, Score, paired_half_widths
from .ranking import Board, Entry
from .schema import Replicates

NEIGHBOURS = 2  # methods above and below whose differences are shown


@dataclass(frozen=True)
class Difference:
    """One method against another.

    Attributes:
        entry: the other method.
        value: the other's value.
        difference: this method's value minus the other's.
        half: half its 95 % interval; None if the two share no draws.
        verdict: ``better``, ``worse`` or ``tied``, of this method.
    """

    entry: Entry
    value: float
    difference: float
    half: float | None
    verdict: str


@dataclass(frozen=True)
class Comparisons:
    """All pairs of the methods that a board ranks.

    Attributes:
        board: the table.
        values: of the metric that ranks, in order of rank.
        half: entry i, j: half the interval of value i minus value j; nan where it has none.
    """

    board: Board
    values: Float[np.ndarray, "m"]
    half: Float[np.ndarray, "m m"]

    @classmethod
    def of(cls, protocol: str, board: Board, replicates: Mapping[Key, Replicates]) -> Comparisons:
        """The comparisons of a board of the protocol with this hash."""
        scores = []
        for entry in board.ranked:
            cell = entry.cells[board.primary]
            drawn = replicates.get((protocol, entry.method, board.primary, board.step))
            scores.append(Score(cell.value if cell.value is not None else math.nan, cell.low, cell.high, drawn))
        return cls(board, np.array([score.value for score in scores]), paired_half_widths(scores))

    def place_of(self, entry: Entry) -> int | None:
        """A method's position among those ranked; None if it is not ranked."""
        return self._places.get(id(entry))

    @cached_property
    def _places(self) -> Mapping[int, int]:
        return {id(entry): place for place, entry in enumerate(self.board.ranked)}

    def neighbours(self, place: int) -> list[Difference]:
        """The methods next above and next below, in order of rank."""
        around = range(max(place - NEIGHBOURS, 0), min(place + NEIGHBOURS + 1, len(self.values)))
        return [self.difference(place, other) for other in around if other != place]

    def groups(self) -> list[tuple[str, ...]]:
        """The groups of methods that are not distinguishable: neighbours in rank, each tied with all of its group.

        Ties are not transitive, so a method may be in several groups (as under the bars of Demsar 2006). A tie of two
        methods with a third between them that is not tied with both makes no group; it is in :attr:`Entry.tied`.
        """
        entries, reached = self.board.ranked, 0
        found: list[tuple[str, ...]] = []
        for first in range(len(entries)):
            end = first + 1
            while end < len(entries) and all(entries[end].method in each.tied for each in entries[first:end]):
                end += 1
            if end > max(first + 1, reached):  # else it is one method, or within the group before
                found.append(tuple(each.method for each in entries[first:end]))
                reached = end
        return found

    def difference(self, place: int, other: int) -> Difference:
        """The method at one place against the one at another, places counted from 0."""
        mine, theirs = self.board.ranked[place], self.board.ranked[other]
        half = float(self.half[place, other])
        verdict = TIED if theirs.method in mine.tied else "better" if place < other else "worse"
        value, against = float(self.values[place]), float(self.values[other])
        return Difference(theirs, against, value - against, None if math.isnan(half) else half, verdict)
