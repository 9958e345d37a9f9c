"""Rows in little memory: the outcomes of a million tasks would take gigabytes as dicts."""

from __future__ import annotations

import json
import zlib
from collections.abc import Iterable, Iterator, Sequence
from typing import overload

from ..catalog import Row, plain

_PIECE = 1000  # rows that are packed together


class PackedRows(Sequence[Row]):
    """Rows in the order they were added, held as compressed JSON; reading gives copies."""

    def __init__(self, rows: Iterable[Row] = ()) -> None:
        self._packed: list[bytes] = []
        self._last: list[Row] = []
        self.extend(rows)

    def append(self, row: Row) -> None:
        self._last.append(row)
        if len(self._last) == _PIECE:
            self._packed.append(zlib.compress(json.dumps(self._last, default=plain).encode(), 1))
            self._last = []

    def extend(self, rows: Iterable[Row]) -> None:
        for row in rows:
            self.append(row)

    def __len__(self) -> int:
        return len(self._packed) * _PIECE + len(self._last)

    def __iter__(self) -> Iterator[Row]:
        for piece in self._packed:
            yield from json.loads(zlib.decompress(piece))
        yield from self._last

    @overload
    def __getitem__(self, place: int) -> Row: ...
    @overload
    def __getitem__(self, place: slice) -> list[Row]: ...
    def __getitem__(self, place: int | slice) -> Row | list[Row]:
        return list(self)[place]
