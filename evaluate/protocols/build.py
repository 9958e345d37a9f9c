"""Freezing a protocol: from a workspace's clips, or from the public index over ACID's test clips."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from pydantic import Field

from flythrough.errors import InputError
from flythrough.scene.clips import Clip, load_clips
from flythrough.workspace.catalog import Workspace
from flythrough.workspace.files import read_json
from flythrough.workspace.stage import Section

from .plan import with_plans
from .protocol import Generation, Header, Index, Protocol, Sets, Start, ViewSynthesis
from .real_frames import split_real
from .recipe import Recipe


class Choices(Section):
    """Settings of a protocol that is built from a workspace."""

    height: int | None = Field(default=None, ge=32, description="pixels of every frame; not set: the first clip's")
    width: int | None = Field(default=None, ge=32, description="pixels of every frame; not set: the first clip's")
    steps: int = Field(default=30, ge=1, description="steps per generation flight")
    view_steps: tuple[int, ...] = Field(default=(5, 10), description="steps at which view synthesis is compared")
    revisit: int = Field(default=0, ge=0, description="steps out along the recorded path and back; 0: not flown")
    starts_per_clip: int = Field(default=4, ge=1, description="most starts per clip, spread evenly")
    speed: float = Field(default=0.2, gt=0, description="the autopilot's distance per step, scene units")
    flight: str = Field(default="autopilot", pattern="^(autopilot|plan)$", description="who steers: autopilot or plan")
    real_frames: int = Field(default=50_000, ge=2, description="most real frames per side of set distances")
    sfm_flights: int = Field(default=10, ge=0, description="flights whose camera structure from motion looks for")
    seed: int = Field(default=0, description="of the draw of real frames and of the methods' seeds")


def build_from_workspace(workspace: Workspace, choices: Choices, name: str = "workspace-v1") -> Protocol:
    """Freeze the workspace's test clips; if it has none, all its clips, with ``held_out`` false.

    Raises:
        InputError: it has no clip with frames and disparity.
    """
    test = load_clips(workspace, "test")
    clips = test or load_clips(workspace)
    if not clips:
        raise InputError(f"{workspace.root} has no clips with frames and disparity", remedy="Run: flythrough sfm")
    hashes = {row["id"]: row["sha256"] for row in workspace.rows("clips")}
    header = Header(
        name=name,
        about=f"{'Test clips' if test else 'All clips, none held out,'} of a workspace",
        held_out=bool(test),
        height=choices.height or clips[0].height,
        width=choices.width or clips[0].width,
        seed=choices.seed,
        view_synthesis=ViewSynthesis(steps=choices.view_steps, revisit=choices.revisit),
        generation=Generation(
            steps=choices.steps,
            speed=choices.speed,
            flight=choices.flight,  # type: ignore[arg-type]
            sfm_flights=choices.sfm_flights,
        ),
        sets=Sets(reference_frames=choices.real_frames, floor_frames=choices.real_frames),
    )
    starts = [start for clip in clips for start in _starts_of(clip, hashes[clip.id], choices)]
    videos = {clip.id: clip.video_id for clip in clips}
    reference, floor = split_real({clip.id: len(clip) for clip in clips}, videos, header)
    protocol = Protocol(header=header, index=Index(starts=tuple(starts), reference=reference, floor=floor))
    return with_plans(protocol, workspace) if choices.flight == "plan" else protocol


def _starts_of(clip: Clip, sha256: str, choices: Choices) -> list[Start]:
    """Starts spread over a clip, so that the recorded path after each is as long as the clip allows."""
    longest = max(choices.view_steps, default=0)
    last = max(len(clip) - 1 - longest * clip.steps, 0)
    found = []
    for frame in dict.fromkeys(np.linspace(0, last, choices.starts_per_clip).round().astype(int).tolist()):
        recorded = range(frame + clip.steps, len(clip), clip.steps)[:longest]
        poses = clip.cameras.poses[[frame, *recorded]].reshape(-1, 12)
        found.append(
            Start(
                clip=clip.id,
                frame=frame,
                sha256=sha256,
                recorded=tuple(recorded),
                intrinsics=tuple(clip.cameras.intrinsics[frame].tolist()),
                poses=tuple(tuple(pose) for pose in poses.tolist()),
            )
        )
    return found


ACID_NULL = "null in the public index: the clip has no pair of frames with the overlap it asks for"


def build_from_acid_index(file: Path, *, generation_starts: int = 700, steps: int = 100, seed: int = 0) -> Protocol:
    """Freeze acid-v1 from the public evaluation index over ACID's test clips (pixelSplat's, MIT).

    With other ``steps`` than 100 its name is acid-v1-STEPS.
    A start is the first context frame of a clip; clips that are null there stay, as explicit nulls.
    """
    index = read_json(file)
    if not isinstance(index, dict) or not all(e is None or {"context", "target"} <= set(e) for e in index.values()):
        raise InputError(f"{file} is not the public ACID index", remedy="Give pixelSplat's evaluation_index_acid.json")
    usable = sorted(key for key, entry in index.items() if entry is not None)
    drawn = np.random.default_rng(seed).permutation(len(usable))[:generation_starts]
    flown = {usable[i] for i in drawn}
    starts = [
        Start(clip=key, frame=None, why=ACID_NULL, generation=False)
        if index[key] is None
        else Start(clip=key, frame=min(index[key]["context"]), generation=key in flown)
        for key in sorted(index)
    ]
    header = Header(
        name="acid-v1" if steps == 100 else f"acid-v1-{steps}",
        about=f"ACID's public test index: {len(usable)} clips; {len(flown)} starts for flights",
        held_out=True,
        height=128,
        width=128,
        seed=seed,
        generation=Generation(steps=steps),
    )
    return Protocol(header=header, index=Index(starts=tuple(starts), reference=None, floor=None))


SAMPLE_V2 = Recipe(first_island=90_000, islands=24, frames=48)  # below every training island (train/data/islands.py)


def build_from_recipe(recipe: Recipe, name: str, *, steps: int = 100, revisit: int = 10) -> Protocol:
    """Freeze a protocol on islands that are filmed as ``recipe`` says, from the recipe alone: sample-v2.

    A flight starts at the first frame of each island. Every other island's frames are the real side of set distances,
    those of the others the floor's: no island is on both.
    """
    clips = [clip for clip, _, _ in recipe.takes()]
    view = ViewSynthesis(revisit=revisit)
    recorded = tuple(range(1, view.longest + 1))
    every = tuple(range(recipe.frames))
    index = Index(
        starts=tuple(Start(clip=clip, frame=0, recorded=recorded) for clip in clips),
        reference=dict.fromkeys(clips[::2], every),
        floor=dict.fromkeys(clips[1::2], every),
    )
    header = Header(
        name=name,
        about=f"The sample world: {len(clips)} islands that no model of this package is trained on, true poses",
        held_out=True,
        height=160,
        width=256,
        view_synthesis=view,
        generation=Generation(steps=steps),
        recipe=recipe,
    )
    return Protocol(header=header, index=index)
