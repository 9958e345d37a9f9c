"""The mesh renderer: against the release's pictures, by known answers, and its two paths against each other."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from typing import Literal

import numpy as np
import pytest
import torch
from torch import Tensor

import tests.golden.recipe as recipe
from flythrough.errors import InputError
from flythrough.rendering.render import render

PATHS = ("numba", "torch")
LENS = torch.tensor([[0.8, 1.28, 0.5, 0.5]])
HOME = torch.eye(3, 4)[None]


def moved(x: float = 0, y: float = 0, z: float = 0, yaw: float = 0) -> Tensor:
    """A camera at (x, y, z), turned right by ``yaw`` radians."""
    c, s = np.cos(yaw), np.sin(yaw)
    rotation = np.array([[c, 0, -s], [0, 1, 0], [s, 0, c]])
    pose = np.concatenate([rotation, -rotation @ np.array([[x], [y], [z]])], 1)
    return torch.tensor(pose, dtype=torch.float32)[None]


def picture(height: int = 32, width: int = 48, disparity: float = 0.5, seed: int = 0) -> Tensor:
    """Coloured noise on a wall."""
    image = torch.rand(1, 4, height, width, generator=torch.Generator().manual_seed(seed))
    image[:, 3] = disparity
    return image


def hills(
    height: int, width: int, batch: int = 1, seed: int = 0, dtype: torch.dtype = torch.float64, relief: float = 0.3
) -> Tensor:
    """Colours and disparity that vary smoothly; from a ``relief`` of 0.2 on, slopes are so steep that they are torn."""
    small = torch.rand(batch, 4, 4, 5, generator=torch.Generator().manual_seed(seed), dtype=dtype)
    image = torch.nn.functional.interpolate(small, (height, width), mode="bicubic", align_corners=True)
    image[:, 3] = 0.3 + relief * image[:, 3]
    return image.clamp(0.02, 0.98)


def assert_close_where_seen(image: Tensor, mask: Tensor, expected: Tensor, atol: float) -> None:
    """Equal and trusted, but for pinholes: a pixel right on a vertex may round to the outside of all six triangles
    around it, here as in the release."""
    seen = mask > 0
    assert seen.float().mean() > 0.97
    assert mask[seen].min() > 0.999
    torch.testing.assert_close(image * seen, expected * seen, atol=atol, rtol=0)


@pytest.mark.parametrize("path", PATHS)
@pytest.mark.parametrize("seed", [0, 1, 2])
def test_the_release_renders_the_same(path: str, seed: int) -> None:
    golden = recipe.golden("render")
    poses = [recipe.camera(golden[f"pose{k}_{seed}"]) for k in (0, 1)]
    image, mask = render(recipe.tensor(recipe.rgbd(seed)), poses[0], LENS, poses[1], LENS, path=path)
    for ours, theirs in ((image, golden[f"rgbd_{seed}"]), (mask, golden[f"mask_{seed}"])):
        off = np.abs(recipe.array(ours) - theirs).max(-1)
        assert (off <= 1e-4).mean() >= 0.997
        assert (off <= 1e-3).mean() >= 0.999


@pytest.mark.parametrize("seed", range(3, 8))
def test_the_paths_agree_on_other_scenes_of_the_recipe(seed: int) -> None:
    target = moved(x=0.02 * seed, y=-0.01 * seed, z=0.1 * seed - 0.3, yaw=0.03 * (seed - 5))
    rgbd = recipe.tensor(recipe.rgbd(seed))
    numba, plain = (render(rgbd, HOME, LENS, target, LENS, path=path) for path in PATHS)
    torch.testing.assert_close(numba, plain, atol=1e-6, rtol=0)


@pytest.mark.parametrize("path", PATHS)
def test_the_gradient_is_the_releases(path: str) -> None:
    golden = recipe.golden("render_grad")
    rgbd = recipe.tensor(recipe.rgbd(0)).requires_grad_()
    poses = [recipe.camera(golden[k]) for k in ("pose0", "pose1")]
    image, _ = render(rgbd, poses[0], LENS, poses[1], LENS, path=path)
    loss = (image * recipe.tensor(recipe.noise(7, (1, 160, 256, 4)))).sum()
    loss.backward()
    assert loss.item() == pytest.approx(float(golden["loss"]), abs=1e-3)
    assert rgbd.grad is not None
    grad = rgbd.grad[0].permute(1, 2, 0).numpy()
    np.testing.assert_allclose(grad[..., :3], golden["grad"][..., :3], atol=1e-5)
    np.testing.assert_allclose(grad[..., 3], golden["grad"][..., 3], atol=0.01)  # of up to 43
    assert np.linalg.norm(grad - golden["grad"]) < 3e-4 * np.linalg.norm(golden["grad"])


@pytest.mark.parametrize("path", PATHS)
def test_staying_put_gives_the_picture_back(path: str) -> None:
    rgbd = hills(30, 50, dtype=torch.float32, relief=0.05)
    image, mask = render(rgbd, moved(1, 2, 3, 0.4), LENS, moved(1, 2, 3, 0.4), LENS, path=path)
    inner = (slice(None), slice(None), slice(1, -1), slice(1, -1))
    assert_close_where_seen(image[inner], mask[inner], rgbd[inner], atol=2e-4)


@pytest.mark.parametrize("path", PATHS)
def test_a_wall_moves_the_way_it_should(path: str) -> None:
    rgbd = picture(32, 64, disparity=0.5)  # 2 units away: 64 * 0.8 / 2 = 25.6 columns a unit
    shift = 4 / 25.6
    image, mask = render(rgbd, HOME, LENS, moved(x=shift), LENS, path=path)
    torch.testing.assert_close(image[0, :3, 2:-2, 2:50], rgbd[0, :3, 2:-2, 6:54], atol=1e-3, rtol=0)
    assert mask[0, 0, :, -4:].max() == 0  # right of the wall there is nothing
    image, _ = render(rgbd, HOME, LENS, moved(z=1), LENS, path=path)
    torch.testing.assert_close(image[0, 3], torch.ones(32, 64), atol=1e-5, rtol=0)  # 1 unit away now
    image, _ = render(rgbd, HOME, LENS, moved(z=-2), LENS, path=path)
    assert image[0, 3, 16, 32] == pytest.approx(0.25, abs=1e-5)


@pytest.mark.parametrize("path", PATHS)
def test_the_near_hides_the_far_and_its_edge_is_not_trusted(path: str) -> None:
    rgbd = picture(40, 60, disparity=0.1)
    rgbd[:, :3] = 0.2
    rgbd[:, :3, 10:30, 20:40] = 0.9
    rgbd[:, 3, 10:30, 20:40] = 0.8
    image, mask = render(rgbd, HOME, LENS, moved(x=0.25), LENS, path=path)
    moved_by = 60 * 0.8 * 0.8 * 0.25  # 9.6 columns to the left
    middle = round(30 - moved_by)
    assert image[0, 0, 20, middle] == pytest.approx(0.9, abs=1e-5)
    assert mask[0, 0, 20, 34:38].max() < 0.2  # uncovered on its right
    assert mask[0, 0, 20, middle] == 1


@pytest.mark.parametrize("path", PATHS)
def test_target_intrinsics_are_the_targets(path: str) -> None:
    rgbd = hills(32, 48, dtype=torch.float32, relief=0.05)
    zoomed = torch.tensor([[1.6, 2.56, 0.5, 0.5]])
    image, _ = render(rgbd, HOME, LENS, HOME, zoomed, path=path)
    middle = torch.nn.functional.interpolate(rgbd[:, :, 8:24, 12:36], scale_factor=2, mode="bilinear")
    torch.testing.assert_close(image[..., 2:-2, 2:-2], middle[..., 2:-2, 2:-2], atol=2e-2, rtol=0)
    image, mask = render(rgbd, HOME, LENS, HOME, torch.tensor([[0.8, 1.28, 0.75, 0.5]]), path=path)
    assert_close_where_seen(image[..., 1:-1, 14:-2], mask[..., 1:-1, 14:-2], rgbd[..., 1:-1, 2:-14], atol=1e-3)


@pytest.mark.parametrize("path", PATHS)
@pytest.mark.parametrize("target", [moved(z=0.15, yaw=0.05), moved(x=0.2, z=-0.1)])
def test_gradcheck(path: str, target: Tensor) -> None:
    rgbd = hills(6, 8, batch=2).requires_grad_()
    cameras = [c.double().expand(2, -1, -1) for c in (HOME, target)]
    lens = LENS.double().expand(2, -1)

    def run(x: Tensor) -> tuple[Tensor, Tensor]:
        return render(x, cameras[0], lens, cameras[1], lens, path=path)

    assert torch.autograd.gradcheck(run, (rgbd,), eps=1e-7, atol=1e-5)


def test_gradcheck_where_coverage_varies() -> None:
    rgbd = hills(6, 8)
    rgbd[:, 3, 2:4, 3:6] += 0.4
    rgbd.requires_grad_()
    for path in PATHS:
        both = lambda x, path=path: render(x, HOME, LENS, moved(x=0.07, z=0.1), LENS, path=path)  # noqa: E731
        assert torch.autograd.gradcheck(both, (rgbd,), eps=1e-7, atol=1e-5)


HARD = {
    "behind the camera": (moved(z=1.4), "rough"),
    "all behind": (moved(z=200), "rough"),
    "turned away": (moved(yaw=np.pi), "rough"),
    "from the side": (moved(x=30, z=30, yaw=-np.pi / 2), "rough"),
    "flipped, seen from the back": (moved(z=120, yaw=np.pi), "rough"),
    "far away": (moved(z=-5000), "rough"),
    "inside the rock": (moved(x=0.1, z=2.5, yaw=0.8), "rough"),
    "all sky": (moved(x=1, z=5), "sky"),
    "out of range": (moved(z=0.5), "wild"),
}


def hard_picture(kind: str) -> Tensor:
    rgbd = torch.rand(2, 4, 24, 40, generator=torch.Generator().manual_seed(3))
    if kind == "sky":
        rgbd[:, 3] = 0
    if kind == "wild":
        rgbd[:, 3] = rgbd[:, 3] * 20 - 10
    return rgbd


@pytest.mark.parametrize("name", HARD)
def test_hard_geometry_is_finite_and_the_same_on_both_paths(name: str) -> None:
    target, kind = HARD[name]
    results = []
    for path in PATHS:
        rgbd = hard_picture(kind).requires_grad_()
        image, mask = render(
            rgbd, HOME.expand(2, -1, -1), LENS.expand(2, -1), target.expand(2, -1, -1), LENS.expand(2, -1), path=path
        )
        ((image * 0.5).sum() + mask.sum()).backward()
        assert rgbd.grad is not None
        assert torch.isfinite(image).all()
        assert torch.isfinite(rgbd.grad).all()
        assert image.min() >= 0
        assert image[:, :3].max() <= 1 + 1e-5
        assert mask.max() <= 1 + 1e-5
        results.append((image.detach(), mask.detach(), rgbd.grad))
    for ours, other in zip(*results, strict=True):
        torch.testing.assert_close(ours, other, atol=1e-6, rtol=1e-3)
    if name in ("all behind", "turned away"):
        assert results[0][0].abs().max() == 0


def test_the_paths_agree_at_random() -> None:
    generator = np.random.default_rng(5)
    for trial in range(20):
        rgbd = hills(20, 28, seed=trial, dtype=torch.float32)
        rgbd[:, 3] += 0.3 * (torch.rand(20, 28, generator=torch.Generator().manual_seed(trial)) > 0.8)
        x, y, z, yaw = generator.normal(size=4) * (0.3, 0.2, 0.8, 0.4)
        one, two = (render(rgbd, HOME, LENS, moved(x, y, z, yaw), LENS, path=path) for path in PATHS)
        torch.testing.assert_close(one, two, atol=1e-6, rtol=0)


@pytest.mark.parametrize("path", PATHS)
def test_a_batch_is_its_images_and_memory_layout_does_not_matter(path: str) -> None:
    rgbd = hills(16, 24, batch=5, dtype=torch.float32)
    targets = torch.cat([moved(x=0.05 * k, z=0.1 * k) for k in range(5)])
    many = render(rgbd, HOME.expand(5, -1, -1), LENS.expand(5, -1), targets, LENS.expand(5, -1), path=path)
    for k in range(5):
        one = render(rgbd[k : k + 1], HOME, LENS, targets[k : k + 1], LENS, path=path)
        assert all(torch.equal(a[k : k + 1], b) for a, b in zip(many, one, strict=True))
    strided = rgbd.to(memory_format=torch.channels_last)
    again = render(strided, HOME.expand(5, -1, -1), LENS.expand(5, -1), targets, LENS.expand(5, -1), path=path)
    assert all(torch.equal(a, b) for a, b in zip(many, again, strict=True))


def test_the_number_of_threads_changes_nothing() -> None:
    results = []
    threads = torch.get_num_threads()
    for count in (1, 3):
        torch.set_num_threads(count)
        rgbd = hills(30, 40, dtype=torch.float32).requires_grad_()
        image, mask = render(rgbd, HOME, LENS, moved(z=0.4), LENS)
        image.sin().sum().backward()
        results.append((image.detach(), mask.detach(), rgbd.grad))
    torch.set_num_threads(threads)
    assert all(torch.equal(a, b) for a, b in zip(*results, strict=True))


def test_many_threads_may_render_at_once() -> None:
    rgbd = hills(30, 40, dtype=torch.float32)
    expected = render(rgbd, HOME, LENS, moved(z=0.4), LENS)[0]
    with ThreadPoolExecutor(4) as pool:
        done = list(pool.map(lambda _: render(rgbd, HOME, LENS, moved(z=0.4), LENS)[0], range(16)))
    assert all(torch.equal(image, expected) for image in done)


def test_autocast_leaves_the_geometry_alone() -> None:
    rgbd = hills(16, 24, dtype=torch.float32)
    expected = render(rgbd, HOME, LENS, moved(z=0.4), LENS)[0]
    with torch.autocast("cpu", torch.bfloat16):
        for path in PATHS:
            assert torch.equal(render(rgbd, HOME, LENS, moved(z=0.4), LENS, path=path)[0], expected)


@pytest.mark.parametrize("path", ["auto", *PATHS])
def test_one_camera_serves_a_whole_batch(path: Literal["auto", "numba", "torch"]) -> None:
    """As a pose without a batch, numpy too; its principal point may lie at the picture's corner or outside."""
    rgbd, aside = hills(6, 8, batch=3), torch.tensor([0.8, 1.28, 0.0, -0.5])
    shared = render(rgbd, HOME[0], LENS[0], moved(z=0.2)[0].numpy(), aside, path=path)
    each = render(
        rgbd, HOME.expand(3, -1, -1), LENS.expand(3, -1), moved(z=0.2).expand(3, -1, -1), aside.expand(3, -1), path=path
    )
    assert all(torch.equal(a, b) for a, b in zip(shared, each, strict=True))
    assert shared[0].dtype == rgbd.dtype
    assert shared[1].shape == (3, 1, 6, 8)


@pytest.mark.parametrize("path", PATHS)
def test_the_smallest_picture_has_two_rows_and_columns(path: Literal["numba", "torch"]) -> None:
    image, mask = render(picture(2, 2), HOME, LENS, HOME, LENS, path=path)
    assert (image.shape, mask.shape) == ((1, 4, 2, 2), (1, 1, 2, 2))


@pytest.mark.parametrize("path", PATHS)
def test_a_higher_limit_on_slopes_trusts_what_is_stretched(path: Literal["numba", "torch"]) -> None:
    rgbd = picture(40, 60, disparity=0.1)
    rgbd[:, 3, 10:30, 20:40] = 0.8
    trusted = [render(rgbd, HOME, LENS, moved(x=0.25), LENS, path=path, max_sobel=m)[1][0, 0, 20] for m in (0.1, 9.0)]
    assert (trusted[1] >= trusted[0]).all()
    assert (trusted[1] > trusted[0] + 0.5).any()


GOOD = {"rgbd": picture(8, 12), "source": HOME, "lens": LENS, "target": HOME, "target_lens": LENS, "path": "auto"}
NAN = torch.full((1, 3, 4), float("nan"))


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"target": NAN}, "target pose is not finite"),
        ({"source": NAN}, "source pose is not finite"),
        ({"lens": torch.full((1, 4), float("inf"))}, "intrinsics"),
        ({"target_lens": torch.zeros(1, 4)}, "focal length"),
        ({"rgbd": torch.zeros(1, 3, 8, 12)}, "shape"),
        ({"rgbd": torch.zeros(4, 8, 12)}, "shape"),
        ({"rgbd": torch.zeros(1, 4, 1, 12)}, "shape"),
        ({"rgbd": torch.zeros(1, 4, 8, 12, dtype=torch.uint8)}, "uint8"),
        ({"rgbd": np.zeros((1, 4, 8, 12), np.float32)}, "ndarray"),
        ({"target": torch.zeros(2, 3, 4)}, "target pose has shape"),
        ({"lens": torch.zeros(1, 3)}, "intrinsics has shape"),
        ({"lens": torch.tensor([[0.8, -0.1, 0.5, 0.5]])}, "source intrinsics has a focal length"),
        ({"rgbd": torch.zeros(1, 4, 8, 1)}, "shape"),
        ({"rgbd": torch.zeros(0, 4, 8, 12)}, "shape"),
        ({"rgbd": torch.zeros(1, 1, 4, 8, 12)}, "shape"),
        ({"path": "opengl"}, "path"),
    ],
)
@pytest.mark.usefixtures("unchecked")
def test_bad_input_is_refused_at_the_door(change: dict, said: str) -> None:
    given = GOOD | change
    with pytest.raises(InputError, match=said):
        render(given["rgbd"], given["source"], given["lens"], given["target"], given["target_lens"], path=given["path"])
