"""The flown path as a line, and points of the pictures, as PLY or binary glTF."""

from __future__ import annotations

import json
import struct
from pathlib import Path

import numpy as np
from jaxtyping import Float, UInt8

from flythrough.scene.geometry import Pose, camera_center, invert, transform, unproject
from flythrough.workspace.files import publish

SUFFIXES = (".ply", ".glb")
POINTS_PER_PICTURE = 1000  # about
EVERY = 5  # one picture in so many; those between show nearly the same
FARTHEST = 0.05  # disparity; what is farther is sky, or too rough to place
PATH_COLOR = (255, 40, 40)


class PathPoints:
    """Collects camera positions and coloured points in the world's axes (+x right, +y down, +z forward).

    Args:
        intrinsics: fx fy cx cy, normalised.
        takeoff: the first pose, cam_from_world; the file's origin is there.
    """

    def __init__(self, intrinsics: Float[np.ndarray, 4], takeoff: Pose) -> None:
        self.intrinsics, self.takeoff = np.asarray(intrinsics), np.array(takeoff)
        self._path: list[np.ndarray] = []
        self._points: list[np.ndarray] = []
        self._colors: list[np.ndarray] = []

    def add(self, image: UInt8[np.ndarray, "h w 3"], disparity: Float[np.ndarray, "h w"], pose: Pose) -> None:
        """The picture seen at ``pose``."""
        center = camera_center(np.asarray(pose))
        self._path.append(transform(self.takeoff, center[None])[0])
        if (len(self._path) - 1) % EVERY:
            return
        step = max(1, int(np.sqrt(disparity.size / POINTS_PER_PICTURE)))
        near = np.zeros(disparity.shape, bool)
        near[step // 2 :: step, step // 2 :: step] = True
        near &= disparity > FARTHEST
        points = unproject(self.intrinsics, 1 / np.maximum(disparity, FARTHEST))[near]
        self._points.append(transform(self.takeoff, transform(invert(np.asarray(pose)), points)))
        self._colors.append(image[near])

    def arrays(self) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Path ``[n, 3]`` and points ``[p, 3]`` (float32), colours ``[p, 3]`` (uint8)."""
        path = np.stack(self._path).astype(np.float32)
        return path, np.concatenate(self._points).astype(np.float32), np.concatenate(self._colors)


def write_path(file: Path, collected: PathPoints) -> None:
    """Write ``.ply`` (the path as edges) or ``.glb`` (the path as a line strip, turned so that y is up)."""
    file.parent.mkdir(parents=True, exist_ok=True)
    format_file = format_ply if file.suffix.lower() == ".ply" else format_glb
    data = format_file(*collected.arrays())
    with publish(file) as scratch:
        scratch.write_bytes(data)


def format_ply(path: np.ndarray, points: np.ndarray, colors: np.ndarray) -> bytes:
    """Binary PLY: vertices of the path first, then the points; one edge from each place of the path to the next.

    Args:
        path: camera positions ``[n, 3]``.
        points: ``[p, 3]``.
        colors: RGB of the points ``[p, 3]``, uint8.
    """
    vertex = np.dtype([("place", "<f4", 3), ("color", "u1", 3)])
    vertices = np.empty(len(path) + len(points), vertex)
    vertices["place"] = np.concatenate([path, points])
    vertices["color"] = np.concatenate([np.tile(np.array(PATH_COLOR, np.uint8), (len(path), 1)), colors])
    edges = np.stack([np.arange(len(path) - 1), np.arange(1, len(path))], 1).astype("<i4")
    header = ["ply", "format binary_little_endian 1.0", f"element vertex {len(vertices)}"]
    header += [f"property float {axis}" for axis in "xyz"]
    header += [f"property uchar {name}" for name in ("red", "green", "blue")]
    header += [f"element edge {len(edges)}", "property int vertex1", "property int vertex2", "end_header"]
    return ("\n".join(header) + "\n").encode() + vertices.tobytes() + edges.tobytes()


def format_glb(path: np.ndarray, points: np.ndarray, colors: np.ndarray) -> bytes:
    """Binary glTF 2.0 with two primitives: the path, and the points if there are any.

    Args:
        path: camera positions ``[n, 3]``.
        points: ``[p, 3]``.
        colors: RGB of the points ``[p, 3]``, uint8.
    """
    places = np.concatenate([path, points]).astype("<f4")
    rgba = np.full((len(places), 4), 255, np.uint8)  # four bytes: glTF needs vertices aligned to four
    rgba[: len(path), :3] = PATH_COLOR
    rgba[len(path) :, :3] = colors
    body = places.tobytes() + rgba.tobytes()
    parts = [(0, len(path), 3)] + ([(len(path), len(points), 0)] if len(points) else [])
    accessors, primitives = [], []
    for first, count, mode in parts:
        box = places[first : first + count]
        place = {"bufferView": 0, "byteOffset": 12 * first, "componentType": 5126, "count": count, "type": "VEC3"}
        place |= {"min": box.min(0).tolist(), "max": box.max(0).tolist()}
        color = {"bufferView": 1, "byteOffset": 4 * first, "componentType": 5121, "count": count, "type": "VEC4"}
        accessors += [place, color | {"normalized": True}]
        attributes = {"POSITION": len(accessors) - 2, "COLOR_0": len(accessors) - 1}
        primitives.append({"attributes": attributes, "mode": mode})
    views = [
        {"buffer": 0, "byteOffset": 0, "byteLength": places.nbytes, "byteStride": 12, "target": 34962},
        {"buffer": 0, "byteOffset": places.nbytes, "byteLength": rgba.nbytes, "byteStride": 4, "target": 34962},
    ]
    scene = {
        "asset": {"version": "2.0", "generator": "flythrough"},
        "scene": 0,
        "scenes": [{"nodes": [0]}],
        "nodes": [{"mesh": 0, "scale": [1, -1, -1]}],  # glTF: +y up, the camera looks along -z; a half turn about x
        "meshes": [{"primitives": primitives}],
        "accessors": accessors,
        "bufferViews": views,
        "buffers": [{"byteLength": len(body)}],
    }
    text = json.dumps(scene, separators=(",", ":")).encode()
    text += b" " * (-len(text) % 4)
    chunks = struct.pack("<II", len(text), 0x4E4F534A) + text + struct.pack("<II", len(body), 0x004E4942) + body
    return struct.pack("<4sII", b"glTF", 2, 12 + len(chunks)) + chunks
