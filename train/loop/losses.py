"""The losses of a training step, per picture or as batch means, so that several processes' means are the whole's."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from jaxtyping import Float
from torch import Tensor
from torch.nn.functional import avg_pool2d, relu

from ..model.discriminator import Features


def hinge_discriminator(real: Sequence[Tensor], fake: Sequence[Tensor]) -> Tensor:
    """Hinge loss of the discriminators: real logits over 1, fake ones under -1; mean over scales.

    Both are one ``[b, 1, h, w]`` per scale; the loss is a scalar ``[]``.
    """
    return torch.stack([relu(1 - r).mean() + relu(1 + f).mean() for r, f in zip(real, fake, strict=True)]).mean()


def hinge_generator(fake: Sequence[Tensor]) -> Tensor:
    """The generator's loss: minus the mean logit of the fakes, one ``[b, 1, h, w]`` per scale; mean over scales."""
    return -torch.stack([f.mean() for f in fake]).mean()


def squared_slope(logits: Sequence[Tensor], pictures: Float[Tensor, "b c h w"]) -> Tensor:
    """R1 (Mescheder et al. 2018): mean square of the slope, by a picture's values, of the sum of its logits.

    The logits are one ``[b, 1, h, w]`` per scale; ``pictures`` require a gradient. The result, a scalar ``[]``, can be
    differentiated by the discriminators' weights.
    """
    (slope,) = torch.autograd.grad([each.sum() for each in logits], pictures, create_graph=True)
    return slope.square().mean()


def feature_matching(real: Sequence[Features], fake: Sequence[Features]) -> Tensor:
    """Mean L1 distance between a discriminator's features of the truth (detached) and of the prediction.

    Both are, for each scale, the features ``[b, c, h, w]`` of every layer.
    """
    return torch.stack(
        [
            (r.detach() - f).abs().mean()
            for real_scale, fake_scale in zip(real, fake, strict=True)
            for r, f in zip(real_scale, fake_scale, strict=True)
        ]
    ).mean()


def gradient_difference(
    disparity: Float[Tensor, "b 1 h w"], truth: Float[Tensor, "b 1 h w"], scales: int = 4
) -> Float[Tensor, "b"]:
    """Mean L1 distance of the slopes of two disparity maps, at ``scales`` sizes that halve (MiDaS, Ranftl et al. 2020).

    Noise in disparity is small in L1, yet tears the surface at the next render; in this distance it is large.
    """
    difference, total = disparity - truth, []
    for _ in range(scales):
        across, down = difference.diff(dim=-1), difference.diff(dim=-2)
        total.append(across.abs().mean((1, 2, 3)) + down.abs().mean((1, 2, 3)))
        difference = avg_pool2d(difference, 2)
    return torch.stack(total).mean(0)


def fade(x: Float[Tensor, "n ..."], weight: Float[Tensor, "n"]) -> Float[Tensor, "n ..."]:
    """``x`` itself, with each item's gradient multiplied by its weight."""
    still = x.detach()
    return still + weight.view(-1, *(1,) * (x.ndim - 1)) * (x - still)


def kl_divergence(mu: Float[Tensor, "b n"], logvar: Float[Tensor, "b n"]) -> Float[Tensor, ""]:
    """KL of N(mu, exp(logvar)) to the standard normal, summed over the style's numbers; mean over the batch."""
    return 0.5 * (mu.square() + logvar.exp() - 1 - logvar).sum(1).mean()
