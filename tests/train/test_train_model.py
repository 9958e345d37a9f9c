"""The network against the release's outputs, with the release's variables; its conventions by known answers."""

from __future__ import annotations

from functools import partial

import numpy as np
import pytest
import torch

import tests.golden.recipe as recipe
from flythrough.errors import ConfigError, InputError
from flythrough.rendering.render import render
from flythrough.train.model import network as module
from flythrough.train.model.layers import normalise, padding, reflect_pad
from flythrough.train.model.network import InfiniteNature, ground, shrink
from flythrough.train.model.release import assemble

LENS = torch.from_numpy(recipe.INTRINSICS)[None]
HOME = torch.eye(3, 4)[None]


@pytest.fixture(scope="module")
def release() -> InfiniteNature:
    """The release's network with the synthetic weights that the reference outputs belong to."""
    shapes = recipe.variables()
    model, report = assemble(shapes, lambda name: recipe.weight(name, shapes[name]), "the recipe")
    assert model is not None
    assert report.missed == report.skipped == ()
    return model.requires_grad_(False)


def test_the_encoder_is_the_releases(release: InfiniteNature) -> None:
    golden = recipe.golden("network")
    for ours, name in zip(release.encode(recipe.tensor(recipe.rgbd(0))), ("mu", "logvar"), strict=True):
        np.testing.assert_allclose(ours, golden[name], atol=1e-4)


def test_the_refinement_is_the_releases(release: InfiniteNature) -> None:
    mask = (recipe.noise(12, (1, 160, 256, 1)) > -1).astype(np.float32)
    seen = recipe.tensor(recipe.rgbd(1)[None] * mask)
    style = torch.from_numpy(recipe.noise(11, (1, 256)))
    refined = release.refine(seen, recipe.tensor(mask), style)
    np.testing.assert_allclose(recipe.array(refined), recipe.golden("network")["refined"], atol=1e-4)


@pytest.mark.parametrize("path", ["numba", "torch"])
def test_four_steps_are_the_releases(release: InfiniteNature, path: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "render", partial(render, path=path))
    golden = recipe.golden("network")
    poses = [recipe.camera(pose) for pose in golden["rollout_poses"]]
    rgbd = recipe.tensor(recipe.rgbd(0))
    style, kernels = release.encode(rgbd)[0], release.normalise()
    off = []
    for here, there, theirs in zip(poses[:-1], poses[1:], golden["rollout"], strict=True):
        rgbd = release.step(rgbd, here, there, LENS, style, kernels)
        off.append(np.abs(recipe.array(rgbd) - theirs))
    assert off[0].max() <= 1e-3
    assert np.mean(off) <= 5e-3


def test_bfloat16_is_forty_decibels_from_float32(release: InfiniteNature) -> None:
    there = recipe.camera(recipe.golden("network")["rollout_poses"][1])
    rgbd = recipe.tensor(recipe.rgbd(0))
    style = release.encode(rgbd)[0]
    exact = release.step(rgbd, HOME, there, LENS, style)
    with torch.autocast("cpu", torch.bfloat16):
        quick = release.step(rgbd, HOME, there, LENS, style)
    assert quick.dtype == torch.float32
    assert 10 * torch.log10(1 / (quick - exact).square().mean()) >= 40


@pytest.mark.parametrize(
    ("size", "kernel", "stride", "wanted"),
    [(160, 3, 1, (1, 1)), (160, 3, 2, (1, 1)), (5, 3, 2, (1, 2)), (80, 4, 2, (1, 2))],
)
def test_padding_is_the_releases(size: int, kernel: int, stride: int, wanted: tuple[int, int]) -> None:
    assert padding(size, kernel, stride) == wanted
    x = torch.arange(float(size)).view(1, 1, 1, size)
    padded = reflect_pad(x.expand(1, 1, size, size), kernel, stride)[0, 0, 5]
    assert padded[: wanted[0]].tolist() == [float(k) for k in range(wanted[0], 0, -1)]
    assert len(padded) == size + sum(wanted)


def test_grounding_matches_the_rendered_scale_where_it_was_seen() -> None:
    rendered, refined = torch.full((1, 4, 8, 8), 0.3), torch.full((1, 4, 8, 8), 0.2)
    refined[:, 3, :4], refined[:, 3, 4:] = 0.2, 0.45
    mask = torch.zeros(1, 1, 8, 8)
    mask[..., :4, :] = 1
    grounded = ground(refined, rendered, mask)
    torch.testing.assert_close(grounded[:, 3, :4], torch.full((1, 4, 8), 0.3), atol=1e-5, rtol=0)
    torch.testing.assert_close(grounded[:, 3, 4:], torch.full((1, 4, 8), 0.675), atol=1e-4, rtol=0)
    assert torch.equal(grounded[:, :3], refined[:, :3])
    assert torch.equal(ground(refined, rendered, torch.zeros_like(mask)), refined)  # nothing seen: nothing to go by


def test_the_condition_is_resized_by_area() -> None:
    x = torch.arange(32.0).view(1, 1, 4, 8)
    assert shrink(x, 4)[0, 0, 0].tolist() == [4.5, 6.5, 8.5, 10.5]
    assert shrink(x, 8) is x


def test_spectral_norm_goes_on_in_training_and_stands_still_at_test_time() -> None:
    torch.manual_seed(0)
    model = InfiniteNature(32, 64, base_width=2, style_size=4)
    layer = model.generator.up_0.conv_0
    before = layer.u.clone()
    normalise(model, keep=False)
    model.eval().encode(torch.rand(1, 4, 32, 64))
    assert torch.equal(layer.u, before)
    model.train()
    for _ in range(50):
        model.normalise()
    assert not torch.equal(layer.u, before)
    kernel = model.normalise()[layer]
    assert torch.linalg.matrix_norm(kernel.flatten(1), 2).item() == pytest.approx(1, abs=1e-2)


def test_what_was_seen_is_kept_in_part_and_holes_are_painted() -> None:
    torch.manual_seed(0)
    model = InfiniteNature(32, 64, base_width=2, style_size=4).eval()
    keeping = InfiniteNature(32, 64, base_width=2, style_size=4, keep=0.75).eval()
    keeping.load_state_dict(model.state_dict())
    true, style = torch.rand(1, 4, 32, 64), torch.zeros(1, 4)
    mask = torch.ones(1, 1, 32, 64)
    mask[..., :20], mask[..., 20:40] = 0, 0.49
    rendered = true * mask.sqrt()  # as the renderer does
    painted, kept = (each.refine(rendered, mask, style) for each in (model, keeping))
    assert torch.equal(kept[..., :20], painted[..., :20])
    torch.testing.assert_close(kept, (1 - 0.75 * mask) * painted + 0.75 * mask * torch.where(mask > 0, true, 0))
    with pytest.raises(ConfigError, match="keep"):
        InfiniteNature(keep=1.0)


def test_bilinear_maps_leave_no_steps_at_the_borders_of_blocks() -> None:
    steps = {}
    for bilinear in (False, True):
        torch.manual_seed(3)
        model = InfiniteNature(64, 256, base_width=4, style_size=4, bilinear=bilinear).eval()
        picture = model.refine(torch.full((1, 4, 64, 256), 0.5), torch.ones(1, 1, 64, 256), torch.ones(1, 4))
        slopes = picture.detach().diff(dim=-1).abs().mean((0, 1, 2))  # [k]: between the columns k and k + 1
        steps[bilinear] = float(slopes[31:-32:16].mean() / slopes[23:-24:16].mean())
    assert steps[False] > 1.4
    assert steps[True] < 1.2


@pytest.mark.parametrize("size", [(100, 256), (160, 250), (0, 64)])
def test_sizes_that_are_no_multiples_of_32_are_refused(size: tuple[int, int]) -> None:
    with pytest.raises(ConfigError):
        InfiniteNature(*size)


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"rgbd": torch.zeros(1, 4, 32, 96)}, "shape"),
        ({"rgbd": torch.zeros(1, 4, 32, 64, dtype=torch.uint8)}, "uint8"),
        ({"style": torch.zeros(1, 5)}, "style"),
        ({"next_pose": torch.full((1, 3, 4), float("nan"))}, "target pose is not finite"),
        ({"intrinsics": torch.zeros(1, 4)}, "focal length"),
    ],
)
@pytest.mark.usefixtures("unchecked")
def test_what_cannot_be_flown_is_refused_at_the_door(change: dict[str, torch.Tensor], said: str) -> None:
    model = InfiniteNature(32, 64, base_width=2, style_size=4).eval()
    given = {"rgbd": torch.rand(1, 4, 32, 64), "pose": HOME, "next_pose": HOME, "intrinsics": LENS}
    with pytest.raises(InputError, match=said):
        model.step(**({**given, "style": torch.zeros(1, 4)} | change))
