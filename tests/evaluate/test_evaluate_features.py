"""Feature networks and image metrics against the public implementations, with weights made here in the real layout."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch

from flythrough.errors import InputError, MissingWeights
from flythrough.evaluate.metrics import images
from flythrough.evaluate.metrics.features import Extractor, extract, load_extractor, prefetch
from flythrough.evaluate.metrics.fid import Moments, frechet_distance, kid


def pictures(count: int, height: int = 40, width: int = 56, seed: int = 0) -> np.ndarray:
    """Smooth colours with grain: unlike each other, so that features differ."""
    random = np.random.default_rng(seed)
    y, x = np.mgrid[0:height, 0:width] / height
    waves = [
        np.sin(random.uniform(2, 20, 3) * x[..., None] + random.uniform(2, 20, 3) * y[..., None]) for _ in range(count)
    ]
    grain = random.normal(scale=0.1, size=(count, height, width, 3))
    return np.clip((np.stack(waves) * 0.4 + 0.5 + grain) * 255, 0, 255).astype(np.uint8)


@pytest.fixture(scope="session")
def inception_weights(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Random weights under the names and shapes of pt_inception-2015-12-05, scaled so that features vary."""
    from torch_fidelity import feature_extractor_inceptionv3 as theirs

    file = tmp_path_factory.mktemp("weights") / "inception.pth"
    torch.manual_seed(0)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(theirs, "load_state_dict_from_url", lambda url, progress: {})
        patch.setattr(theirs.FeatureExtractorInceptionV3, "load_state_dict", lambda self, state: None)
        network = theirs.FeatureExtractorInceptionV3("inception-v3-compat", ["2048"])
    for module in network.modules():
        if isinstance(module, torch.nn.Conv2d):
            torch.nn.init.kaiming_normal_(module.weight)
        if isinstance(module, torch.nn.BatchNorm2d):
            module.running_mean = torch.randn(module.num_features) * 0.1
            module.running_var = torch.rand(module.num_features) + 0.5
            module.weight.data.uniform_(0.6, 1.1)
            module.bias.data.normal_(0, 0.1)
    torch.save(network.state_dict(), file)
    return file


@pytest.fixture(scope="session")
def inception(inception_weights: Path) -> Extractor:
    return load_extractor("inception", weights=inception_weights)


def run(extractor: Extractor, stack: np.ndarray, batch_size: int = 8) -> np.ndarray:
    return np.concatenate(list(extract(extractor, stack.__getitem__, len(stack), batch_size)))


def relative(a: np.ndarray, b: np.ndarray) -> float:
    return float(np.abs(a - b).max() / np.abs(b).max())


def test_features_and_fid_agree_with_torch_fidelity(inception: Extractor, inception_weights: Path) -> None:
    from torch_fidelity.feature_extractor_inceptionv3 import FeatureExtractorInceptionV3
    from torch_fidelity.metric_fid import fid_features_to_statistics, fid_statistics_to_metric
    from torch_fidelity.metric_kid import kid_features_to_metric

    network = FeatureExtractorInceptionV3("x", ["2048"], feature_extractor_weights_path=str(inception_weights))
    ours, theirs = [], []
    for stack in (pictures(6, seed=1), pictures(7, seed=2) // 2):
        ours.append(run(inception, stack))
        with torch.inference_mode():
            theirs.append(network(torch.from_numpy(stack).permute(0, 3, 1, 2))[0])
        assert relative(ours[-1], theirs[-1].numpy()) < 1e-5
    some = [x[:, ::8] for x in ours], [x[:, ::8] for x in theirs]  # their eigenvalues take a quarter minute at 2048
    left, right = map(Moments.of, some[0])
    fid = frechet_distance(left.mean, left.cov, right.mean, right.cov)
    expected = fid_statistics_to_metric(*map(fid_features_to_statistics, some[1]), False)
    assert fid == pytest.approx(expected["frechet_inception_distance"], rel=1e-5)
    kernel = kid(*ours, subsets=4, subset_size=5)
    # In double: these weights tell pictures apart so little that float32 rounding shows in the fourth digit.
    doubles = [x.double() for x in theirs]
    expected = kid_features_to_metric(*doubles, kid_subsets=4, kid_subset_size=5, rng_seed=2020, verbose=False)
    assert kernel.mean == pytest.approx(expected["kernel_inception_distance_mean"], rel=1e-4)


def test_inception_features_agree_with_pytorch_fid_and_do_not_depend_on_the_batch(
    inception: Extractor, inception_weights: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from pytorch_fid import inception as theirs

    stack = pictures(3, 299, 299, seed=3)  # at the network's own size: the two packages resize differently
    found = run(inception, stack, batch_size=3)
    assert relative(run(inception, stack, batch_size=1), found) < 1e-5
    state = torch.load(inception_weights)
    monkeypatch.setattr(theirs, "load_state_dict_from_url", lambda *_, **__: state)
    network = theirs.InceptionV3([3], resize_input=False).eval()
    with torch.inference_mode():
        # TF1's (x - 128) / 128 in place of 2 x / 255 - 1, which their own scaling would do
        scaled = ((torch.from_numpy(stack).permute(0, 3, 1, 2).float() - 128) / 128 + 1) / 2
        expected = network(scaled)[0][:, :, 0, 0].numpy()
    assert relative(found, expected) < 1e-5


def test_lite0_features_are_the_ground_floors_whatever_the_batch_and_memory_format() -> None:
    from flythrough.networks import lite0

    stack = pictures(5, seed=4)
    extractor = load_extractor("lite0")
    found = run(extractor, stack, batch_size=5)
    assert found.shape == (5, 1280)
    assert relative(run(extractor, stack, batch_size=2), found) < 1e-5
    assert relative(lite0.features(lite0.load(), torch.from_numpy(stack).permute(0, 3, 1, 2)).numpy(), found) < 1e-5


@pytest.mark.usefixtures("unchecked")
def test_networks_take_only_uint8_and_missing_weights_are_an_error_with_the_command(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("FLYTHROUGH_WEIGHTS", str(tmp_path))
    with pytest.raises(MissingWeights, match="flythrough weights fetch inception"):
        load_extractor("inception")
    (tmp_path / "broken.pth").write_bytes(b"no weights")
    with pytest.raises(InputError, match="does not hold the Inception weights"):
        load_extractor("inception", weights=tmp_path / "broken.pth")
    with pytest.raises(ValueError, match="uint8"):
        load_extractor("lite0")(np.zeros((1, 8, 8, 3), np.float32))


def test_prefetch_keeps_order_and_passes_errors_on() -> None:
    def items():  # type: ignore[no-untyped-def]
        yield from range(20)
        raise RuntimeError("decoding failed")

    seen: list[int] = []
    with pytest.raises(RuntimeError, match="decoding failed"):
        seen.extend(prefetch(items()))
    assert seen == list(range(20))


def test_psnr_ssim_and_mse_agree_with_scikit_image() -> None:
    from skimage import metrics

    a, b = pictures(1, seed=5)[0], pictures(1, seed=6)[0]
    x, y = a / 255, b / 255
    assert images.mse(a, b) == pytest.approx(metrics.mean_squared_error(x, y), rel=1e-12)
    assert images.psnr(a, b) == pytest.approx(metrics.peak_signal_noise_ratio(y, x, data_range=1), rel=1e-12)
    expected = metrics.structural_similarity(
        x, y, channel_axis=2, data_range=1.0, gaussian_weights=True, sigma=1.5, use_sample_covariance=False
    )
    assert images.ssim(a, b) == pytest.approx(expected, rel=1e-12)


@pytest.mark.usefixtures("unchecked")
def test_image_metrics_have_known_values_and_do_not_wrap() -> None:
    dark, bright = np.full((32, 32, 3), 10, np.uint8), np.full((32, 32, 3), 250, np.uint8)
    assert images.mse(dark, bright) == pytest.approx((240 / 255) ** 2)
    assert images.psnr(dark, bright) == pytest.approx(20 * np.log10(255 / 240))
    assert images.psnr(dark, dark) == float("inf")
    half = dark.copy()
    half[:, 16:] = bright[:, 16:]
    left = np.zeros((32, 32), bool)
    left[:, :16] = True
    assert images.mse(half, dark, seen=left) == 0
    assert images.mse(half, dark, seen=~left) == pytest.approx((240 / 255) ** 2)
    with pytest.raises(ValueError, match="size"):
        images.mse(dark, bright[:16])
    with pytest.raises(ValueError, match="uint8"):
        images.mse(dark, bright / 255)


def test_what_the_start_frame_does_not_show_is_left_out_of_the_mask() -> None:
    rgbd = np.full((4, 48, 64), 0.5, np.float32)
    here = np.eye(4)[:3]
    lens = np.array([0.8, 1.07, 0.5, 0.5])
    assert images.seen_from_start(rgbd, here, here, lens).mean() > 0.9  # but for the mesh's rim
    c, s = np.cos(0.4), np.sin(0.4)
    right = np.array([[c, 0, -s, 0], [0, 1, 0, 0], [s, 0, c, 0]])  # turned to the right
    seen = images.seen_from_start(rgbd, here, right, lens)
    assert seen[24, :24].all()
    assert not seen[:, -16:].any()


@pytest.mark.parametrize("net", ["alex", "vgg"])
def test_lpips_agrees_with_the_package_on_images_in_minus_one_to_one(net: str, tmp_path: Path) -> None:
    import torchvision

    torch.manual_seed(1)
    make = {"alex": torchvision.models.alexnet, "vgg": torchvision.models.vgg16}[net]
    trunk = make(weights=None)
    torch.save({k: v for k, v in trunk.state_dict().items() if k.startswith("features.")}, tmp_path / "trunk.pth")
    ours = images.Lpips(net, tmp_path / "trunk.pth")
    theirs = images.lpips_model(net)
    theirs.net.load_state_dict(
        {k: trunk.state_dict()[f"features.{k.split('.', 1)[1]}"] for k in theirs.net.state_dict()}
    )
    a, b = pictures(2, height=64, width=64, seed=7)
    tensors = [torch.from_numpy(i).permute(2, 0, 1)[None].float() / 255 for i in (a, b)]
    with torch.inference_mode():
        expected = float(theirs(*tensors, normalize=True))
    assert ours(a, b) == pytest.approx(expected, rel=1e-5)
    assert ours(a, a) == pytest.approx(0, abs=1e-7)
    assert ours(a, b) > 1e-4
