"""Verify a downloaded file, tone-map HDR, apply the rules and compute its perceptual hash."""

from __future__ import annotations

import os
from dataclasses import replace
from pathlib import Path

from flythrough.media.video_reader import HDR_TRANSFERS
from flythrough.workspace.files import JsonObject

from ..config import Verify
from ..fetch.store import Provenance
from ..rules import Candidate, Rejected, Rules, check
from .integrity import Facts, format_errors, verify
from .likeness import perceptual_hash


def examine(
    video: Path, name: str, provenance: Provenance, config: Verify, rules: Rules | None
) -> tuple[JsonObject, Provenance, list[str]]:
    """Measure all that the table ``videos`` holds on a file.

    Args:
        video: the file; an HDR one is replaced by its SDR version if the settings say so.
        name: what messages call it.
        provenance: where it came from.
        config: how thoroughly to check, and what to do with HDR.
        rules: those that apply to it, if any.

    Returns:
        Columns, the provenance with what was done to the file, and why rules that only score would drop it.

    Raises:
        FetchError: it is not a complete video.
        Rejected: a rule drops it.
    """
    facts = verify(video, name, config)
    if facts.info.color_transfer in HDR_TRANSFERS:
        facts, provenance = _without_hdr(video, name, facts, provenance, config)
    scored = [] if rules is None else check(_candidate(facts, provenance), rules, final=True)
    with format_errors(video, name):  # a long video was decoded only in part so far
        likeness = perceptual_hash(video, facts.start_us, facts.duration_us)
    return {**facts.columns(), "perceptual_hash": likeness}, provenance, scored


def _without_hdr(
    video: Path, name: str, facts: Facts, provenance: Provenance, config: Verify
) -> tuple[Facts, Provenance]:
    transfer = facts.info.color_transfer
    if config.hdr == "refuse":
        raise Rejected("hdr", {"color_transfer": transfer})
    from .tonemap import CHAIN, tonemap

    converted = video.with_name("tonemapped.mp4")
    tonemap(video, converted)
    os.replace(converted, video)
    note = {"tonemap": f"{transfer} to bt709: {CHAIN}", "original_sha256": facts.sha256}
    return verify(video, name, config), replace(provenance, tools={**(provenance.tools or {}), **note})


def _candidate(facts: Facts, provenance: Provenance) -> Candidate:
    return Candidate(
        title=provenance.title,
        description=provenance.description,
        duration_s=facts.duration_us / 1e6,
        width=facts.info.width,
        height=facts.info.height,
        license=provenance.license,
        uploaded=provenance.uploaded,
    )
