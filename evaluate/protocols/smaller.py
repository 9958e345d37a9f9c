"""A smaller protocol for a first try: fewer starts, shorter flights, the same real frames."""

from __future__ import annotations

import numpy as np

from flythrough.errors import InputError
from flythrough.workspace.catalog import Workspace

from .protocol import Index, Protocol
from .real_frames import by_clip
from .source import Source


def smaller(
    protocol: Protocol,
    workspace: Workspace,
    *,
    starts: int | None = None,
    steps: int | None = None,
    sfm_flights: int | None = None,
) -> Protocol:
    """A protocol called ``NAME-try`` with some of the starts, spread evenly, and flights of ``steps`` steps.

    Its real side and floor are those of the whole protocol, so that distances are taken to as many real frames.

    Raises:
        InputError: nothing would be flown, planned flights are shorter than ``steps``, or clips are missing.
    """
    flown = protocol.starts
    count = len(flown) if starts is None else min(starts, len(flown))
    generation = protocol.header.generation
    steps = generation.steps if steps is None else steps
    if count < 1 or steps < 1:
        raise InputError("A try needs at least one start and one step", remedy="Give starts=1, steps=1 or more")
    if any(start.plan is not None and len(start.plan) <= steps for start in flown):
        raise InputError(
            f"The planned flights of {protocol.name} are shorter than {steps} steps", remedy="Give a smaller steps="
        )
    chosen = [flown[place] for place in np.linspace(0, len(flown) - 1, count).round().astype(int)]
    chosen = [start.model_copy(update={"plan": start.plan and start.plan[: steps + 1]}) for start in chosen]
    reference, floor = Source(protocol, workspace).real_sets()
    looked_for = generation.sfm_flights if sfm_flights is None else sfm_flights
    header = protocol.header.model_copy(
        update={
            "name": f"{protocol.name}-try",
            "about": f"A small try of {protocol.name}: {count} starts, flights of {steps} steps",
            "generation": generation.model_copy(update={"steps": steps, "sfm_flights": looked_for}),
        }
    )
    index = Index(starts=tuple(chosen), reference=by_clip(reference), floor=by_clip(floor))
    return Protocol(header=header, index=index)
