"""evaluate/: every method flies the protocol and is scored; one row per number in ``results``."""

from __future__ import annotations

import logging
import time
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING

from pydantic import Field

from flythrough.workspace.catalog import Row, Workspace
from flythrough.workspace.files import JsonObject, read_json
from flythrough.workspace.stage import Job, Outcome, Resources, Section, Stage, Task

if TYPE_CHECKING:
    from flythrough.results.schema import Result

    from .methods.registry import Spec
    from .protocols.protocol import Protocol
    from .protocols.source import Source
    from .scoring.tally import Settings

METHODS = ("infinite-nature", "render-only", "render-inpaint", "layered", "static", "zoom", "real")


SIZE_HELP = "pixels of a frame; not set: the newest checkpoint's, else the clips' at no more than 160 rows (workspace)"
MOST_ROWS = 160
FROZEN = ("steps", "view_steps", "revisit", "starts_per_clip", "speed", "real_frames", "sfm_flights", "seed")
log = logging.getLogger("flythrough.evaluate")


class EvaluateConfig(Section):
    """Scores of methods on a protocol."""

    protocol: str = Field(
        default="workspace",
        description="workspace (freezes its test clips), acid-v1, sample-v1, sample-v2, or a protocol's .toml file",
    )
    methods: tuple[str, ...] = Field(
        default=METHODS,
        description="names (baselines, entry points of group flythrough.methods) or .toml spec files",
    )
    height: int | None = Field(default=None, ge=32, description=SIZE_HELP)
    width: int | None = Field(default=None, ge=32, description=SIZE_HELP)
    steps: int = Field(default=30, ge=1, description="steps of a generation flight (workspace)")
    view_steps: tuple[int, ...] = Field(
        default=(5, 10), description="steps after the start at which view synthesis is compared (workspace)"
    )
    revisit: int = Field(
        default=0, ge=0, description="steps out along the recorded path and back to the start; 0: not flown (workspace)"
    )
    starts_per_clip: int = Field(default=3, ge=1, description="most starts per clip (workspace)")
    speed: float = Field(default=0.2, gt=0, description="autopilot's distance per step, scene units (workspace)")
    real_frames: int = Field(default=50_000, ge=2, description="most real frames per side of set distances (workspace)")
    replicates: int = Field(default=1000, ge=10, description="bootstrap draws for means over starts")
    set_replicates: int = Field(default=100, ge=10, description="bootstrap draws for distances between sets")
    time_limit_s: float = Field(
        default=4 * 3600,
        gt=0,
        description="processor time for all flights of a method, seconds; ten times that by the clock",
    )
    device: str = Field(default="auto", description="auto, cpu, cuda, mps; for feature networks and methods")
    sfm_flights: int = Field(
        default=2, ge=0, description="flights whose camera structure from motion looks for; 0: none (workspace)"
    )
    seed: int = Field(default=0, ge=0, description="of the protocol that is frozen (workspace)")

    def keyed(self) -> JsonObject:
        """Nothing: a task's inputs hold the protocol's hash and the method; no other setting changes a result.

        With another number of draws only the intervals are drawn again (:mod:`.scoring.redraw`).
        """
        return {}

    def draws(self) -> dict[str, int]:
        """The numbers of bootstrap draws, by setting."""
        return {"replicates": self.replicates, "set_replicates": self.set_replicates}


def make_protocol(workspace: Workspace, config: EvaluateConfig) -> Protocol:
    """The protocol that the config names; ``workspace`` is frozen from the workspace's clips.

    Raises:
        InputError: there is none of this name, or it is of another scoring version.
    """
    from .protocols.build import Choices, build_from_workspace
    from .protocols.protocol import load_protocol, require_current

    if config.protocol != "workspace":
        protocol = load_protocol(config.protocol)
        require_current(protocol)
        return protocol
    chosen: JsonObject = {name: getattr(config, name) for name in FROZEN}
    height, width = default_size(workspace)
    chosen |= {"height": config.height or height, "width": config.width or width}
    return build_from_workspace(workspace, Choices(**chosen))


def without_effect(config: EvaluateConfig) -> list[str]:
    """Settings that were changed, though the chosen protocol is frozen and states its own."""
    if config.protocol == "workspace":
        return []
    defaults = EvaluateConfig()
    return [name for name in ("height", "width", *FROZEN) if getattr(config, name) != getattr(defaults, name)]


def default_size(workspace: Workspace) -> tuple[int | None, int | None]:
    """Height and width at which methods are compared: the newest checkpoint's, so that nothing is enlarged."""
    from .methods.checkpoint import newest_checkpoint

    checkpoint = newest_checkpoint(workspace)
    if checkpoint and (file := workspace / checkpoint["path"] / "model.json").is_file():
        model = read_json(file).get("model", {})
        if {"height", "width"} <= set(model):
            return int(model["height"]), int(model["width"])
    rows = [row for row in workspace.rows("clips") if row["folder"]]
    if not rows:
        return None, None
    height, width = rows[0]["height"], rows[0]["width"]
    scale = min(1.0, MOST_ROWS / height)
    return round(height * scale), round(width * scale)


def tasks(workspace: Workspace, config: EvaluateConfig) -> Iterator[Task]:
    """One task per method."""
    from flythrough.errors import MissingWeights

    from .methods.checkpoint import checkpoint_of
    from .methods.code import code_hashes
    from .methods.registry import NEEDS_CHECKPOINT, find_specs

    protocol = make_protocol(workspace, config)
    if without := without_effect(config):
        log.warning("%s has its own %s: the settings have no effect", protocol.header.name, ", ".join(without))
    metrics = metric_weights()
    for spec in find_specs(config.methods):
        described = spec.model_dump(mode="json", exclude={"folder", "checkpoint"})  # files count, not where they are
        inputs: JsonObject = {"protocol": protocol.hash, "spec": described, "metrics": metrics}
        if code := code_hashes(spec):
            inputs["code"] = code
        if NEEDS_CHECKPOINT in spec.needs or spec.checkpoint is not None:
            checkpoint = None
            with suppress(MissingWeights):  # the method fails and says so; the others are scored
                checkpoint = checkpoint_of(spec, workspace)
            inputs["checkpoint"] = checkpoint and checkpoint.sha256
        yield Task(id=spec.name, inputs=inputs)


def metric_weights() -> list[str]:
    """The metric weights on this machine, part of the tasks' keys: with new weights, methods are scored again."""
    from flythrough.networks.weights import missing_files

    return [name for name in ("inception", "lpips-alex", "lpips-vgg") if not missing_files(name)]


def run(job: Job, config: EvaluateConfig) -> Outcome:
    """Generate and score one method; if it fails, its rows give the reason and it is an error."""
    from flythrough.networks.device import pick
    from flythrough.results.schema import rows_of, write_result

    from .methods.registry import MethodFailure, find_specs
    from .protocols.protocol import save_protocol
    from .protocols.source import Source
    from .scoring.redraw import RESULT_FILE, redraw
    from .scoring.score import failed
    from .scoring.tally import Settings

    workspace = Workspace(job.workspace)
    protocol = make_protocol(workspace, config)
    assert protocol.hash == job.task.inputs["protocol"]
    save_protocol(protocol, job.folder)
    spec = next(spec for spec in find_specs(config.methods) if spec.name == job.task.id)
    settings = Settings(config.replicates, config.set_replicates, str(pick(config.device)))
    file = job.folder / RESULT_FILE
    before = job.workspace / job.published
    errors: list[Row] = []
    try:
        if again(before, Outcome(), config):
            result = redraw(before, job.folder, Source(protocol, workspace), settings)
        else:
            result = _score(job, config, Source(protocol, workspace), spec, settings)
    except MethodFailure as failure:
        result = failed(spec, protocol, failure, settings)
        errors = [{"id": spec.name, "kind": failure.kind, "message": failure.message, "remedy": failure.remedy}]
    write_result(result, file)
    return Outcome(rows=rows_of(result, job.path_of(file)), errors=errors)


def _score(job: Job, config: EvaluateConfig, source: Source, spec: Spec, settings: Settings) -> Result:
    from flythrough.errors import MissingWeights
    from flythrough.results.methods import Setting

    from .generation.generate import generate
    from .methods.checkpoint import checkpoint_of
    from .methods.registry import NEEDS_CHECKPOINT, REAL, MethodFailure
    from .protocols.leakage import refuse_trained_on
    from .scoring.score import score

    if spec.name == REAL:
        return score(spec, source, None, settings, {}, job.folder)
    try:
        checkpoint = checkpoint_of(spec, Workspace(job.workspace))
    except MissingWeights as error:
        raise MethodFailure(error.message, remedy=error.remedy) from error
    if checkpoint is None and NEEDS_CHECKPOINT in spec.needs:
        raise MethodFailure(
            "the workspace has no checkpoint",
            remedy="Run: flythrough train; the model in the package is the method flythrough-coast-v1",
        )
    if checkpoint is not None:
        refuse_trained_on(source, checkpoint.folder)
    weights = {"method": checkpoint.sha256} if checkpoint else {}
    header = source.protocol.header
    setting = Setting(
        header.name,
        header.height,
        header.width,
        source.protocol.longest_flight,
        settings.device,
        checkpoint.folder if checkpoint else None,
    )
    began = time.monotonic()
    frames = generate(spec, source, job.folder, setting, config.time_limit_s)
    took = round(time.monotonic() - began, 3)
    result = score(spec, source, frames, settings, weights, job.folder)
    return result.model_copy(update={"seconds": {"generate": took, **result.seconds}})


def again(folder: Path, outcome: Outcome, config: EvaluateConfig) -> bool:
    """Whether a scored method's intervals must be drawn again, with another number of draws."""
    from .scoring.draws import draws_differ

    return draws_differ(folder, config.draws())


def finish(outcome: Outcome, workspace: Workspace, config: EvaluateConfig) -> Outcome:
    """Add handed-in results, and update the report."""
    from .report.page import update_report
    from .scoring.handed_in import handed_in_rows

    rows = [*outcome.rows, *handed_in_rows(workspace, outcome.rows)]
    if rows:
        update_report(workspace, rows)
    return Outcome(rows=rows, drops=outcome.drops, errors=outcome.errors, others=outcome.others)


STAGE = Stage(
    name="evaluate",
    version=4,
    table="results",
    config=EvaluateConfig,
    tasks=tasks,
    run=run,
    finish=finish,
    again=again,
    resources=lambda config: Resources(gpus=float(config.device == "cuda"), memory_gb=2.0),
    resumable=True,
)
