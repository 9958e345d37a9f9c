"""Disparity from a depth network, fitted to the points that structure from motion tracked in each frame."""

from __future__ import annotations

import logging
import re
from pathlib import Path

import numpy as np

from flythrough.errors import FlythroughError, InputError
from flythrough.networks import depth
from flythrough.networks.depth import DepthNetwork

from ..config import DisparityConfig
from .fit import Disparities, Fit, fit_scale_and_shift, reject_fit, sample
from .posed import PosedClip

logger = logging.getLogger(__name__)


class FitRefused(FlythroughError):
    """The network's disparity and the points do not agree."""

    kind = "disparity_fit"


def from_network(clip: PosedClip, config: DisparityConfig) -> Disparities:
    """The network's inverse depth of each frame, times a scale, plus a shift.

    Each frame is fitted to its own points. A frame whose fit is refused takes the clip's median scale and shift; if
    more than ``config.max_refused`` of the frames are refused, so is the clip.

    Raises:
        MissingWeights: the network's weights are not here.
        FitRefused: too many frames' fits are refused.
    """
    network = load_network(config)
    predictions = [network(image).astype(np.float16) for image in clip.images]  # small enough to hold
    fits, reasons = [], []
    for place, prediction in enumerate(predictions):
        xy, disparity, _ = clip.sparse(place)
        fit = fit_scale_and_shift(sample(prediction, xy), disparity)
        fits.append(fit)
        reasons.append(reject_fit(fit, config))
    fits = settle(fits, reasons, config)
    for fit, prediction in zip(fits, predictions, strict=True):
        yield np.maximum(fit.scale * prediction.astype(np.float32) + fit.shift, 0)


def settle(fits: list[Fit], reasons: list[str | None], config: DisparityConfig) -> list[Fit]:
    """Replace refused fits by the clip's median fit, or refuse the clip.

    Raises:
        FitRefused: too many fits are refused.
    """
    refused = [reason for reason in reasons if reason]
    if len(refused) > config.max_refused * len(fits) or len(refused) == len(fits):  # without fits there is no median
        raise FitRefused(
            f"The network's disparity fits the points in only {len(fits) - len(refused)} of {len(fits)} frames "
            f"(first reason: {refused[0]})",
            remedy="Use --set sfm.disparity.provider=sfm, or another network",
        )
    kept = [fit for fit, reason in zip(fits, reasons, strict=True) if reason is None]
    middle = Fit(*(float(np.median([getattr(fit, name) for fit in kept])) for name in ("scale", "shift", "error")))
    logger.info("%d of %d fits refused", len(refused), len(fits))
    return [middle if reason else fit for fit, reason in zip(fits, reasons, strict=True)]


def load_network(config: DisparityConfig) -> DepthNetwork:
    """The network of the config: the folder or hub name in ``model``, else the provider's own weights.

    Raises:
        InputError: a hub name without the commit that it is pinned to.
        MissingWeights: the provider's weights are not on this machine.
    """
    if config.model is None:
        return depth.load(config.provider, config.device)
    if Path(config.model).is_dir():
        return depth.loaded(str(Path(config.model).absolute()), config.device)
    repository, _, revision = config.model.partition("@")
    if not re.fullmatch(r"[0-9a-f]{40}", revision):
        raise InputError(
            f"sfm.disparity.model = {config.model!r} is not pinned: what a hub serves under a name may change",
            remedy="Name its commit: OWNER/NAME@COMMIT, 40 hex digits; or give a folder",
        )
    return depth.loaded(repository, config.device, revision)
