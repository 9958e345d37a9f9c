"""The workspace and its tables: every schema in one place, checked on read and on write.

Arrow is imported with the first table: workers that only run tasks read none, and save 0.1 s and 30 MB each.
"""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import chain, islice
from pathlib import Path
from typing import TYPE_CHECKING

from ..errors import InputError, extras_named
from .files import JsonObject, locked_file, publish
from .names import PLAIN, problem_with, problem_with_path

if TYPE_CHECKING:
    import pandas as pd
    import pyarrow as pa

Row = JsonObject


@dataclass(frozen=True)
class Column:
    """One column: Arrow's name for its type, whether it may be null, and what it means."""

    type: str
    help: str
    nullable: bool = False


TEXT, INT, FLOAT, BOOL = "string", "int64", "float64", "bool"


def _maybe(kind: str, help: str) -> Column:
    return Column(kind, help, nullable=True)


_ID = Column(TEXT, "deterministic id")
_MEASURES = Column(TEXT, "JSON object of measured figures")

TABLES: dict[str, dict[str, Column]] = {
    "videos": {
        "id": _ID,
        "url": _maybe(TEXT, "where it came from; null for a local file"),
        "path": Column(TEXT, "the file, relative to the workspace"),
        "sha256": Column(TEXT, "of the file"),
        "bytes": Column(INT, "length of the file"),
        "width": Column(INT, "pixels, as displayed (after rotation)"),
        "height": Column(INT, "pixels, as displayed (after rotation)"),
        "fps_num": Column(INT, "average frame rate, numerator"),
        "fps_den": Column(INT, "average frame rate, denominator"),
        "time_base_num": Column(INT, "seconds per timestamp tick, numerator"),
        "time_base_den": Column(INT, "seconds per timestamp tick, denominator"),
        "frame_count": Column(INT, "frames that decode"),
        "duration_us": Column(INT, "from the first frame's start to the last frame's end"),
        "rotation": Column(INT, "degrees clockwise to turn stored frames for display"),
        "pixel_format": Column(TEXT, "ffmpeg's name"),
        "color_transfer": _maybe(TEXT, "transfer function, ffmpeg's name"),
        "variable_frame_rate": Column(BOOL, "frame spacing varies by more than a tick"),
        "perceptual_hash": _maybe(TEXT, "hex; near-equal for re-uploads"),
        "title": _maybe(TEXT, "the platform's title"),
        "channel": _maybe(TEXT, "who published it"),
        "platform": _maybe(TEXT, "extractor name, e.g. youtube"),
        "platform_id": _maybe(TEXT, "the platform's id"),
        "license": _maybe(TEXT, "as the platform states it"),
        "uploaded": _maybe(TEXT, "YYYY-MM-DD"),
        "fetched": _maybe(TEXT, "ISO 8601 time of the download; null for a local file"),
        "tools": _maybe(TEXT, "JSON object: versions of the tools that fetched and probed it"),
        "camera_folder": _maybe(TEXT, "folder of given camera files, CLIP.txt each; null if poses are to be found"),
    },
    "shots": {
        "id": _ID,
        "video_id": Column(TEXT, "the video it is cut from"),
        "start_frame": Column(INT, "first frame, in presentation order"),
        "end_frame": Column(INT, "exclusive"),
        "start_us": Column(INT, "presentation time of the first frame"),
        "end_us": Column(INT, "exclusive: presentation time at which the last frame ends"),
        "crop_left": Column(INT, "picture box without bars, pixels of the displayed frame"),
        "crop_top": Column(INT, "as crop_left"),
        "crop_right": Column(INT, "exclusive"),
        "crop_bottom": Column(INT, "exclusive"),
        "overlay_file": _maybe(TEXT, "PNG mask of burnt-in overlays (255 = overlay), any size, of the displayed frame"),
        "camera_file": _maybe(TEXT, "RealEstate10K text whose poses are taken as given (no structure from motion)"),
        "measures": _MEASURES,
    },
    "clips": {
        "id": _ID,
        "shot_id": Column(TEXT, "the shot it is a posed piece of"),
        "video_id": Column(TEXT, "the video"),
        "split": Column(TEXT, "train, validation or test"),
        "frame_count": Column(INT, "posed frames"),
        "camera_file": Column(TEXT, "RealEstate10K text, one line per posed frame; relative to the workspace"),
        "stage": _maybe(TEXT, "stage that wrote the row (set by the pipeline); sfm supersedes acquire's given clips"),
        "folder": _maybe(TEXT, "folder with frames and disparity (flythrough.scene.clips.Clip); null if not there"),
        "width": Column(INT, "pixels of the stored frames"),
        "height": Column(INT, "pixels of the stored frames"),
        "steps": Column(INT, "take every steps-th frame to fly at the training speed"),
        "scale": Column(FLOAT, "poses and 1 / disparity are in units of scale SfM units"),
        "disparity": _maybe(TEXT, "the disparity's provider; null if the clip has none"),
        "sha256": Column(TEXT, "of the clip's folder or camera file"),
        "measures": _MEASURES,
    },
    "checkpoints": {
        "id": _ID,
        "path": Column(TEXT, "checkpoint folder, relative to the workspace"),
        "step": Column(INT, "optimiser steps taken"),
        "preset": Column(TEXT, "the preset's name, or custom"),
        "sha256": Column(TEXT, "of the checkpoint folder"),
        "measures": _MEASURES,
    },
    "results": {
        "protocol": Column(TEXT, "protocol's name and version"),
        "protocol_hash": Column(TEXT, "hash of the whole protocol"),
        "method": Column(TEXT, "method's name"),
        "metric": Column(TEXT, "metric's name, with its feature network where it has one"),
        "step": _maybe(INT, "flight step the value is for; null for all"),
        "value": _maybe(FLOAT, "null where there is none: see note"),
        "low": _maybe(FLOAT, "lower end of the 95 % bootstrap interval"),
        "high": _maybe(FLOAT, "upper end"),
        "n": Column(INT, "images or pairs behind the value"),
        "floor": _maybe(FLOAT, "real against real, for distances between sets"),
        "ranked": Column(BOOL, "whether the value may be ranked"),
        "note": _maybe(TEXT, "why a value is missing or not ranked"),
        "source": Column(TEXT, "measured, or reported with its source"),
        "results_file": _maybe(TEXT, "results.json behind the row, relative to the workspace"),
    },
    "drops": {
        "id": _ID,
        "stage": Column(TEXT, "stage that dropped it"),
        "reason": Column(TEXT, "rule that dropped it"),
        "values": Column(TEXT, "JSON object of the figures the rule saw"),
    },
    "errors": {
        "id": _ID,
        "stage": Column(TEXT, "stage in which it failed"),
        "kind": Column(TEXT, "class of the failure: input, network, disk, timeout, crash, ..."),
        "message": Column(TEXT, "what went wrong"),
        "exception": Column(TEXT, "Python exception type"),
        "remedy": Column(TEXT, "what to do"),
        "attempts": Column(INT, "how often it was tried"),
    },
}


PATHS = ("path", "folder", "camera_file", "camera_folder", "overlay_file", "results_file")  # columns of paths
_NAMES = ("id", "video_id", "shot_id", "protocol", "method")  # columns whose values become part of a path
_PLAIN_PATH = rf"^{PLAIN}(/{PLAIN})*$"
_BATCH = 10_000  # rows that are read at a time
_PIECE = 50_000  # rows that are written at a time
_WRITERS = {"videos": "acquire", "shots": "curate", "clips": "sfm", "checkpoints": "train", "results": "evaluate"}


def schema_of(table: str) -> pa.Schema:
    """The Arrow schema of a table."""
    import pyarrow as pa

    return pa.schema([pa.field(n, c.type, nullable=c.nullable) for n, c in TABLES[table].items()])


def to_json(values: JsonObject) -> str:
    """A dict as the JSON text that ``measures`` and ``values`` columns hold; sorted keys, no NaN."""
    return json.dumps(values, sort_keys=True, allow_nan=False)


def plain(value: object) -> object:
    """The ``default`` of ``json.dumps`` for rows: converts numpy scalars.

    Raises:
        TypeError: any other value.
    """
    if hasattr(value, "item"):
        return value.item()
    raise TypeError(f"a row holds a {type(value).__name__}, which is not a JSON value")


class Workspace:
    """A folder with ``flythrough.toml``, one folder per stage, and the Parquet files of :data:`TABLES`."""

    def __init__(self, root: Path | str) -> None:
        self.root = Path(root)

    def __truediv__(self, name: str) -> Path:
        return self.root / name

    @property
    def config_file(self) -> Path:
        """``flythrough.toml``; need not be there."""
        return self.root / "flythrough.toml"

    def table_file(self, table: str) -> Path:
        """The Parquet file of a table; need not be there."""
        return self.root / f"{table}.parquet"

    def exists(self) -> bool:
        """Whether this is a workspace: made with ``flythrough init`` or by a first run."""
        return self.config_file.is_file() or any(self.has(table) for table in TABLES)

    def has(self, table: str) -> bool:
        """Whether the table was ever written."""
        return self.table_file(table).exists()

    def require(self, *tables: str) -> None:
        """Check that tables of earlier stages were written; an empty table counts.

        Raises:
            InputError: a table is not there.
        """
        for table in tables:
            if not self.has(table):
                stage = _WRITERS[table]
                raise InputError(
                    f"{self.root} has no table {table}: {stage} has not finished here, or the table was removed",
                    remedy=f"Run: flythrough {stage} --workspace {self.root}",
                )

    def read(self, table: str) -> pd.DataFrame:
        """A table as a data frame; empty, with the right columns, if it was never written.

        Its ``attrs["workspace"]`` is the workspace's folder.

        Raises:
            InputError: the file is not this table.
            MissingDependency: pandas is not installed.
        """
        with extras_named("A data frame"):
            import pandas as pd

        frame = pd.DataFrame(self.rows(table), columns=list(TABLES[table]))
        frame.attrs["workspace"] = str(self.root.absolute())  # what its paths are relative to; selecting rows keeps it
        return frame

    def rows(self, table: str) -> list[Row]:
        """A table as dicts, nulls as None, in the order written."""
        return list(self.scan(table))

    def scan(self, table: str, columns: Sequence[str] | None = None) -> Iterator[Row]:
        """Iterate over the rows of a table in constant memory.

        Args:
            table: its name.
            columns: names of the columns to read; by default all.

        Raises:
            InputError: the file is not this table, or a row names what lies outside the workspace.
        """
        for batch in self.batches(table, columns):
            yield from batch.to_pylist()

    def batches(self, table: str, columns: Sequence[str] | None = None) -> Iterator[pa.RecordBatch]:
        """As :meth:`scan`, in pieces and as Arrow's columns."""
        import pyarrow as pa
        import pyarrow.parquet as pq

        path = self.table_file(table)
        if not path.exists():
            return
        try:
            with pq.ParquetFile(path) as file:
                expected = schema_of(table)
                if not file.schema_arrow.remove_metadata().equals(expected):
                    wrong = sorted(set(map(str, file.schema_arrow)) ^ set(map(str, expected)))
                    raise InputError(f"{path} has another schema ({'; '.join(wrong)})", remedy=_rerun(table))
                for batch in file.iter_batches(_BATCH, columns=None if columns is None else list(columns)):
                    _check_names(table, batch, path)
                    yield batch
        except (pa.ArrowException, OSError, UnicodeDecodeError) as error:
            raise InputError(f"{path} is not a Parquet table: {error}", remedy=_rerun(table)) from error

    def write(self, table: str, rows: Iterable[Row]) -> None:
        """Publish a table, in pieces. Columns left out are null.

        Raises:
            AssertionError: an unknown column, or a null where the column allows none.
        """
        import pyarrow.parquet as pq

        schema, left = schema_of(table), iter(rows)
        with publish(self.table_file(table)) as scratch, pq.ParquetWriter(scratch, schema) as writer:
            while piece := list(islice(left, _PIECE)):
                for row in piece:
                    _check_row(table, row)
                writer.write_table(_arrow(piece, schema))

    def replace_stage(self, table: str, stage: str, rows: Iterable[Row]) -> None:
        """Replace one stage's rows of a table that stages share (``drops``, ``errors``)."""
        kept = (row for row in self.scan(table) if row["stage"] != stage)
        self.write(table, chain(kept, rows))

    @contextmanager
    def locked(self, *, writing: bool = True) -> Iterator[None]:
        """Hold the workspace, so that no other run writes to it.

        Args:
            writing: False for those who only read: on a read-only disk, where nobody can write, they need no lock.

        Raises:
            FlythroughError: another run holds it (kind "locked").
        """
        if not writing and os.statvfs(self.root).f_flag & os.ST_RDONLY:
            yield
            return
        message = f"Another run is working in {self.root}"
        with locked_file(self.root / ".lock", message, "Wait for it to end, or use another --workspace", wait_s=0):
            yield


_KINDS: dict[str, tuple[type, ...]] = {TEXT: (str,), INT: (int,), FLOAT: (int, float), BOOL: (bool,)}


def check_values(table: str, row: Row) -> None:
    """Check that a row's values fit its table. Values may still be missing, as ``finish`` may add them.

    Args:
        table: its name.
        row: as read from JSON.

    Raises:
        AssertionError: an unknown column, a value of another type, or a path that leads out of the workspace; the
            message names it.
    """
    columns = _known_columns(table, row)
    for name, value in row.items():
        kind = columns[name].type
        fits = isinstance(value, _KINDS[kind]) and isinstance(value, bool) == (kind == BOOL)
        if value is not None and not (fits and (kind != INT or -(2**63) <= value < 2**63)):
            raise AssertionError(f"{table}.{name} is not {kind} in row {row.get('id')}: {str(value)[:80]!r}")
        if value is not None and (check := _check_of(table, name)) and (reason := check(value)):
            raise AssertionError(f"{table}.{name} is {value[:80]!r}: {reason}")


def _check_of(table: str, column: str) -> Callable[[str], str | None] | None:
    """The function that says why a value of this column cannot be used in a path; None if the column is not."""
    if table in ("drops", "errors"):  # these may name anything, such as a file that was refused
        return None
    if column in _NAMES:
        return problem_with
    return problem_with_path if column in PATHS else None


def _check_names(table: str, batch: pa.RecordBatch, file: Path) -> None:
    """Refuse a batch with a name or path that leads out of the workspace; only values that are not plain are looked at.

    Raises:
        InputError: names the file, the column and the value.
    """
    import pyarrow.compute as pc

    for name in batch.schema.names:
        if (check := _check_of(table, name)) is None:
            continue
        plain = pc.match_substring_regex(batch[name], _PLAIN_PATH if name in PATHS else f"^{PLAIN}$")
        for value in batch[name].filter(pc.invert(plain)).to_pylist():
            if reason := check(value):
                raise InputError(f"{file} has a row whose {name} is {value[:80]!r}: {reason}", remedy=_rerun(table))


def _check_row(table: str, row: Row) -> None:
    for name, column in _known_columns(table, row).items():
        if not column.nullable and row.get(name) is None:
            raise AssertionError(f"{table}.{name} is null in row {row.get('id')}")


def _known_columns(table: str, row: Row) -> dict[str, Column]:
    columns = TABLES[table]
    if not row.keys() <= columns.keys():
        raise AssertionError(f"{table}.parquet has no column {', '.join(sorted(set(row) - set(columns)))}")
    return columns


def _arrow(rows: Sequence[Row], schema: pa.Schema) -> pa.Table:
    """Rows as an Arrow table, by way of JSON: to convert Python objects, Arrow would import pandas (0.2 s)."""
    import pyarrow as pa
    from pyarrow.json import ParseOptions, ReadOptions, read_json

    text = "\n".join(json.dumps(row, allow_nan=False, default=plain) for row in rows).encode()
    whole = ReadOptions(block_size=len(text) + 1)
    absent_is_null = pa.schema([field.with_nullable(True) for field in schema])
    typed = ParseOptions(explicit_schema=absent_is_null, unexpected_field_behavior="error")
    found = read_json(pa.BufferReader(text), read_options=whole, parse_options=typed)
    return pa.Table.from_arrays([found[name] for name in schema.names], schema=schema)


def _rerun(table: str) -> str:
    stage = _WRITERS.get(table, "run")  # drops and errors are written by every stage
    return f"Delete the file, then: flythrough {stage}; what is finished is kept"
