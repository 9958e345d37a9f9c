"""Constants of the renderer, and the matrix from source-camera points to the target's clip space."""

from __future__ import annotations

import torch
from jaxtyping import Float
from torch import Tensor

NEAR, FAR = 1e-5, 1e4  # of the depth buffer, scene units
MIN_DISPARITY, MAX_DISPARITY = 0.01, 1.0  # of vertices
MAX_SOBEL = 0.1203972804325936  # -log(0.3) / 10: where exp(-10 m) falls to 0.3, a vertex is unreliable; at 160 rows


def max_sobel_at(height: int) -> float:
    """The release's limit on the Sobel gradient for a picture of another height: slopes per pixel scale with it."""
    return MAX_SOBEL * 160 / height


def fused_product(a: Tensor, b: Tensor) -> Tensor:
    """Product of matrices ``[..., i, k]`` and ``[..., k, j]`` that sums in order with fused multiply-adds.

    The release's does so, too; here it holds on every device.
    """
    total = a[..., :1] * b[..., :1, :]
    for k in range(1, a.shape[-1]):
        exact = a[..., k : k + 1].double() * b[..., k : k + 1, :].double()  # exact for float32
        total = (exact + total.double()).to(total.dtype)
    return total


def clip_matrix(
    source_pose: Float[Tensor, "batch 3 4"],
    target_pose: Float[Tensor, "batch 3 4"],
    target_intrinsics: Float[Tensor, "batch 4"],
) -> Float[Tensor, "batch 4 4"]:
    """From source-camera points to the target's clip space (x, y, w in it span the picture as -w..w)."""
    rotation = source_pose[:, :, :3].mT
    world_from_source = torch.cat([rotation, -fused_product(rotation, source_pose[:, :, 3:])], -1)
    last = source_pose.new_tensor([[0, 0, 0, 1]]).expand(len(source_pose), 1, 4)
    target_from_source = fused_product(torch.cat([target_pose, last], 1), torch.cat([world_from_source, last], 1))
    fx, fy, cx, cy = target_intrinsics.unbind(-1)
    projection = source_pose.new_zeros(len(source_pose), 4, 4)
    projection[:, 0, 0], projection[:, 0, 2] = 2 * fx, 2 * cx - 1
    projection[:, 1, 1], projection[:, 1, 2] = 2 * fy, 2 * cy - 1
    projection[:, 2, 2], projection[:, 2, 3] = (FAR + NEAR) / (FAR - NEAR), -2 * FAR * NEAR / (FAR - NEAR)
    projection[:, 3, 2] = 1
    return fused_product(projection, target_from_source)
