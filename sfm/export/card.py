"""A published dataset's description: the card, and Croissant metadata (mlcommons.org/croissant)."""

from __future__ import annotations

from flythrough.workspace.files import JsonObject

Files = dict[str, JsonObject]  # by split: path, sha256, bytes, clips
NAME = "flythrough-clips"
ABOUT = "Camera paths of aerial nature video clips: each video's address; timestamps, intrinsics and poses per frame."
_INTEGER, _FLOAT, _TEXT = "sc:Integer", "sc:Float", "sc:Text"
_TYPES = {"width": _INTEGER, "height": _INTEGER, "steps": _INTEGER, "timestamps_us": _INTEGER}
_TYPES |= {"intrinsics": _FLOAT, "poses": _FLOAT}
_SHAPES = {"timestamps_us": "-1", "intrinsics": "-1,4", "poses": "-1,12"}


def dataset_card(files: Files, columns: dict[str, str], *, frames: bool) -> str:
    """README.md of a Hugging Face dataset; the header names the files of each split."""
    splits = "".join(f"  - split: {split}\n    path: {file['path']}\n" for split, file in files.items())
    rows = "".join(f"| `{name}` | {text} |\n" for name, text in columns.items())
    counts = ", ".join(f"{file['clips']} {split}" for split, file in files.items())
    rights = (
        "Frames are included: whoever publishes this must hold the rights to redistribute them."
        if frames
        else "No frames are included; get the videos from their sources, under their terms."
    )
    return f"""---
pretty_name: {NAME}
license: other
task_categories:
- image-to-3d
tags:
- camera-poses
- novel-view-synthesis
- aerial
configs:
- config_name: default
  data_files:
{splits}---

# {NAME}

{ABOUT}

Clips: {counts}. Splits are by video, so no video is in two of them.

| column | meaning |
|---|---|
{rows}
Cameras: +x right, +y down, +z forward (OpenCV). The image runs from 0 to 1 in both axes; pixel (i, j) has its centre
at ((i + 0.5) / width, (j + 0.5) / height). A clip's unit of length is its own near depth.

## How it was made

Shots were cut at boundaries and filtered, reconstructed by structure from motion, undistorted, and scaled so that the
near ground is about one unit away. Timestamps are presentation times: seek by time, not by frame number.

## Rights

{rights}

## Limits

Poses come from structure from motion and carry its errors. Scale differs from clip to clip. Videos disappear from
their sites; a missing one must be counted as missing, not replaced.
"""


def croissant(files: Files, columns: dict[str, str]) -> JsonObject:
    """Croissant 1.1 JSON-LD: the files with their hashes, and a record set with one record per clip."""
    described = [name for name in columns if name != "frames"]
    return {
        "@context": _CONTEXT,
        "@type": "sc:Dataset",
        "conformsTo": "http://mlcommons.org/croissant/1.1",
        "name": NAME,
        "description": ABOUT,
        "license": "See README.md: the cameras are derived from videos that belong to their authors.",
        "version": "1.0.0",
        "citeAs": "Cite the videos' authors: CITATIONS.md of the workspace lists them.",
        "distribution": [
            {
                "@type": "cr:FileObject",
                "@id": f"{split}-parquet",
                "name": f"{split}-parquet",
                "contentUrl": file["path"],
                "contentSize": f"{file['bytes']} B",
                "encodingFormat": "application/x-parquet",
                "sha256": file["sha256"],
            }
            for split, file in files.items()
        ],
        "recordSet": [
            {
                "@type": "cr:RecordSet",
                "@id": split,
                "name": split,
                "description": f"The clips of the {split} split.",
                "field": [_field(split, name, columns[name]) for name in described],
            }
            for split in files
        ],
    }


def _field(split: str, name: str, text: str) -> JsonObject:
    found: JsonObject = {
        "@type": "cr:Field",
        "@id": f"{split}/{name}",
        "name": name,
        "description": text,
        "dataType": _TYPES.get(name, _TEXT),
        "source": {"fileObject": {"@id": f"{split}-parquet"}, "extract": {"column": name}},
    }
    return found | ({"isArray": True, "arrayShape": _SHAPES[name]} if name in _SHAPES else {})


_CONTEXT: JsonObject = {
    "@language": "en",
    "@vocab": "https://schema.org/",
    "arrayShape": "cr:arrayShape",
    "citeAs": "cr:citeAs",
    "column": "cr:column",
    "conformsTo": "dct:conformsTo",
    "cr": "http://mlcommons.org/croissant/",
    "data": {"@id": "cr:data", "@type": "@json"},
    "dataType": {"@id": "cr:dataType", "@type": "@vocab"},
    "dct": "http://purl.org/dc/terms/",
    "equivalentProperty": "cr:equivalentProperty",
    "examples": {"@id": "cr:examples", "@type": "@json"},
    "extract": "cr:extract",
    "field": "cr:field",
    "fileObject": "cr:fileObject",
    "fileProperty": "cr:fileProperty",
    "fileSet": "cr:fileSet",
    "format": "cr:format",
    "includes": "cr:includes",
    "isLiveDataset": "cr:isLiveDataset",
    "isArray": "cr:isArray",
    "jsonPath": "cr:jsonPath",
    "key": "cr:key",
    "md5": "cr:md5",
    "parentField": "cr:parentField",
    "path": "cr:path",
    "rai": "http://mlcommons.org/croissant/RAI/",
    "recordSet": "cr:recordSet",
    "references": "cr:references",
    "regex": "cr:regex",
    "replace": "cr:replace",
    "samplingRate": "cr:samplingRate",
    "sc": "https://schema.org/",
    "separator": "cr:separator",
    "source": "cr:source",
    "subField": "cr:subField",
    "transform": "cr:transform",
}
