"""Settings of a training run: every figure with its meaning, and the presets."""

from __future__ import annotations

from copy import copy
from typing import ClassVar, Literal, Self

from pydantic import Field, ValidationError, create_model, model_validator

from flythrough.errors import ConfigError
from flythrough.workspace.files import JsonObject
from flythrough.workspace.stage import Section

# Settings that change only a run's speed or what is logged, not its result.
FREE = frozenset(
    {"device", "processes", "workers", "cache_mb", "micro_batch"}
    | {"log_every", "strip_every", "video_every", "video_steps", "save_every"}
)
PATHS = frozenset({"shards", "init"})  # the key holds the content of what they name, not the path
STATE_FILE = "state.safetensors"  # in a run's folder: all that a stopped run needs to resume
PresetName = Literal["auto", "paper", "laptop", "tiny", "ship", "polish", "tune"]


class Settings(Section):
    """One training run, fully spelled out. The defaults are the preset ``paper``."""

    unkeyed: ClassVar[frozenset[str]] = FREE | PATHS

    # The picture and the networks.
    height: int = Field(160, ge=32, multiple_of=32, description="Pixels of the training pictures; a multiple of 32")
    width: int = Field(256, ge=32, multiple_of=32, description="Pixels of the training pictures; a multiple of 32")
    base_width: int = Field(32, ge=1, description="Channels of the generator's finest layer (C; the widest has 16 C)")
    style_size: int = Field(256, ge=1, description="Numbers in the style vector")
    max_sobel: float = Field(
        0.1203972804325936,
        gt=0,
        description="Slope of disparity (Sobel, per pixel) above which a surface tears; the release's is for 160 rows",
    )
    keep: float = Field(
        0.0,
        ge=0,
        lt=1,
        description="Share of the rendered picture that is kept where it was seen; 0 = repaint all",
    )
    sky: bool = Field(False, description="Keep the start picture's sky, in flights and in training that roams")
    keyframe_every: int = Field(
        1, ge=1, description="Every so many pictures of a flight is a keyframe; all are rendered from the last keyframe"
    )
    mirror: bool = Field(False, description="Refine mirrored what was rendered from every second keyframe")
    narrow: bool = Field(False, description="SPADE layers of about half the work")
    bilinear: bool = Field(False, description="Enlarge the generator's maps, all but the last, bilinearly")
    discriminator_width: int = Field(64, ge=1, description="Channels of a discriminator's first layer")

    # The flight that is trained on.
    unroll: int = Field(5, ge=1, le=100, description="Render-refine steps per sequence (T)")
    unroll_start: int = Field(5, ge=1, description="T at the start of training; it grows to unroll")
    unroll_every: int = Field(25_000, ge=1, description="Optimiser steps between growths of T by one")
    flip: bool = Field(True, description="Mirror half of the sequences left to right")
    data: Literal["workspace", "shards", "islands"] = Field(
        "workspace", description="Read clips from the workspace, from shards, or film islands of the sample world"
    )
    islands: int = Field(120, ge=1, description="Islands to film for data = islands, five takes each")
    all_biomes: bool = Field(False, description="Make every second island a fjord, canyon, hills, desert, snow or lake")
    color_jitter: float = Field(
        0.0,
        ge=0,
        le=1,
        description="Strength of random colour changes, one per flight; 0 = none",
    )
    guessed: float = Field(
        0.0, ge=0, le=1, description="Share of roaming flights that start with a guessed disparity, as photos do"
    )
    replay: float = Field(
        0.0, ge=0, le=1, description="Share of a batch that continues from the model's own last pictures; 0 = none"
    )
    replay_age: int = Field(56, ge=1, description="Longest flight of a sequence that continues, steps")
    roam: float = Field(
        0.0,
        ge=0,
        le=1,
        description="Share of a batch, of those that continue, that the autopilot flies off the recorded path",
    )
    roam_age: int = Field(100, ge=1, description="Longest flight of the autopilot, steps")
    roam_land: float = Field(
        0.0, ge=0, le=1, description="Share of the ground below which that autopilot turns to land; fly has 0.15"
    )
    condition_noise: float = Field(
        0.0,
        ge=0,
        description="Standard deviation of noise in what is refined, in training only, so that flights bear errors",
    )
    replay_from: int = Field(0, ge=0, description="Optimiser step from which sequences continue")
    replay_decay: float = Field(
        8.0, gt=0, description="Steps flown after which the L1 distance weighs half: it is divided by 1 + age / this"
    )
    shards: str = Field("", description="Glob of WebDataset .tar files, relative to the workspace, for data = shards")
    workers: int = Field(4, ge=1, description="Threads that decode pictures in the background")
    cache_mb: int = Field(512, ge=0, description="Memory for decoded pictures, megabytes per process")

    # The losses.
    l1_weight: float = Field(0.5, ge=0, description="Weight of the L1 distance on RGB and disparity")
    perceptual_weight: float = Field(0.01, ge=0, description="Weight of the perceptual distance")
    perceptual: Literal["auto", "vgg19", "lite0"] = Field(
        "auto", description="Network of the perceptual distance; auto is VGG-19 if its weights are here, else Lite0"
    )
    texture_weight: float = Field(
        0.0,
        ge=0,
        description="Weight of the difference in texture (Gram matrices), far flights too: against stripes",
    )
    local_texture_weight: float = Field(
        0.0,
        ge=0,
        description="Weight of the difference in texture of parts of pictures: against strokes along the flight",
    )
    gradient_weight: float = Field(
        0.0, ge=0, description="Weight of the difference in slope of disparity, at four scales: against grain"
    )
    feature_weight: float = Field(10.0, ge=0, description="Weight of feature matching in the discriminators")
    adversarial_weight: float = Field(
        1.5, ge=0, description="Weight of the hinge losses, of generator and discriminator"
    )
    r1_weight: float = Field(
        0.0, ge=0, description="Weight of R1: the discriminators' squared slope at recorded pictures"
    )
    map_weight: float = Field(
        0.0, ge=0, description="Weight of discriminators that judge the perceptual network's maps (projected GAN)"
    )
    kl_weight: float = Field(0.05, ge=0, description="Weight of the style's KL divergence, summed over its numbers")
    balanced_sampling: bool = Field(
        False, description="Give the discriminators the start picture as the real one for the model's last frame"
    )
    two_frames: bool = Field(
        False, description="Show the discriminators each picture beside the last keyframe, warped to its camera"
    )

    # The optimiser.
    init: str = Field(
        "none",
        description="Weights to start from: none, shipped (the package's model), a checkpoint folder, or the folder "
        "of a run, whose discriminators are continued too",
    )
    steps: int = Field(7_000_000, ge=1, description="Optimiser steps of the whole run")
    batch: int = Field(4, ge=1, description="Sequences per process and step")
    micro_batch: int = Field(
        0,
        ge=0,
        description="Sequences in one forward and backward pass, a divisor of batch, which saves memory; "
        "0 is all on a GPU, one on a CPU (as many passes side by side as there are cores)",
    )
    generator_rate: float = Field(1e-4, gt=0, description="Adam's learning rate of generator and encoder")
    discriminator_rate: float = Field(4e-4, gt=0, description="Adam's learning rate of the discriminators")
    discriminators_first: int = Field(
        0, ge=0, description="Optimiser steps, at the start, of the discriminators alone: a checkpoint has none"
    )
    beta1: float = Field(0.0, ge=0, lt=1, description="Adam's first decay")
    beta2: float = Field(0.9, ge=0, lt=1, description="Adam's second decay")
    decay_from: float = Field(
        1.0,
        ge=0,
        le=1,
        description="Share of the run after which the learning rates fall linearly to a tenth; 1 = never",
    )
    ema: float = Field(0.999, ge=0, lt=1, description="Decay of the running mean of weights, which flies")
    clip_norm: float = Field(10.0, gt=0, description="Largest gradient norm; larger ones are scaled down")
    precision: Literal["float32", "bf16", "float64"] = Field(
        "bf16", description="Arithmetic of the networks; float64 is for checks"
    )
    checkpointing: bool = Field(True, description="Compute activations again in the backward pass, to save memory")
    seed: int = Field(0, ge=0, description="Seed of weights, order of clips, flips and styles")

    # The machine, and what to watch.
    device: str = Field("auto", description="auto, cpu, cuda, cuda:1, mps")
    processes: int = Field(0, ge=0, description="Processes on one machine; 0 is one per GPU, or one without a GPU")
    log_every: int = Field(50, ge=1, description="Optimiser steps between log lines")
    strip_every: int = Field(1000, ge=1, description="Optimiser steps between image strips")
    video_every: int = Field(10_000, ge=0, description="Optimiser steps between test flights; 0 = none")
    video_steps: int = Field(50, ge=1, description="Length of a test flight, steps")
    save_every: int = Field(2000, ge=1, description="Optimiser steps between saved states to resume from")

    @model_validator(mode="after")
    def _consistent(self) -> Self:
        if self.unroll_start > self.unroll:
            raise ValueError(f"unroll_start is {self.unroll_start}, over unroll = {self.unroll}")
        if self.micro_batch and self.batch % self.micro_batch:
            raise ValueError(f"micro_batch is {self.micro_batch}, which does not divide batch = {self.batch}")
        if self.roam > self.replay:
            raise ValueError(f"roam is {self.roam}, over replay = {self.replay}, of which it is a part")
        if self.two_frames and self.balanced_sampling:
            raise ValueError("two_frames and balanced_sampling do not go together: a start has no picture before it")
        if self.data == "shards" and not self.shards:
            raise ValueError("data = shards needs shards, the glob of the .tar files")
        return self

    def unroll_at(self, step: int) -> int:
        """T at an optimiser step."""
        return min(self.unroll, self.unroll_start + step // self.unroll_every)

    def rate_at(self, step: int) -> float:
        """Factor on both learning rates at an optimiser step."""
        start = self.decay_from * self.steps
        if step < start or start >= self.steps:
            return 1.0
        return 1.0 - 0.9 * (step - start) / (self.steps - start)


PRESETS: dict[str, JsonObject] = {
    "paper": {},
    "laptop": {
        "steps": 100_000,
        "unroll_start": 2,
        "unroll_every": 10_000,
        "save_every": 1000,
        "video_every": 5000,
    },
    # Small enough that two cores learn a coast in four minutes; docs/train.md gives the effect of each choice.
    "tiny": {
        "height": 64,
        "width": 96,
        "base_width": 8,
        "style_size": 64,
        "max_sobel": 0.301,  # the release's 0.1204 at 64 rows; unscaled, a third of the ground would be torn
        "discriminator_width": 16,
        "unroll": 4,
        "unroll_start": 1,
        "unroll_every": 90,
        "steps": 400,
        "l1_weight": 10.0,
        "perceptual_weight": 0.02,
        "feature_weight": 5.0,
        "adversarial_weight": 0.5,
        "generator_rate": 1e-3,
        "discriminator_rate": 1e-3,
        "beta1": 0.5,
        "beta2": 0.99,
        "ema": 0.98,
        "decay_from": 0.6,
        "precision": "float32",
        "checkpointing": False,
        "workers": 1,
        "log_every": 10,
        "strip_every": 200,
        "video_every": 0,
        "save_every": 200,
    },
}
# The model in the package, on many islands with true poses, and on its own flights so that they last. Less adversarial
# weight than in paper, and much L1, for pictures this small: more of the first is grain after 5 steps.
PRESETS["ship"] = PRESETS["tiny"] | {
    "height": 96,
    "width": 160,
    "base_width": 16,
    "max_sobel": 0.301 * 64 / 96,
    "sky": True,
    "keyframe_every": 2,
    "mirror": True,
    "bilinear": True,
    "discriminator_width": 32,
    "data": "islands",
    "islands": 120,
    "color_jitter": 0.4,
    "unroll": 3,
    "unroll_every": 200,
    "replay": 0.5,
    "replay_age": 56,
    "replay_from": 450,
    "replay_decay": 16.0,
    "roam": 0.25,
    "l1_weight": 30.0,
    "gradient_weight": 20.0,
    "perceptual_weight": 0.01,
    "texture_weight": 1.0,
    "feature_weight": 3.0,
    "adversarial_weight": 0.5,
    "steps": 4000,
    "batch": 24,
    "decay_from": 0.5,
    "ema": 0.995,
    "precision": "bf16",
    "kl_weight": 0.05 / 64,
    "workers": 2,
    "cache_mb": 0,
    "log_every": 20,
    "strip_every": 250,
    "video_every": 1000,
    "video_steps": 100,
    "save_every": 250,
}
# The model in the package, fine-tuned on the user's clips: what a CPU can do in minutes.
PRESETS["tune"] = PRESETS["ship"] | {
    "init": "shipped",
    "narrow": True,
    "data": "workspace",
    "color_jitter": 0.0,
    "unroll_start": 3,
    "replay_from": 5,
    "adversarial_weight": 0.25,
    "steps": 30,
    "batch": 4,
    "generator_rate": 1e-4,
    "discriminator_rate": 4e-4,
    "decay_from": 0.5,
    "ema": 0.95,
    "precision": "float32",
    "cache_mb": 512,
    "video_every": 0,
    "log_every": 10,
    "save_every": 10,
}
# The last run of the model in the package: from what ship trained, made narrow, on sterner losses and harder flights.
PRESETS["polish"] = PRESETS["tune"] | {
    "data": "islands",
    "islands": 32,
    "all_biomes": True,
    "color_jitter": 0.6,
    "guessed": 0.5,
    "unroll": 4,
    "unroll_start": 4,
    "replay": 0.75,
    "roam": 0.5,
    "roam_land": 0.15,
    "condition_noise": 0.02,
    "texture_weight": 3.0,
    "local_texture_weight": 1.0,
    "adversarial_weight": 0.5,
    "r1_weight": 1.0,
    "steps": 2100,
    "discriminators_first": 70,
    "decay_from": 0.3,
    "ema": 0.995,
    "precision": "bf16",
    "cache_mb": 0,
    "log_every": 20,
    "save_every": 100,
}


def _optional(settings: type[Section]) -> JsonObject:
    """The fields of ``settings``, each of which may be left unset."""
    fields: JsonObject = {}
    for name, field in settings.model_fields.items():
        twin = copy(field)
        twin.default = None
        twin.description = f"{field.description} (unset: the preset's)"
        fields[name] = (field.annotation | None, twin)  # type: ignore[operator]
    return fields


class TrainConfig(create_model("_Unset", __base__=Section, **_optional(Settings))):  # type: ignore[misc]
    """Section ``[train]``: a preset, and what to change in it."""

    preset: PresetName = Field(
        "auto", description="Where unset values come from; auto is tune on a CPU, laptop on one GPU, paper on several"
    )

    def keyed(self) -> JsonObject:
        """Nothing: the task's inputs hold the resolved settings, so a value spelled out is the preset's own."""
        return {}


def choose_preset(config: TrainConfig) -> str:
    """The preset's name, with ``auto`` decided by the machine."""
    if config.preset != "auto":
        return str(config.preset)
    import torch

    if config.device == "cpu" or not (torch.cuda.is_available() or torch.backends.mps.is_available()):
        return "tune"
    return "paper" if torch.cuda.device_count() > 1 else "laptop"


def resolve(config: TrainConfig) -> tuple[str, Settings]:
    """The preset's name and the complete settings: the preset's values with the explicit ones on top.

    Raises:
        ConfigError: the values do not go together.
    """
    name = choose_preset(config)
    explicit = {key: value for key, value in config if key != "preset" and value is not None}
    values = PRESETS[name] | explicit
    if "unroll" in explicit and "unroll_start" not in explicit:  # a shorter T than the preset starts with
        values["unroll_start"] = min(values.get("unroll_start", explicit["unroll"]), explicit["unroll"])
    try:
        return name, Settings.model_validate(values)
    except ValidationError as error:
        message = error.errors()[0]["msg"].removeprefix("Value error, ")
        raise ConfigError(f"[train] with preset {name}: {message}", remedy="Change one of them") from None
