"""Export of a workspace's leaderboard to files, by format."""

from __future__ import annotations

import json
import re
from pathlib import Path

from flythrough.errors import ConfigError, InputError
from flythrough.workspace.catalog import Workspace
from flythrough.workspace.files import write_text

from ..standing.gather import gather
from ..standing.holdings import as_jsonl, holdings
from .bibtex import as_bibtex
from .feed import as_atom
from .grid import grids
from .records import every_eval_ever, hugging_face, measured_results
from .tables import as_csv, as_latex, as_markdown

FORMATS = ("csv", "latex", "markdown", "bibtex", "starts", "atom", "every-eval-ever", "huggingface")


def exported(
    workspace: Workspace,
    format: str,
    *,
    organization: str = "unknown",
    dataset: str = "",
    source_url: str = "",
    base_url: str = "",
) -> dict[str, str]:
    """The files of one format: their texts by path, the same for the same results.

    Args:
        workspace: with results.
        format: one of :data:`FORMATS`.
        organization: who runs the leaderboard (every-eval-ever).
        dataset: benchmark dataset on the Hub, OWNER/NAME (huggingface).
        source_url: address of the leaderboard (huggingface).
        base_url: address of the page (atom); empty: links are relative.

    Raises:
        ConfigError: an unknown format, a missing dataset, or a base URL that is not an http(s) URL.
        InputError: there are no results.
    """
    if format not in FORMATS:
        raise ConfigError(f"{format!r} is not a format", remedy=f"Use one of {', '.join(FORMATS)}")
    if format == "huggingface" and not re.fullmatch(r"[\w.-]+/[\w.-]+", dataset):
        raise ConfigError("huggingface needs a benchmark dataset", remedy="Give --dataset OWNER/NAME")
    standing = gather(workspace)
    boards, reported = standing.protocols, standing.reported
    if format == "csv":
        return {"leaderboard.csv": as_csv(boards, reported)}
    if format == "latex":
        return {"leaderboard.tex": as_latex(grids(boards, reported))}
    if format == "markdown":
        return {"leaderboard.md": as_markdown(grids(boards, reported))}
    if format == "bibtex":
        results = [*standing.results.values(), *standing.claims.values()]
        return {"methods.bib": as_bibtex([each for found in results for each in found], reported)}
    if format == "starts":
        return {"starts.jsonl": as_jsonl(holdings(workspace)).decode()}
    if format == "atom":
        return {"feed.xml": as_atom(holdings(workspace), base_url=base_url)}
    measured = measured_results(workspace)
    if not measured:
        raise InputError(f"{workspace.root} has no scored method", remedy="Run flythrough evaluate first")
    if format == "huggingface":
        return dict(hugging_face(each, dataset, source_url) for each in measured)
    records = [every_eval_ever(each, organization) for each in measured]
    return {path: json.dumps(record, indent=1, allow_nan=False) + "\n" for path, record in records}


def write_export(files: dict[str, str], folder: Path) -> list[Path]:
    """Write the files below a folder; returns their paths."""
    for path, text in files.items():
        (folder / path).parent.mkdir(parents=True, exist_ok=True)
        write_text(folder / path, text)
    return [folder / path for path in files]
