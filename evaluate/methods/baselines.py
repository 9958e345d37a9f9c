"""Methods without training: trained methods must beat them, and metrics must not be fooled by them."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import pairwise
from typing import TYPE_CHECKING

import numpy as np
from jaxtyping import Bool, Float, UInt8

from flythrough.results.methods import Setting
from flythrough.scene.autopilot import Flight
from flythrough.scene.geometry import Intrinsics, Pose, compose, invert

if TYPE_CHECKING:
    from torch import Tensor

Rgbd = Float[np.ndarray, "4 h w"]
Frame = UInt8[np.ndarray, "h w 3"]
UNSEEN = 0.5  # the renderer's coverage below which a pixel counts as not seen


def to_frame(rgb: Float[np.ndarray, "3 h w"]) -> Frame:
    """RGB in [0, 1] as an image: rounded, not truncated."""
    return np.round(np.clip(rgb, 0, 1) * 255).astype(np.uint8).transpose(1, 2, 0)


class Baseline:
    """A method with nothing to set up."""

    def setup(self, setting: Setting) -> None:
        """Nothing to load."""


class RenderOnly(Baseline):
    """Warp the last frame again and again, as the model does, but never refine: holes stay black."""

    def generate(self, start_rgbd: Rgbd, intrinsics: Intrinsics, flight: Flight, seed: int) -> Iterator[Frame]:
        import torch

        from flythrough.rendering.projection import max_sobel_at
        from flythrough.rendering.render import render

        steep = max_sobel_at(start_rgbd.shape[1])
        rgbd = torch.from_numpy(np.ascontiguousarray(start_rgbd, dtype=np.float32))[None]
        camera = torch.as_tensor(np.asarray(intrinsics), dtype=torch.float32)
        with torch.inference_mode():
            while True:
                here = flight.pose
                there = flight.next_pose(rgbd[0, 3].numpy())
                poses = [torch.as_tensor(pose, dtype=torch.float32) for pose in (here, there)]
                rgbd, seen = render(rgbd, poses[0], camera, poses[1], camera, max_sobel=steep)
                rgbd = self.complete(rgbd, seen)
                yield to_frame(rgbd[0, :3].numpy())

    def complete(self, rgbd: Float[Tensor, "b 4 h w"], seen: Float[Tensor, "b 1 h w"]) -> Float[Tensor, "b 4 h w"]:
        """Complete a warped frame ``[1, 4, h, w]``, given its coverage ``[1, 1, h, w]``."""
        return rgbd


class RenderInpaint(RenderOnly):
    """Warp, then fill what was not seen with OpenCV's Telea inpainting, in colour and in disparity.

    The renderer multiplies by the coverage, whose square is ``seen``. Partly seen pixels are divided by it again, or
    edges would darken from step to step: a baseline should be as good as it can be.
    """

    def complete(self, rgbd: Float[Tensor, "b 4 h w"], seen: Float[Tensor, "b 1 h w"]) -> Float[Tensor, "b 4 h w"]:
        import torch

        holes = seen < UNSEEN
        whole = torch.where(holes, rgbd, rgbd / seen.clamp_min(UNSEEN).sqrt())
        return torch.from_numpy(inpaint(whole[0].numpy(), holes[0, 0].numpy()))[None]


def inpaint(rgbd: Rgbd, holes: Bool[np.ndarray, "h w"], radius: float = 3) -> Rgbd:
    """RGBD with the holes filled from their rims (A. Telea, 2004), float32."""
    import cv2

    if not holes.any() or holes.all():
        return np.asarray(rgbd, dtype=np.float32)
    mask = holes.astype(np.uint8)
    color = cv2.inpaint(to_frame(rgbd[:3]), mask, radius, cv2.INPAINT_TELEA).transpose(2, 0, 1) / 255
    levels = np.round(np.clip(rgbd[3], 0, 1) * 65535).astype(np.uint16)
    disparity = cv2.inpaint(levels, mask, radius, cv2.INPAINT_TELEA) / 65535
    whole = np.concatenate([color, disparity[None]])
    return np.where(holes, whole, rgbd).astype(np.float32)


class Static(Baseline):
    """The start frame, repeated. It has the best feature distances and does not move."""

    def generate(self, start_rgbd: Rgbd, intrinsics: Intrinsics, flight: Flight, seed: int) -> Iterator[Frame]:
        frame = to_frame(start_rgbd[:3])
        while True:
            flight.next_pose(start_rgbd[3])
            yield frame


class Planes(Baseline):
    """Flat pictures that face the start camera, each at one depth, drawn over each other from far to near."""

    def generate(self, start_rgbd: Rgbd, intrinsics: Intrinsics, flight: Flight, seed: int) -> Iterator[Frame]:
        planes = self.planes(np.asarray(start_rgbd, dtype=np.float32))
        start, seen = flight.pose, start_rgbd[3]
        while True:
            there = flight.next_pose(seen)
            color, seen = draw_planes(planes, compose(there, invert(start)), np.asarray(intrinsics))
            yield to_frame(color.transpose(2, 0, 1))

    def planes(self, rgbd: Rgbd) -> list[tuple[float, Float[np.ndarray, "h w 4"]]]:
        """(disparity, RGB and opacity in [0, 1]), far to near."""
        raise NotImplementedError


class Zoom(Planes):
    """The start frame as one plane at its median depth: a homography, which zooms in as the camera goes ahead."""

    def planes(self, rgbd: Rgbd) -> list[tuple[float, Float[np.ndarray, "h w 4"]]]:
        opaque = np.ones((*rgbd.shape[1:], 1), np.float32)
        return [(float(np.clip(np.median(rgbd[3]), 0.01, 1)), np.concatenate([rgbd[:3].transpose(1, 2, 0), opaque], 2))]


class Layered(Planes):
    """A multiplane image of the start frame: each layer is filled in behind the nearer ones by inpainting."""

    layers = 12

    def planes(self, rgbd: Rgbd) -> list[tuple[float, Float[np.ndarray, "h w 4"]]]:
        edges = np.quantile(np.clip(rgbd[3], 0.01, 1), np.linspace(0, 1, self.layers + 1))
        found = []
        for low, high in pairwise(edges):
            own = (rgbd[3] >= low) & ((rgbd[3] <= high) if high == edges[-1] else (rgbd[3] < high))
            if low == edges[0]:
                own |= rgbd[3] < low
            if not own.any():
                continue
            behind = rgbd[3] >= high  # hidden by nearer layers: this layer continues there
            filled = inpaint(rgbd, ~own)
            alpha = (own | behind).astype(np.float32)[..., None]
            found.append(
                (
                    float(np.median(rgbd[3][own]).clip(0.01, 1)),
                    np.concatenate([filled[:3].transpose(1, 2, 0), alpha], 2),
                )
            )
        return found


def draw_planes(
    planes: list[tuple[float, Float[np.ndarray, "h w 4"]]], there_from_start: Pose, intrinsics: Float[np.ndarray, 4]
) -> tuple[Float[np.ndarray, "h w 3"], Float[np.ndarray, "h w"]]:
    """The planes seen from another camera: RGB and disparity; black and 0 where there is none."""
    import cv2

    height, width = planes[0][1].shape[:2]
    fx, fy, cx, cy = intrinsics * [width, height, width, height]
    camera = np.array([[fx, 0, cx - 0.5], [0, fy, cy - 0.5], [0, 0, 1]])
    color, disparity = np.zeros((height, width, 3), np.float32), np.zeros((height, width), np.float32)
    for depth_inverse, picture in planes:
        moved = there_from_start[:, :3].copy()
        moved[:, 2] += there_from_start[:, 3] * depth_inverse
        ahead = 1 / depth_inverse + there_from_start[2, 3]  # depth of the plane's centre in the new view
        if ahead <= 0.01:
            continue  # flown through
        premultiplied = np.concatenate([picture[..., :3] * picture[..., 3:], picture[..., 3:]], 2)
        seen = cv2.warpPerspective(premultiplied, camera @ moved @ np.linalg.inv(camera), (width, height))
        color = color * (1 - seen[..., 3:]) + seen[..., :3]
        disparity = disparity * (1 - seen[..., 3]) + seen[..., 3] * min(1 / ahead, 1.0)
    return color, disparity
