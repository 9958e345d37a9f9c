"""A Hugging Face dataset: ``data/SPLIT-00000-of-00001.parquet``, one row per clip, with card and Croissant metadata."""

from __future__ import annotations

import json
from collections.abc import Iterable
from contextlib import ExitStack, closing
from pathlib import Path
from typing import Any

from flythrough.scene.clips import FRAMES, frame_name
from flythrough.workspace.files import JsonObject, sha256_of, write_json, write_text

from .card import croissant, dataset_card
from .door import ExportClip

# name -> (the feature as `datasets` writes it, what it is)
COLUMNS: dict[str, tuple[JsonObject, str]] = {
    "id": ({"dtype": "string", "_type": "Value"}, "the clip"),
    "video_id": ({"dtype": "string", "_type": "Value"}, "the video it is cut from"),
    "url": ({"dtype": "string", "_type": "Value"}, "where the video is"),
    "width": ({"dtype": "int64", "_type": "Value"}, "pixels of the frames that the cameras belong to"),
    "height": ({"dtype": "int64", "_type": "Value"}, "as width"),
    "steps": ({"dtype": "int64", "_type": "Value"}, "take every steps-th frame to fly at the training speed"),
    "timestamps_us": (
        {"feature": {"dtype": "int64", "_type": "Value"}, "_type": "List"},
        "presentation time of each frame, microseconds",
    ),
    "intrinsics": (
        {"feature": {"feature": {"dtype": "float64", "_type": "Value"}, "_type": "List"}, "_type": "List"},
        "fx fy cx cy of each frame, x over the width, y over the height",
    ),
    "poses": (
        {"feature": {"feature": {"dtype": "float64", "_type": "Value"}, "_type": "List"}, "_type": "List"},
        "camera from world of each frame, 3 x 4 row by row; +x right, +y down, +z forward",
    ),
}
FRAMES_COLUMN: tuple[JsonObject, str] = ({"feature": {"_type": "Image"}, "_type": "List"}, "the frames")


def write(clips: Iterable[ExportClip], folder: Path, frames: bool) -> None:
    """Parquet files, ``README.md`` (the card) and ``croissant.json``."""
    columns = {**COLUMNS, **({"frames": FRAMES_COLUMN} if frames else {})}
    splits: dict[str, _SplitFile] = {}
    with ExitStack() as opened:
        for clip in clips:
            if clip.split not in splits:
                path = folder / "data" / f"{clip.split}-00000-of-00001.parquet"
                splits[clip.split] = opened.enter_context(closing(_SplitFile(path, columns)))
            splits[clip.split].add(_record(clip, frames))
    files = {
        split: {
            "path": file.path.relative_to(folder).as_posix(),
            "sha256": sha256_of(file.path),
            "bytes": file.path.stat().st_size,
            "clips": file.count,
        }
        for split, file in splits.items()
    }
    helps = {name: text for name, (_, text) in columns.items()}
    write_text(folder / "README.md", dataset_card(files, helps, frames=frames))
    write_json(folder / "croissant.json", croissant(files, helps))


class _SplitFile:
    """One Parquet file, written clip by clip, so that only one clip is in memory."""

    def __init__(self, path: Path, columns: dict[str, tuple[JsonObject, str]]) -> None:
        import pyarrow.parquet as pq

        self.path = path
        self.count = 0
        path.parent.mkdir(parents=True, exist_ok=True)
        self.schema = _schema(columns)
        self._writer = pq.ParquetWriter(path, self.schema)

    def add(self, record: JsonObject) -> None:
        import pyarrow as pa

        self._writer.write_table(pa.Table.from_pylist([record], schema=self.schema))
        self.count += 1

    def close(self) -> None:
        self._writer.close()


def _schema(columns: dict[str, tuple[JsonObject, str]]) -> Any:
    import pyarrow as pa

    features = {name: feature for name, (feature, _) in columns.items()}
    info = json.dumps({"info": {"features": features}})
    return pa.schema([pa.field(n, _arrow(f)) for n, f in features.items()], metadata={"huggingface": info})


def _arrow(feature: JsonObject) -> Any:
    import pyarrow as pa

    if feature["_type"] == "List":
        return pa.list_(_arrow(feature["feature"]))
    if feature["_type"] == "Image":
        return pa.struct({"bytes": pa.binary(), "path": pa.string()})
    return {"string": pa.string(), "int64": pa.int64(), "float64": pa.float64()}[feature["dtype"]]


def _record(clip: ExportClip, frames: bool) -> JsonObject:
    cameras = clip.cameras
    record = {name: clip.row[name] for name in ("id", "video_id", "width", "height", "steps")}
    record |= {
        "url": cameras.url,
        "timestamps_us": cameras.timestamps_us.tolist(),
        "intrinsics": cameras.intrinsics.tolist(),
        "poses": cameras.poses.reshape(-1, 12).tolist(),
    }
    if frames:
        stored = (
            []
            if clip.pictures is None
            else [clip.pictures.folder / FRAMES / frame_name(k) for k in range(len(cameras))]
        )
        record["frames"] = [{"bytes": path.read_bytes(), "path": path.name} for path in stored]
    return record
