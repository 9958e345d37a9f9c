"""train/: clips in, a checkpoint out. One task is one training run, which resumes if it was stopped."""

from __future__ import annotations

from collections.abc import Iterable

from flythrough.errors import InputError, MissingWeights
from flythrough.workspace.catalog import Workspace, to_json
from flythrough.workspace.files import content_key, sha256_of, sha256_of_folder
from flythrough.workspace.stage import Job, Outcome, Resources, Stage, Task

from .config import FREE, PRESETS, Settings, TrainConfig, resolve

TASK = "infinite-nature"


def tasks(workspace: Workspace, config: TrainConfig) -> Iterable[Task]:
    """The one run that the config describes, on the present clips.

    Raises:
        InputError: there is nothing to train on.
    """
    preset, settings = resolve(config)
    clips = _clip_hashes(workspace, settings)
    if not clips:
        raise InputError(
            "There is no clip to train on: the split train is empty",
            remedy=f"Run flythrough sfm, and see why clips were dropped with: flythrough status -w {workspace.root}",
        )
    chosen = settings.keyed() | {"perceptual": _perceptual(settings), "init": _init(settings)}
    yield Task(TASK, {"preset": preset, "settings": chosen, "clips": clips})


def run(job: Job, config: TrainConfig) -> Outcome:
    """Train; returns the checkpoint's row."""
    from .loop.worker import CHECKPOINT, train, train_on_all

    preset, settings = resolve(config)
    workspace = Workspace(job.workspace)
    processes = _processes(settings)
    if processes > 1:
        figures = train_on_all(workspace, settings, job.folder, processes)
    else:
        figures = train(workspace, settings, job.folder)
    folder = job.folder / CHECKPOINT
    plain = Settings.model_validate(PRESETS[preset])
    changed = {key for key, value in settings if value != getattr(plain, key)} - FREE
    row = {
        "id": f"{TASK}-{content_key(job.task.inputs)[:8]}",
        "path": job.path_of(folder),
        "step": settings.steps,
        "preset": "custom" if changed - {"seed"} else preset,
        "sha256": sha256_of_folder(folder),
        "measures": to_json({**figures, "changed": sorted(changed)}),
    }
    return Outcome(rows=[row])


def _clip_hashes(workspace: Workspace, settings: Settings) -> dict[str, str]:
    if settings.data == "islands":
        from .data.islands import takes

        return {
            take.id: "filmed" for take in takes(settings.islands, settings.height, settings.width, settings.all_biomes)
        }
    if settings.data == "shards":
        from .data.shards import find_shards

        found = find_shards(workspace.root, settings.shards)
        return {f"shard {index:06d}": sha256_of(path) for index, path in enumerate(found)}
    rows = [row for row in workspace.rows("clips") if row["folder"] and row["disparity"]]
    return {row["id"]: row["sha256"] for row in rows if row["split"] == "train" or len(rows) == 1}


def _perceptual(settings: Settings) -> str:
    """The perceptual network that training will use; part of the key, because it depends on the machine's weights."""
    from flythrough.networks.weights import locate

    if settings.perceptual != "auto":
        return settings.perceptual
    try:
        locate("vgg19")
    except MissingWeights:
        return "lite0"
    return "vgg19"


def _init(settings: Settings) -> str:
    """A hash of the weights that a run starts from: the networks', and the discriminators' if it names a run."""
    if settings.init == "none":
        return "none"
    from .fly.shipped import init_folder, init_state

    networks = sha256_of_folder(init_folder(settings.init))
    state = init_state(settings.init)
    return networks if state is None else content_key(networks, sha256_of(state))


def _processes(settings: Settings) -> int:
    if settings.processes:
        return settings.processes
    if settings.device not in ("auto", "cuda"):
        return 1
    import torch

    return max(1, torch.cuda.device_count())


def resources(config: TrainConfig) -> Resources:
    """The resources that a run needs of a cluster's node."""
    small, device = config.preset in ("auto", "tiny", "tune"), (config.device or "auto").partition(":")[0]
    gpus = max(1, config.processes or 1) if device == "cuda" or (device == "auto" and not small) else 0
    return Resources(cpus=2, gpus=gpus, memory_gb=4) if small else Resources(cpus=8, gpus=gpus, memory_gb=32)


STAGE = Stage(
    name="train",
    version=2,
    table="checkpoints",
    config=TrainConfig,
    tasks=tasks,
    run=run,
    resources=resources,
    resumable=True,
    in_process=True,
)
