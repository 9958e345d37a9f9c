"""The clip matrix and the renderer's constants, by closed forms."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch import Tensor

from flythrough.rendering.projection import FAR, MAX_SOBEL, NEAR, clip_matrix, fused_product, max_sobel_at
from flythrough.scene.geometry import compose, invert, make_pose, project, transform


def camera(seed: int) -> np.ndarray:
    """A pose with a rotation about no axis in particular."""
    random = np.random.default_rng(seed)
    u, _, vt = np.linalg.svd(random.normal(size=(3, 3)))
    return make_pose(u @ np.diag([1, 1, np.linalg.det(u @ vt)]) @ vt, random.normal(size=3))


def as_tensor(*values: np.ndarray) -> Tensor:
    return torch.tensor(np.stack(values))


def test_clip_space_is_the_pinhole_projection_from_minus_w_to_w() -> None:
    """Of two cameras at once, each with its own intrinsics."""
    sources, targets = [camera(0), camera(1)], [camera(2), camera(3)]
    lenses = [np.array([0.7, 1.3, 0.45, 0.6]), np.array([0.5, 0.9, 0.55, 0.3])]
    found = clip_matrix(as_tensor(*sources), as_tensor(*targets), as_tensor(*lenses))
    points = np.random.default_rng(4).normal(size=(7, 3)) * 3
    for matrix, source, target, lens in zip(found.numpy(), sources, targets, lenses, strict=True):
        x, y, z, w = matrix @ np.concatenate([points, np.ones((7, 1))], 1).T
        seen, depth = project(lens, transform(compose(target, invert(source)), points))
        np.testing.assert_allclose(w, depth, atol=1e-9)
        np.testing.assert_allclose((x / w + 1) / 2, seen[:, 0])
        np.testing.assert_allclose((y / w + 1) / 2, seen[:, 1])
        np.testing.assert_allclose(z, (FAR + NEAR) / (FAR - NEAR) * depth - 2 * FAR * NEAR / (FAR - NEAR))


def test_the_depth_buffer_spans_near_to_far() -> None:
    """Minus one at the near plane, one at the far plane; 1e-5 and 1e4 units are the release's."""
    assert (NEAR, FAR) == (1e-5, 1e4)
    home, lens = torch.eye(3, 4, dtype=torch.float64)[None], torch.tensor([[0.8, 0.8, 0.5, 0.5]], dtype=torch.float64)
    for depth, expected in ((NEAR, -1.0), (FAR, 1.0)):
        _, _, z, w = (clip_matrix(home, home, lens)[0] @ torch.tensor([0, 0, depth, 1], dtype=torch.float64)).tolist()
        assert z / w == pytest.approx(expected, abs=1e-9)


def test_a_product_is_the_exact_one_rounded_at_each_step() -> None:
    random = np.random.default_rng(0)
    a, b = random.normal(size=(2, 3, 4)).astype(np.float32), random.normal(size=(2, 4, 5)).astype(np.float32)
    total = a[..., :1] * b[..., :1, :]
    for k in (1, 2, 3):
        total = (a[..., k : k + 1].astype(np.float64) * b[..., k : k + 1, :] + total).astype(np.float32)
    found = fused_product(torch.tensor(a), torch.tensor(b))
    assert found.dtype == torch.float32
    np.testing.assert_array_equal(found.numpy(), total)
    np.testing.assert_allclose(found.numpy(), a @ b, atol=1e-5)


def test_the_limit_on_slopes_is_the_releases_at_160_rows_and_scales_with_the_rows() -> None:
    assert np.exp(-10 * MAX_SOBEL) == pytest.approx(0.3)
    assert max_sobel_at(160) == MAX_SOBEL
    assert max_sobel_at(80) == 2 * MAX_SOBEL
