"""Every metric of the results tables, each declared once: what it means, its direction, where it is shown.

A metric added to :data:`METRICS` appears in the terminal's table, evaluate's report, the leaderboard and the
table in docs/evaluate.md (``python -m flythrough.results.metrics`` prints that one).
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Literal

Direction = Literal["lower", "higher", "one"]  # which values are better; "one": the nearer to 1
Family = Literal["distance", "style", "steadiness", "drift", "revisit", "following", "published", "view synthesis"]

# Largest deviation of a ranked method, in path lengths: half of the 0.29 of a camera that goes another way altogether
# (evaluate/following/figures.py). Recorded frames have 0.001.
MAX_DEVIATION = 0.15

FAMILIES: dict[Family, str] = {
    "distance": "all generated frames against real frames",
    "style": "each frame against its start frame",
    "steadiness": "neighbouring frames",
    "drift": "the last steps of a flight against its first",
    "revisit": "the frame back at the start against the start frame",
    "following": "the camera flown against the one commanded",
    "published": "the camera flown against the one commanded, as papers print it",
    "view synthesis": "frames on the recorded path against the recorded frames",
}


@dataclass(frozen=True)
class Metric:
    """One metric.

    Attributes:
        name: as in ``results.parquet``.
        meaning: in a few words, for a column's heading.
        direction: which values are better.
        family: what it compares.
        unit: of its values; empty for a plain number.
        network: feature network of a distance; distances of different networks are never compared.
        primary: whether it ranks its board where it was measured.
        brief: whether the terminal's table shows it.
    """

    name: str
    meaning: str
    direction: Direction
    family: Family
    unit: str = ""
    network: str = ""
    primary: bool = False
    brief: bool = False

    @property
    def needs_following(self) -> bool:
        """Whether only a flight that follows its camera may be ranked by it: standing still would win otherwise."""
        return self.family in ("distance", "style")

    @property
    def qualifies(self) -> bool:
        """Whether it only qualifies flights: standing still or flying through nothing would win a ranking by it."""
        return self.family in ("following", "published", "steadiness", "drift", "revisit")

    @property
    def arrow(self) -> str:
        """Which way is better, in words."""
        return "1 is best" if self.direction == "one" else f"{self.direction} is better"


def _distances(frechet: str, kernel: str, monge: str, network: str, caveat: tuple[str, str]) -> Iterable[Metric]:
    window = "over a sliding window of steps, mean"
    features = f"of {network} features"
    yield Metric(frechet, f"Frechet distance {features}{caveat[0]}", "lower", "distance", network=network, primary=True)
    yield Metric(kernel, f"kernel distance {features}{caveat[1]}", "lower", "distance", network=network, brief=True)
    yield Metric(f"{frechet}_sw", f"{frechet} {window}", "lower", "distance", network=network, brief=True)
    yield Metric(f"{kernel}_sw", f"{kernel} {window}", "lower", "distance", network=network)
    transport = f"optimal transport along principal axes {features}, for few images"
    yield Metric(monge, transport, "lower", "distance", network=network)


def _camera(part: str, meaning: str, unit: str) -> Iterable[Metric]:
    for name, reduction in (("", "mean over frames"), ("_median", "median over frames")):
        yield Metric(f"follow_sfm_{part}{name}", f"{meaning}, {reduction}", "lower", "following", unit)


# In the order of columns.
_ALL = (
    *_distances("fid", "kid", "md_inception", "Inception", ("", "")),
    *_distances("fd_lite0", "kd_lite0", "md_lite0", "EfficientNet-Lite0",
                ("; not FID, and not comparable with it", "; not KID")),
    Metric("style_lite0", "style distance of each frame to its start frame", "lower", "style", brief=True),
    Metric(
        "warp_error", "how much neighbouring frames differ after warping by optical flow", "lower", "steadiness"
    ),
    *(
        Metric(f"{frechet}_drift", f"{frechet} of the last steps less that of the first", "lower", "drift",
               network=network)
        for frechet, network in (("fid", "Inception"), ("fd_lite0", "EfficientNet-Lite0"))
    ),
    Metric("nss_drift", "distance of natural scene statistics (NIQE's) from real frames', last steps less first",
           "lower", "drift"),
    Metric("sharpness_kept", "variance of the Laplacian, last steps over first", "one", "drift"),
    Metric("saturation_kept", "mean saturation (HSV), last steps over first", "one", "drift"),
    Metric("revisit_lpips_alex", "lpips_alex after flying out and back", "lower", "revisit"),
    Metric("revisit_lpips_vgg", "lpips_vgg after flying out and back", "lower", "revisit"),
    Metric("revisit_psnr", "psnr after flying out and back", "higher", "revisit", "dB"),
    Metric("revisit_ssim", "ssim after flying out and back", "higher", "revisit"),
    Metric(
        "follow_correlation", "agreement of the motion seen with the motion commanded", "higher", "following",
        brief=True,
    ),
    Metric("follow_gain", "motion seen over motion commanded", "one", "following"),
    Metric("follow_sfm_registered", "share of frames that structure from motion can pose", "higher", "following"),
    Metric(
        "follow_sfm_deviation",
        f"RMS distance of the recovered camera from the commanded one; above {MAX_DEVIATION:g} not ranked",
        "lower", "following", unit="path lengths", brief=True,
    ),
    *_camera("rotation", "rotation error of the recovered camera", "degrees"),
    *_camera("translation", "distance of the recovered camera from the commanded one", "path lengths"),
    Metric("follow_sfm_step_rotation", "relative pose error a step: rotation", "lower", "following", "degrees"),
    Metric("follow_sfm_step_translation", "relative pose error a step: translation", "lower", "following", "steps"),
    Metric("rot_err_sum", "RotErr: rotation errors summed over frames", "lower", "published", "radians"),
    Metric("trans_err_sum", "TransErr: distances of the cameras, each path scaled to reach 1, summed over frames",
           "lower", "published"),
    Metric("cam_mc_sum", "CamMC: differences of the camera matrices, summed over frames", "lower", "published"),
    Metric("nate", "nATE: RMS distance of the cameras after alignment by centres", "lower", "published",
           "path lengths"),
    Metric("lpips_alex", "learned perceptual distance, AlexNet", "lower", "view synthesis", primary=True),
    Metric("lpips_vgg", "learned perceptual distance, VGG", "lower", "view synthesis"),
    Metric("psnr", "peak signal-to-noise ratio, mean over images", "higher", "view synthesis", "dB", primary=True),
    Metric("ssim", "structural similarity, Gaussian window of sigma 1.5", "higher", "view synthesis"),
    Metric("mse", "mean squared error, RGB in [0, 1]", "lower", "view synthesis"),
    Metric("psnr_seen", "psnr of the pixels that the start frame shows", "higher", "view synthesis", "dB"),
    Metric("ssim_seen", "ssim of the pixels that the start frame shows", "higher", "view synthesis"),
    Metric("mse_seen", "mse of the pixels that the start frame shows", "lower", "view synthesis"),
)  # fmt: skip
METRICS: dict[str, Metric] = {metric.name: metric for metric in _ALL}
CAMERA_FIGURES = tuple(  # of a recovered camera; all but the share of frames posed
    name for name, metric in METRICS.items()
    if metric.family == "published" or (name.startswith("follow_sfm_") and metric.direction == "lower")
)  # fmt: skip


def higher_is_better(name: str) -> bool:
    """Whether larger values of a metric are better; an unknown one counts as a distance."""
    return name in METRICS and METRICS[name].direction == "higher"


def needs_following(name: str) -> bool:
    """Whether a metric may only rank flights that follow their camera."""
    return name in METRICS and METRICS[name].needs_following


def wanders(deviation: float | None) -> str | None:
    """Why a method that follows its camera but ends up on another path is not ranked; None if it may be.

    Args:
        deviation: its ``follow_sfm_deviation``, in path lengths; None where it was not measured.
    """
    if deviation is None or deviation <= MAX_DEVIATION:
        return None
    return f"wanders off its commanded path: deviates by {deviation:.2f} of its length (at most {MAX_DEVIATION:g})"


def names(family: Family, network: str = "") -> tuple[str, ...]:
    """The metrics of a family, of one feature network where it has several, in the order of columns."""
    return tuple(m.name for m in METRICS.values() if m.family == family and m.network == network)


def networks() -> tuple[str, ...]:
    """The feature networks of set distances; each ranks for itself."""
    return tuple(dict.fromkeys(metric.network for metric in METRICS.values() if metric.network))


def in_order(found: Iterable[str]) -> list[str]:
    """Metric names in the order of columns; unknown ones last, by name."""
    order = {name: place for place, name in enumerate(METRICS)}
    return sorted(found, key=lambda name: (order.get(name, len(order)), name))


def markdown_table() -> str:
    """The table in docs/evaluate.md."""
    lines = ["| metric | compares | meaning | better | ranks only flights that follow |", "|---|---|---|---|---|"]
    for metric in METRICS.values():
        unit = f" ({metric.unit})" if metric.unit else ""
        follow = "yes" if metric.needs_following else ""
        cells = (f"`{metric.name}`", FAMILIES[metric.family], metric.meaning + unit, metric.direction, follow)
        lines.append(f"| {' | '.join(cells)} |")
    return "\n".join(lines)


if __name__ == "__main__":
    print(markdown_table())
