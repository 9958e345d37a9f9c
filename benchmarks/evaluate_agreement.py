"""How far evaluate's numbers are from the public implementations' (``python benchmarks/evaluate_agreement.py``).

Prints one relative difference per line. Inception gets random weights in the layout of pt_inception-2015-12-05, the
same file for all three packages; pictures are synthetic.
"""

from __future__ import annotations

import sys
import tempfile
from pathlib import Path
from typing import Any

import numpy as np
import torch

from flythrough.evaluate.metrics import images
from flythrough.evaluate.metrics.features import Extractor, extract, load_extractor
from flythrough.evaluate.metrics.fid import Moments, frechet_distance, kid

COUNT = 20  # pictures per set
EVERY = 128  # one feature in so many: fewer than pictures, as pytorch-fid's square root fails on singular matrices


def main() -> None:
    with tempfile.TemporaryDirectory() as folder:
        weights = random_inception(Path(folder) / "inception.pth")
        extractor = load_extractor("inception", weights=weights)
        sets = pictures(COUNT, 96, 128, 1), pictures(COUNT, 96, 128, 2) // 2
        against_torch_fidelity(extractor, weights, sets)
        large = pictures(COUNT, 299, 299, 3), pictures(COUNT, 299, 299, 4) // 2
        against_pytorch_fid(extractor, weights, large)
        for name, each in (("Inception", extractor), ("Lite0", load_extractor("lite0"))):
            batches(name, each, sets[0])
        memory_format(sets[0])
        against_lpips(Path(folder), sets[0][0], sets[1][0])
    against_scikit_image(sets[0][0], sets[1][0])
    closed_forms()


def pictures(count: int, height: int, width: int, seed: int) -> np.ndarray:
    """Waves of colour with noise."""
    random = np.random.default_rng(seed)
    y, x = np.mgrid[0:height, 0:width][..., None] / height
    waves = [np.sin(random.uniform(2, 20, 3) * x + random.uniform(2, 20, 3) * y) for _ in range(count)]
    grain = random.normal(scale=0.1, size=(count, height, width, 3))
    return np.clip((np.stack(waves) * 0.4 + 0.5 + grain) * 255, 0, 255).astype(np.uint8)


def random_inception(file: Path) -> Path:
    """Random weights with the names and shapes of the known file, scaled so that features differ."""
    from torch_fidelity import feature_extractor_inceptionv3 as theirs

    torch.manual_seed(0)
    kept = theirs.load_state_dict_from_url, theirs.FeatureExtractorInceptionV3.load_state_dict
    theirs.load_state_dict_from_url = lambda *_, **__: {}
    theirs.FeatureExtractorInceptionV3.load_state_dict = lambda *_: None
    network = theirs.FeatureExtractorInceptionV3("x", ["2048"])
    theirs.load_state_dict_from_url, theirs.FeatureExtractorInceptionV3.load_state_dict = kept
    for module in network.modules():
        if isinstance(module, torch.nn.Conv2d):
            torch.nn.init.kaiming_normal_(module.weight)
        if isinstance(module, torch.nn.BatchNorm2d):
            module.running_mean.normal_(0, 0.1)
            module.running_var.uniform_(0.5, 1.5)
            module.weight.data.uniform_(0.6, 1.1)
            module.bias.data.normal_(0, 0.1)
    torch.save(network.state_dict(), file)
    return file


def against_torch_fidelity(extractor: Extractor, weights: Path, sets: tuple[np.ndarray, ...]) -> None:
    from torch_fidelity.feature_extractor_inceptionv3 import FeatureExtractorInceptionV3
    from torch_fidelity.metric_fid import fid_features_to_statistics, fid_statistics_to_metric
    from torch_fidelity.metric_kid import kid_features_to_metric

    network = FeatureExtractorInceptionV3("x", ["2048"], feature_extractor_weights_path=str(weights))
    ours = [features(extractor, stack) for stack in sets]
    with torch.inference_mode():
        theirs = [network(torch.from_numpy(stack).permute(0, 3, 1, 2))[0] for stack in sets]
    say("torch-fidelity: Inception features", *map(np.concatenate, (ours, [x.numpy() for x in theirs])))
    statistics = [fid_features_to_statistics(x[:, ::EVERY]) for x in theirs]
    expected = fid_statistics_to_metric(*statistics, False)["frechet_inception_distance"]
    say("torch-fidelity: FID", fid(*ours), expected)
    expected = kid_features_to_metric(
        *(x.double() for x in theirs), kid_subsets=10, kid_subset_size=COUNT - 2, rng_seed=2020, verbose=False
    )["kernel_inception_distance_mean"]
    say("torch-fidelity: KID", kid(*ours, subsets=10, subset_size=COUNT - 2).mean, expected)


def against_pytorch_fid(extractor: Extractor, weights: Path, sets: tuple[np.ndarray, ...]) -> None:
    """On pictures of the network's own size: the two packages resize differently."""
    from pytorch_fid import inception as theirs
    from pytorch_fid.fid_score import calculate_frechet_distance

    theirs.load_state_dict_from_url = lambda *_, **__: torch.load(weights)
    network = theirs.InceptionV3([3], resize_input=False).eval()
    ours = [features(extractor, stack) for stack in sets]

    def distance(scale: Any) -> float:
        found = []
        for stack in sets:
            with torch.inference_mode():
                found.append(
                    network(scale(torch.from_numpy(stack).permute(0, 3, 1, 2).float()))[0][:, ::EVERY, 0, 0].numpy()
                )
        parts = [(x.mean(0), np.cov(x, rowvar=False)) for x in found]
        return float(calculate_frechet_distance(*parts[0], *parts[1]))

    say(
        "pytorch-fid: FID, TF1's input scale (x - 128) / 128", fid(*ours), distance(lambda x: ((x - 128) / 128 + 1) / 2)
    )
    say("pytorch-fid: FID, its own scale 2 x / 255 - 1", fid(*ours), distance(lambda x: x / 255))


def batches(name: str, extractor: Extractor, stack: np.ndarray) -> None:
    at_once, one_by_one = features(extractor, stack[:8]), features(extractor, stack[:8], batch_size=1)
    say(f"{name}: batches of 1 and 8", one_by_one, at_once)


def memory_format(stack: np.ndarray) -> None:
    """Lite0 as scored (channels last, norms folded in) and as it comes; Inception's is torch-fidelity's line above."""
    from flythrough.networks import lite0

    plain = lite0.features(lite0.load(), torch.from_numpy(stack[:8]).permute(0, 3, 1, 2).contiguous())
    say("Lite0: channels last and first in memory", features(load_extractor("lite0"), stack[:8]), plain.numpy())


def against_lpips(folder: Path, a: np.ndarray, b: np.ndarray) -> None:
    import lpips
    import torchvision

    for net, make in (("alex", torchvision.models.alexnet), ("vgg", torchvision.models.vgg16)):
        torch.manual_seed(1)
        trunk = make(weights=None)
        torch.save(trunk.state_dict(), folder / "trunk.pth")
        theirs = lpips.LPIPS(net=net, pnet_rand=True, verbose=False).eval()
        own = theirs.net.state_dict()
        theirs.net.load_state_dict({k: trunk.state_dict()[f"features.{k.split('.', 1)[1]}"] for k in own})
        tensors = [torch.from_numpy(i.copy()).permute(2, 0, 1)[None].float() / 255 for i in (a, b)]
        with torch.inference_mode():
            expected = float(theirs(*tensors, normalize=True))
        say(f"lpips: {net}", images.Lpips(net, folder / "trunk.pth")(a, b), expected)


def against_scikit_image(a: np.ndarray, b: np.ndarray) -> None:
    from skimage import metrics

    x, y = a / 255, b / 255
    options = {"channel_axis": 2, "data_range": 1.0, "gaussian_weights": True, "sigma": 1.5}
    expected = metrics.structural_similarity(x, y, use_sample_covariance=False, **options)
    say("scikit-image: PSNR", images.psnr(a, b), metrics.peak_signal_noise_ratio(y, x, data_range=1))
    say("scikit-image: SSIM", images.ssim(a, b), expected)
    say("scikit-image: MSE", images.mse(a, b), metrics.mean_squared_error(x, y))


def closed_forms() -> None:
    """Rank one against rank one: trace sqrt(A B) = |u . v| for A = u u', B = v v'."""
    random = np.random.default_rng(0)
    u, v = random.normal(size=(2, 2048))
    expected = u @ u + v @ v - 2 * abs(u @ v)
    zero = np.zeros(2048)
    say("closed form: rank 1 of 2048", frechet_distance(zero, np.outer(u, u), zero, np.outer(v, v)), expected)
    single = [np.outer(w, w).astype(np.float32) for w in (u, v)]
    say("closed form: the same in single precision", frechet_distance(zero, single[0], zero, single[1]), expected)


def features(extractor: Extractor, stack: np.ndarray, batch_size: int = 8) -> np.ndarray:
    return np.concatenate(list(extract(extractor, stack.__getitem__, len(stack), batch_size)))


def fid(a: np.ndarray, b: np.ndarray) -> float:
    left, right = Moments.of(a[:, ::EVERY]), Moments.of(b[:, ::EVERY])
    return frechet_distance(left.mean, left.cov, right.mean, right.cov)


def say(what: str, ours: Any, theirs: Any) -> None:
    ours, theirs = np.asarray(ours, np.float64), np.asarray(theirs, np.float64)
    print(f"{np.abs(ours - theirs).max() / np.abs(theirs).max():8.1e}  {what}")
    sys.stdout.flush()


if __name__ == "__main__":
    main()
