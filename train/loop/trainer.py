"""One optimiser step: unroll, compute the losses against the recording, update all weights."""

from __future__ import annotations

import copy
from collections.abc import Callable, Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn
from torch.optim.swa_utils import get_ema_multi_avg_fn

from ..config import Settings
from ..data.replay import ReplayMemory
from ..data.sequences import Batch
from ..fly.shipped import init_state, start_from
from ..model.discriminator import Discriminators, split
from ..model.network import SHAPE, InfiniteNature
from .gradients import PairwiseSum, Parameters
from .losses import (
    fade,
    feature_matching,
    gradient_difference,
    hinge_discriminator,
    hinge_generator,
    kl_divergence,
    squared_slope,
)
from .perceptual import (
    PerceptualDistance,
    content_distance,
    local_texture_distance,
    perceptual_distance,
    texture_distance,
)
from .process_group import ProcessGroup
from .state import TrainState, load_discriminators
from .unroll import Rollout, recorded_renders, roll_out

# Above the rounding of float32 gradients: where the true gradient is zero (a bias before instance norm), Adam would
# otherwise turn rounding into steps of full length, different for every number of processes.
ADAM_EPSILON = 1e-6
MAP_SCALE = 40.0  # about the deviation of weighted maps, so that what judges them starts with logits of about 1


@dataclass(frozen=True)
class StepResult:
    """The result of a step: each loss before its weight, gradient norms, and the pictures."""

    scalars: Mapping[str, float]
    rollout: Rollout


class Trainer:
    """The networks, their optimisers, and how one step changes them."""

    def __init__(self, settings: Settings, group: ProcessGroup) -> None:
        self.settings, self.group = settings, group
        self.bf16 = settings.precision == "bf16"
        self.dtype = torch.float64 if settings.precision == "float64" else torch.float32
        device = group.device
        self.perceptual: PerceptualDistance | None = None
        of_maps = ("perceptual_weight", "texture_weight", "local_texture_weight", "map_weight")
        if any(getattr(settings, name) for name in of_maps):
            self.perceptual = perceptual_distance(settings.perceptual, device).to(self.dtype)
        map_channels = self.perceptual.channels if self.perceptual and settings.map_weight else ()
        torch.manual_seed(settings.seed)  # here: loading the perceptual network may draw random numbers
        generator = InfiniteNature(**{name: getattr(settings, name) for name in SHAPE})
        generator.generator.checkpointing = settings.checkpointing
        generator = generator.to(device, self.dtype).train()
        discriminators = Discriminators(
            settings.discriminator_width, 4 * (2 if settings.two_frames else 1), map_channels
        )
        discriminators = discriminators.to(device, self.dtype).train()
        if settings.init != "none":
            start_from(generator, settings.init)
            if (state := init_state(settings.init)) is not None:
                load_discriminators(discriminators, state)
        mean = copy.deepcopy(generator).eval().requires_grad_(False)
        self.state = TrainState(
            generator,
            mean,
            discriminators,
            self._adam(generator, settings.generator_rate),
            self._adam(discriminators, settings.discriminator_rate),
        )
        if settings.replay:
            self.state.replay = ReplayMemory(settings.batch, (4, settings.height, settings.width))
        self.generator, self.mean, self.discriminators = generator, mean, discriminators
        self._cores = torch.get_num_threads()
        self._pool: ThreadPoolExecutor | None = None
        group.check_same("first weights", [*generator.parameters(), *discriminators.parameters()])

    @property
    def perceptual_name(self) -> str:
        """The network behind the perceptual loss; for the record."""
        return self.perceptual.name if self.perceptual is not None else "none"

    def step(self, batch: Batch) -> StepResult:
        """Take one optimiser step on this process's share of the batch; weights move the same in all processes."""
        # Rounding depends on the number of threads. So work that every process does for itself uses one thread, and
        # shared work cores / passes: processes that share the cores evenly round like one that has them all.
        torch.set_num_threads(1)
        try:
            return self._step(batch.to(self.group.device, self.dtype))
        finally:
            torch.set_num_threads(self._cores)

    def _step(self, batch: Batch) -> StepResult:
        if self.state.replay is not None:
            batch = batch.go_on(self.state.replay)
        generator, judges = Parameters(self.generator), Parameters(self.discriminators)
        size = self.settings.micro_batch or (1 if self.group.device.type == "cpu" else len(batch))
        noises = self._noise(len(batch), 1, self.settings.style_size)
        columns = [x.split(size) for x in (batch, noises, self._condition_noise(batch))]
        sums, rollouts = PairwiseSum(), []
        for losses, rollout, gradients in self._side_by_side(
            lambda part, noise, added: self._pass(part, noise, added, generator, judges), *columns
        ):
            sums.add([torch.stack([x.detach().to(self.dtype) for x in losses.values()]), *gradients])
            rollouts.append(rollout)
        means = sums.total()
        torch._foreach_div_(means, len(rollouts))
        self.group.mean_(means)
        generator.deliver(means[1 : 1 + len(generator.tensors)])
        judges.deliver(means[1 + len(generator.tensors) :])
        rollout = Rollout.join(rollouts)
        if self.state.replay is not None:
            self.state.replay.keep(rollout.refined[:, -1], rollout.courses)
        return StepResult(self._move(dict(zip(losses, means[0].tolist(), strict=True))), rollout)

    def _side_by_side(self, work: Callable[..., Any], *columns: Sequence[Any]) -> Iterable[Any]:
        """Map, in order; on a CPU the cores are divided among the passes, each in a thread of its own."""
        if self.group.device.type != "cpu":
            return map(work, *columns)
        if self._pool is None:
            each = max(1, self._cores // len(columns[0]))  # torch counts threads by the thread that asks
            workers = min(len(columns[0]), self._cores)
            self._pool = ThreadPoolExecutor(workers, initializer=torch.set_num_threads, initargs=(each,))
        return self._pool.map(work, *columns)

    def _pass(
        self, batch: Batch, noise: Tensor, added: Tensor, generator: Parameters, judges: Parameters
    ) -> tuple[dict[str, Tensor], Rollout, list[Tensor]]:
        """Forward and backward once: the losses, the flight, and the gradients of both networks' leaves.

        ``noise`` is for the styles; ``added`` goes on what is refined.
        """
        with self._autocast():
            mu, logvar = self.generator.encode(batch.takeoff, generator.kernels)
        mu, logvar = mu.to(self.dtype), logvar.to(self.dtype)
        style = mu + (0.5 * logvar).exp() * noise
        rollout = roll_out(
            self.generator,
            batch,
            style,
            generator.kernels,
            added=added,
            bf16=self.bf16,
            land=self.settings.roam_land,
        )

        # The losses on pictures are differentiated down to the pictures first: their graphs are freed before the
        # rollout's backward pass, and one pass of the discriminators serves generator and discriminators.
        frames = rollout.refined.detach().requires_grad_()
        beside = None
        if self.settings.two_frames:
            beside = torch.cat([rollout.rendered, recorded_renders(self.generator, batch)]).flatten(0, 1)
        losses, generator_loss, discriminator_loss = self._judge(frames, batch, judges, beside)
        judges_grads = torch.autograd.grad(discriminator_loss, judges.tensors, retain_graph=True)
        (frame_grads,) = torch.autograd.grad(generator_loss, frames)
        losses["kl"] = kl_divergence(mu, logvar)
        weighted_kl = self.settings.kl_weight * losses["kl"]
        generator_grads = torch.autograd.grad(
            [rollout.refined, weighted_kl], generator.tensors, [frame_grads, torch.ones_like(weighted_kl)]
        )
        losses["total"] = generator_loss + weighted_kl
        return losses, rollout.detach(), [*generator_grads, *judges_grads]

    def _judge(
        self, frames: Tensor, batch: Batch, judges: Parameters, beside: Tensor | None
    ) -> tuple[dict[str, Tensor], Tensor, Tensor]:
        """Each loss on pictures; the weighted sum for the generator, and that for the discriminators.

        ``beside`` is what the discriminators see beside the pictures, the model's and then the recorded ones.
        """
        settings, truth = self.settings, batch.rgbd[:, 1:]
        fake, real = frames.flatten(0, 1), truth.flatten(0, 1).detach().requires_grad_(settings.r1_weight > 0)
        # The longer a flight, the less the recording determines what should be seen.
        recorded = (1 - batch.roams).repeat_interleave(truth.shape[1])
        certainty = recorded / (1 + batch.age / settings.replay_decay).repeat_interleave(truth.shape[1])
        losses = {"l1": (certainty * (fake - real).abs().flatten(1).mean(1)).mean()}
        if settings.gradient_weight:
            losses["gradient"] = (certainty * gradient_difference(fake[:, 3:], real[:, 3:])).mean()
        with self._autocast():
            if self.perceptual is not None:
                losses |= self._features(fake[:, :3], real[:, :3], certainty, recorded, judges)
            judged = torch.cat([fake, real])
            judged = judged if beside is None else torch.cat([judged, beside], 1)
            (fake_logits, fake_features), (real_logits, real_features) = split(
                self.discriminators(judged, judges.kernels), [len(fake), len(real)]
            )
            faded = [[fade(layer, certainty) for layer in scale] for scale in fake_features]
            losses["feature"] = feature_matching(real_features, faded)
            losses["adversarial"] = hinge_generator(fake_logits)
            nothing = frames.new_zeros(())
            if settings.r1_weight:
                losses["r1"] = squared_slope(real_logits, real)
            if settings.balanced_sampling:
                real_logits = self._balanced(real_logits, batch, judges)
            losses["discriminator"] = hinge_discriminator(real_logits, fake_logits)
        generator_loss = (
            settings.l1_weight * losses["l1"]
            + settings.perceptual_weight * losses.get("perceptual", nothing)
            + settings.texture_weight * losses.get("texture", nothing)
            + settings.local_texture_weight * losses.get("local_texture", nothing)
            + settings.gradient_weight * losses.get("gradient", nothing)
            + settings.feature_weight * losses["feature"]
            + settings.adversarial_weight * losses["adversarial"]
            + settings.map_weight * losses.get("map_adversarial", nothing)
        )
        discriminator_loss = (
            settings.adversarial_weight * losses["discriminator"]
            + settings.map_weight * losses.get("map_discriminator", nothing)
            + settings.r1_weight * losses.get("r1", nothing)
        )
        return losses, generator_loss, discriminator_loss

    def _features(
        self, fake: Tensor, real: Tensor, certainty: Tensor, recorded: Tensor, judges: Parameters
    ) -> dict[str, Tensor]:
        """Losses by the perceptual network. The content distance fades with certainty, those of textures do not;
        that of parts is for recorded paths alone, or the sea that flights come to would get the texture of land."""
        assert self.perceptual is not None
        with torch.no_grad():
            truth = self.perceptual.maps(real)
        maps = self.perceptual.maps(fake)
        losses = {"perceptual": fade(content_distance(maps, truth), certainty).mean()}
        if self.settings.texture_weight:
            losses["texture"] = texture_distance(maps, truth).mean()
        if self.settings.local_texture_weight:
            losses["local_texture"] = fade(local_texture_distance(maps, truth), recorded).mean()
        if self.settings.map_weight:
            both = [torch.cat(pair) / MAP_SCALE for pair in zip(maps, truth, strict=True)]
            judged = self.discriminators.judge_maps(both, judges.kernels)
            ours, theirs = zip(*(logits.split(len(fake)) for logits in judged), strict=True)
            losses["map_adversarial"] = hinge_generator(ours)
            losses["map_discriminator"] = hinge_discriminator(theirs, ours)
        return losses

    def _balanced(self, real_logits: list[Tensor], batch: Batch, judges: Parameters) -> list[Tensor]:
        """InfiniteNature-Zero: the real picture beside a sequence's last frame is its own start picture."""
        steps = batch.rgbd.shape[1] - 1
        starts, _ = self.discriminators(batch.takeoff, judges.kernels)
        balanced = []
        for logits, start in zip(real_logits, starts, strict=True):
            by_step = logits.unflatten(0, (-1, steps))
            balanced.append(torch.cat([by_step[:, :-1], start[:, None]], 1).flatten(0, 1))
        return balanced

    def _move(self, losses: Mapping[str, float]) -> dict[str, float]:
        """Check and clip gradients, step both optimisers and the running mean; returns losses and gradient norms."""
        state, settings = self.state, self.settings
        networks = {"generator": self.generator, "discriminator": self.discriminators}
        lengths = {
            f"{name}_grad": float(nn.utils.clip_grad_norm_(network.parameters(), settings.clip_norm))
            for name, network in networks.items()
        }
        scalars = {**losses, **lengths}
        if not all(np.isfinite(value) for value in scalars.values()):
            raise NotFiniteError(scalars)
        factor = settings.rate_at(state.step)
        alone = state.step < settings.discriminators_first
        for optimiser in [state.discriminator_optimiser] if alone else state.optimisers().values():
            for group in optimiser.param_groups:
                group["lr"] = group["initial_lr"] * factor
            optimiser.step()
        state.step += 1
        self._average()
        return scalars

    @torch.no_grad()
    def _average(self) -> None:
        # A young mean decays faster, or it would still hold the random weights of the start.
        decay = min(self.settings.ema, (1 + self.state.step) / (10 + self.state.step))
        update = get_ema_multi_avg_fn(decay)
        update(list(self.mean.parameters()), list(self.generator.parameters()), None)
        for kept, new in zip(self.mean.buffers(), self.generator.buffers(), strict=True):
            kept.copy_(new)

    def _adam(self, module: nn.Module, rate: float) -> torch.optim.Adam:
        rates = [{"params": list(module.parameters()), "initial_lr": rate}]
        return torch.optim.Adam(
            rates,
            rate,
            (self.settings.beta1, self.settings.beta2),
            eps=ADAM_EPSILON,
            fused=self.group.device.type in ("cpu", "cuda"),
        )

    def _condition_noise(self, batch: Batch) -> Tensor:
        """What is added to each rendered picture before it is refined, ``[b, t, 4, h, w]``, or a zero for each."""
        count, steps, *picture = batch.rgbd[:, 1:].shape
        if not self.settings.condition_noise:
            return batch.rgbd.new_zeros(count, steps, 1, 1, 1)
        return self.settings.condition_noise * self._noise(count, 3, steps, *picture)

    def _noise(self, count: int, purpose: int, *shape: int) -> Tensor:
        """Standard normal numbers by place in the whole batch (see :mod:`..data.sequences`), ``[count, *shape]``.

        ``purpose`` keeps draws apart: 1 for styles, 3 for conditions; 2 is the flights' (:mod:`..data.replay`).
        """
        step, first = self.state.step, self.group.rank * count
        rows = [
            np.random.default_rng([self.settings.seed, step, first + i, purpose]).standard_normal(shape)
            for i in range(count)
        ]
        return torch.from_numpy(np.stack(rows)).to(self.group.device, self.dtype)

    def _autocast(self) -> torch.autocast:
        return torch.autocast(self.group.device.type, torch.bfloat16, enabled=self.bf16)


class NotFiniteError(Exception):
    """A loss or gradient is NaN or infinite; the weights have not moved."""

    def __init__(self, scalars: Mapping[str, float]) -> None:
        wrong = {name: value for name, value in scalars.items() if not np.isfinite(value)}
        super().__init__(", ".join(f"{name} is {value}" for name, value in wrong.items()))
        self.scalars = dict(scalars)
