"""Tables from papers, each with its citation and setting, shown apart and never ranked with measured results."""

from __future__ import annotations

from importlib.resources import files
from typing import Literal

from pydantic import Field, model_validator

from flythrough.workspace.files import JsonObject
from flythrough.workspace.stage import Section

DAGGER = "\u2020"  # after the name of a method whose numbers were not measured here


class Paper(Section):
    """Where numbers were printed."""

    key: str = Field(pattern="^[a-z0-9]+$", description="of its BibTeX entry")
    authors: tuple[str, ...] = Field(min_length=1, description="given name first")
    title: str = Field(min_length=1, description="in full")
    year: int = Field(description="of the first version")
    arxiv: str = Field(pattern=r"^\d{4}\.\d{5}$", description="identifier")
    venue: str = Field(default="", description="where it appeared besides")
    url: str = Field(pattern="^https://", description="where the numbers can be read")

    @property
    def citation(self) -> str:
        """In one line: ``Li et al. 2022 (arXiv 2207.11148)``."""
        first = self.authors[0].split()[-1]
        return f"{first}{' et al.' if len(self.authors) > 1 else ''} {self.year} (arXiv {self.arxiv})"


class Column(Section):
    """One metric, under the name that the paper gives it."""

    name: str = Field(description="as printed; it need not be our metric of that name")
    better: Literal["lower", "higher"] = Field(description="which values are better")


class ReportedRow(Section):
    """One method."""

    method: str = Field(description="as the paper calls it")
    values: tuple[float | None, ...] = Field(description="one value per column; null: not printed")
    note: str = Field(default="", description="what the paper says of it")


class ReportedTable(Section):
    """One table of a paper."""

    id: str = Field(pattern="^[a-z0-9-]+$", description="for links")
    dataset: str = Field(description="what was flown")
    where: str = Field(description="which table of the source")
    setting: str = Field(description="frames, sizes, scales: what must be known to read the numbers")
    source: Paper = Field(description="who printed it")
    columns: tuple[Column, ...] = Field(min_length=1, description="metrics")
    rows: tuple[ReportedRow, ...] = Field(min_length=1, description="methods")

    @model_validator(mode="after")
    def _complete(self) -> ReportedTable:
        for row in self.rows:
            if len(row.values) != len(self.columns):
                raise ValueError(f"{row.method} has {len(row.values)} values for {len(self.columns)} columns")
        return self


class _File(Section):
    tables: tuple[ReportedTable, ...]


def reported_tables() -> tuple[ReportedTable, ...]:
    """The tables shipped in ``reported.json``, in its order."""
    text = (files("flythrough.leaderboard") / "reported.json").read_text(encoding="utf-8")
    return _File.model_validate_json(text).tables


def reported_json(tables: tuple[ReportedTable, ...]) -> JsonObject:
    """The tables as the page's data file holds them."""
    return {"tables": [table.model_dump(mode="json") for table in tables]}
