"""Why a method has its rank: its paired differences to other methods on one board."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from jaxtyping import Float

from flythrough.results.paired import TIED, Key, Score, paired_half_widths
from flythrough.results.ranking import Board, Entry
from flythrough.results.schema import Replicates

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
        return [self._difference(place, other) for other in around if other != place]

    def _difference(self, place: int, other: int) -> Difference:
        mine, theirs = self.board.ranked[place], self.board.ranked[other]
        half = float(self.half[place, other])
        verdict = TIED if theirs.method in mine.tied else "better" if place < other else "worse"
        value, against = float(self.values[place]), float(self.values[other])
        return Difference(theirs, against, value - against, None if math.isnan(half) else half, verdict)
