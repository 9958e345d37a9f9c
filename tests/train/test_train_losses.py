"""The losses' known answers, the discriminators' shapes, and what the perceptual distance sees."""

from __future__ import annotations

import math

import pytest
import torch

from flythrough.errors import MissingWeights
from flythrough.train.loop.losses import (
    feature_matching,
    hinge_discriminator,
    hinge_generator,
    kl_divergence,
    squared_slope,
)
from flythrough.train.loop.perceptual import (
    content_distance,
    local_texture_distance,
    perceptual_distance,
    texture_distance,
)
from flythrough.train.model.discriminator import Discriminators, split


def test_hinge_losses_have_their_known_values() -> None:
    real = [torch.tensor([2.0, 0.5]), torch.tensor([-1.0])]
    fake = [torch.tensor([-2.0, 0.0]), torch.tensor([1.0])]
    first = (0 + 0.5) / 2 + (0 + 1) / 2
    second = 2.0 + 2.0
    assert hinge_discriminator(real, fake).item() == pytest.approx((first + second) / 2)
    assert hinge_generator(fake).item() == pytest.approx(-(-1.0 + 1.0) / 2)


def test_r1_is_the_squared_slope_at_the_pictures_and_teaches_the_weights() -> None:
    pictures, weight = torch.rand(2, 4, 3, 5, requires_grad=True), torch.tensor(3.0, requires_grad=True)
    logits = [weight * pictures.sum(1, keepdim=True), -pictures[:, :1]]
    r1 = squared_slope(logits, pictures)  # the first channel has slope 3 - 1, the others 3
    assert r1.item() == pytest.approx((2**2 + 3 * 3**2) / 4)
    (by_weight,) = torch.autograd.grad(r1, weight)
    assert by_weight.item() == pytest.approx((2 * 2 + 3 * 2 * 3) / 4)


def test_kl_is_summed_over_the_style_and_averaged_over_the_batch() -> None:
    mu, logvar = torch.tensor([[1.0, 0.0], [0.0, 0.0]]), torch.tensor([[0.0, math.log(4)], [0.0, 0.0]])
    assert kl_divergence(mu, logvar).item() == pytest.approx(0.5 * (1 + (4 - 1 - math.log(4))) / 2)


def test_feature_matching_moves_the_prediction_and_not_the_truth() -> None:
    real, fake = torch.ones(1, 2, requires_grad=True), torch.zeros(1, 2, requires_grad=True)
    loss = feature_matching([[real, 3 * real]], [[fake, fake]])
    assert loss.item() == pytest.approx(2.0)
    loss.backward()
    assert real.grad is None
    assert fake.grad is not None


def test_two_pictures_side_by_side_are_judged_with_twice_the_channels() -> None:
    logits, _ = Discriminators(8, 8)(torch.rand(2, 8, 64, 96))
    assert [tuple(x.shape) for x in logits] == [(2, 1, 8, 12), (2, 1, 4, 6)]


def test_discriminators_are_the_specifications() -> None:
    network = Discriminators()
    logits, features = network(torch.rand(2, 4, 64, 96))
    assert [tuple(x.shape) for x in logits] == [(2, 1, 8, 12), (2, 1, 4, 6)]
    assert [tuple(x.shape[1:]) for x in features[0]] == [(128, 16, 24), (256, 8, 12), (512, 8, 12)]
    assert [tuple(x.shape[1:]) for x in features[1]] == [(128, 8, 12), (256, 4, 6), (512, 4, 6)]
    kernels = [4 * 64, 64 * 128, 128 * 256, 256 * 512, 512]
    assert sum(p.numel() for p in network.parameters()) == 2 * (16 * sum(kernels) + 64 + 128 + 256 + 512 + 1)


def test_a_picture_is_judged_alike_alone_and_in_company() -> None:
    torch.manual_seed(0)
    network = Discriminators(8).eval()
    images = torch.rand(3, 4, 32, 64)
    together = split(network(images), [1, 2])
    alone = network(images[1:])
    for a, b in zip(together[1][0], alone[0], strict=True):
        torch.testing.assert_close(a, b)
    torch.testing.assert_close(together[1][1][1][2], alone[1][1][2])


def test_spectral_norm_bounds_the_discriminators_kernels() -> None:
    torch.manual_seed(0)
    network = Discriminators(8).train()
    conv = network.fine.normalised[0]
    with torch.no_grad():
        conv.weight.mul_(50)
    for _ in range(30):
        network(torch.rand(1, 4, 32, 64))
    from flythrough.train.model.layers import normalise

    kernel = normalise(network, keep=False)[conv]
    assert torch.linalg.matrix_norm(kernel.flatten(1), 2).item() == pytest.approx(1.0, abs=0.02)


def test_the_offline_perceptual_distance_sees_structure_and_passes_gradients() -> None:
    torch.manual_seed(0)
    network = perceptual_distance("lite0", torch.device("cpu"))

    def distance(predicted: torch.Tensor, truth: torch.Tensor) -> torch.Tensor:
        return content_distance(network.maps(predicted), network.maps(truth)).mean()

    truth = torch.nn.functional.interpolate(torch.rand(1, 3, 8, 12), (64, 96), mode="bilinear")
    noisy = (truth + 0.05 * torch.randn_like(truth)).requires_grad_()
    assert distance(truth, truth).item() == 0
    loss = distance(noisy, truth)
    brighter = distance(truth + 0.05, truth)
    assert loss > 2 * brighter > 0  # as far in L1, but noise looks worse than a little more light
    loss.backward()
    assert noisy.grad is not None
    assert noisy.grad.abs().sum() > 0


def test_texture_ignores_where_things_are_and_sees_stripes() -> None:
    torch.manual_seed(0)
    network = perceptual_distance("lite0", torch.device("cpu"))
    picture = torch.nn.functional.interpolate(torch.rand(1, 3, 16, 24), (64, 96), mode="bilinear")
    stripes = (picture + 0.1 * torch.sin(torch.arange(96) * 1.5)).clamp(0, 1)

    def distances(other: torch.Tensor) -> tuple[float, float]:
        maps = network.maps(other), network.maps(picture)
        return content_distance(*maps).item(), texture_distance(*maps).item()

    moved, striped = distances(picture.roll(32, -1)), distances(stripes)
    assert moved[0] > striped[0]
    assert striped[1] > 2 * moved[1]
    assert texture_distance(network.maps(picture), network.maps(picture)).item() == 0


def test_the_texture_of_parts_sees_strokes_that_run_in_all_directions() -> None:
    network = perceptual_distance("lite0", torch.device("cpu"))
    y, x = torch.meshgrid(torch.arange(96) - 47.5, torch.arange(96) - 47.5, indexing="ij")
    radius, angle = torch.hypot(x, y), torch.atan2(y, x)

    def maps(wave: torch.Tensor) -> list[torch.Tensor]:
        return network.maps((0.5 + 0.3 * wave).expand(1, 3, -1, -1))

    # About equally fine on the whole, and of all directions: rays from the middle, rings round it, arcs elsewhere.
    rays, rings = maps(torch.sin(24 * angle)), maps(torch.sin(0.8 * radius))
    whole, parts = texture_distance(rays, rings).item(), local_texture_distance(rays, rings).item()
    assert parts > 1.5 * whole
    assert local_texture_distance(rays, rays).item() == 0


def test_a_part_may_look_like_any_true_part_of_its_rows() -> None:
    network = perceptual_distance("lite0", torch.device("cpu"))
    torch.manual_seed(0)
    picture = torch.nn.functional.interpolate(torch.rand(1, 3, 24, 32), (96, 128), mode="bilinear")
    picture[:, :, 48:] = 0.2 * picture[:, :, 48:] + 0.6  # below, a plainer ground
    truth = network.maps(picture)
    beside = local_texture_distance(network.maps(picture.roll(32, -1)), truth)
    above = local_texture_distance(network.maps(picture.roll(48, -2)), truth)
    assert beside.shape == (1,)
    assert above.item() > 2 * beside.item()


def test_vgg_is_never_replaced_in_silence(tmp_path, monkeypatch: pytest.MonkeyPatch) -> None:  # type: ignore[no-untyped-def]
    monkeypatch.setenv("FLYTHROUGH_WEIGHTS", str(tmp_path))
    assert perceptual_distance("auto", torch.device("cpu")).name == "lite0"
    with pytest.raises(MissingWeights, match="vgg19"):
        perceptual_distance("vgg19", torch.device("cpu"))
