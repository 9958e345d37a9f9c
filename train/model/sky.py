"""Sky correction (InfiniteNature-Zero): the sky is far, so the start picture's stays right.

The start picture is rotated to the camera's present direction (the sky has no parallax) and blended over the model's
picture where both are sky; beyond the start picture's sides and top, the sky is its mirror image. A pixel with the
colour of that sky is sky, whatever its disparity: edges of far land otherwise grow into pale domes. And nothing hangs
in the sky: in a column of pixels, all above sky is sky.
"""

from __future__ import annotations

import torch
from jaxtyping import Float
from torch import Tensor
from torch.nn.functional import grid_sample

SKY_DISPARITY = 0.05  # farther than this is sky
ALIKE, UNLIKE = 0.06, 0.14  # mean RGB differences: up to the first certainly the sky's colour, from the second not


def skyness(disparity: Float[Tensor, "b 1 h w"]) -> Float[Tensor, "b 1 h w"]:
    """1 where a pixel is certainly sky, 0 where it is certainly not, from its disparity."""
    return ((SKY_DISPARITY - disparity) / (0.5 * SKY_DISPARITY)).clamp(0, 1)


def keep_sky(
    rgbd: Float[Tensor, "b 4 h w"],
    start: Float[Tensor, "b 4 h w"],
    now_from_start: Float[Tensor, "b 3 4"],
    intrinsics: Float[Tensor, "b 4"],
) -> Float[Tensor, "b 4 h w"]:
    """``rgbd`` with the start picture's sky where both show sky."""
    height, width = rgbd.shape[-2:]
    x = (torch.arange(width, device=rgbd.device) + 0.5) / width
    y = (torch.arange(height, device=rgbd.device) + 0.5) / height
    focal, center = intrinsics[:, None, None, :2], intrinsics[:, None, None, 2:]
    points = torch.stack(torch.meshgrid(x, y, indexing="xy"), -1)[None]
    rays = torch.cat([(points - center) / focal, torch.ones_like(points[..., :1])], -1)
    turned = rays @ now_from_start[:, None, :, :3]  # row vectors: this is the inverse rotation
    seen_at = _unfold(turned, focal, center)
    then = grid_sample(start, 2 * seen_at - 1, mode="bilinear", padding_mode="border", align_corners=False)
    with torch.no_grad():
        was = skyness(then[:, 3:]) * (seen_at[:, None, ..., 1] < 1)
        alike = (UNLIKE - (rgbd[:, :3] - then[:, :3]).abs().mean(1, keepdim=True)) / (UNLIKE - ALIKE)
        now = torch.maximum(skyness(rgbd[:, 3:]), alike.clamp(0, 1) * was)
        weight = now.flip(2).cummax(2).values.flip(2) * was  # from the lowest row up
    return rgbd * (1 - weight) + then * weight


def _unfold(
    rays: Float[Tensor, "b h w 3"], focal: Float[Tensor, "b 1 1 2"], center: Float[Tensor, "b 1 1 2"]
) -> Float[Tensor, "b h w 2"]:
    """Where in the start picture a ray in its camera's frame looks, in picture sizes; below the picture, v is above 1.

    The picture is mirrored at its left and right edges, again and again all round the horizon, and once at its top.
    """
    x, y, z = rays.unbind(-1)
    left, right = (((edge - center[..., 0]) / focal[..., 0]).atan() for edge in (0, 1))
    span = right - left
    angle = right - (span - (torch.atan2(x, z) - left).remainder(2 * span)).abs()
    across = angle.tan()
    elevation = y / torch.hypot(x, z).clamp_min(1e-6)
    down = elevation * (1 + across.square()).sqrt()
    u, v = (torch.stack([across, down], -1) * focal + center).unbind(-1)
    return torch.stack([u, v.abs()], -1)
