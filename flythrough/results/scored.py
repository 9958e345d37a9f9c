"""What ``ft.evaluate`` returns: the scores of methods on one protocol, as tables and as files."""

from __future__ import annotations

import shutil
from collections.abc import Iterable
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING

from ..errors import extras_named
from ..workspace.catalog import TABLES, Row, Workspace
from .paired import replicates_by_key
from .schema import Result, read_result, rows_of, write_result
from .standings import standings

if TYPE_CHECKING:
    import pandas as pd


@dataclass(frozen=True, repr=False)
class Results:
    """Scores of methods on one protocol. Printed, it is the ranking.

    Attributes:
        workspace: the folder where flights and scores were made.
        records: by ``results.json`` relative to it, one per method: everything that is known.
    """

    workspace: Path
    records: dict[str, Result]

    @classmethod
    def of(cls, workspace: Workspace, methods: Iterable[str]) -> Results:
        """The results of these methods in the table of a workspace, in this order."""
        files = {row["method"]: row["results_file"] for row in workspace.rows("results") if row["results_file"]}
        records = {files[name]: read_result(workspace / files[name]) for name in methods}
        return cls(workspace.root.absolute(), records)

    @property
    def files(self) -> list[Path]:
        """Each method's ``results.json``."""
        return [self.workspace / file for file in self.records]

    @cached_property
    def table(self) -> pd.DataFrame:
        """One row per method, metric and step, with the columns of table ``results`` (docs/workspace.md)."""
        with extras_named("A data frame"):
            import pandas as pd

        frame = pd.DataFrame(self._rows(), columns=list(TABLES["results"]))
        frame.attrs["workspace"] = str(self.workspace)
        return frame

    @cached_property
    def starts(self) -> pd.DataFrame:
        """Raw values behind the means: one row per method, start, metric and step (missing: all)."""
        with extras_named("A data frame"):
            import pandas as pd

        rows = [
            (result.method.name, start, metric, int(step) if step else None, value)
            for result in self.records.values()
            for start, values in result.starts.items()
            for name, value in values.items()
            for metric, _, step in [name.partition("@")]
        ]
        return pd.DataFrame(rows, columns=["method", "start", "metric", "step", "value"])

    def save(self, folder: Path | str, *, frames: bool = False) -> list[Path]:
        """Write ``METHOD/results.json`` and the protocol's two files beside it, one folder per method.

        ``flythrough leaderboard --workspace FOLDER`` makes a site of it, ``flythrough leaderboard pack FOLDER/METHOD``
        a submission, and ``ft.compare(FOLDER)`` compares the methods.

        Args:
            folder: made if it is not there; earlier results of the same methods are replaced.
            frames: also copy the frames (``METHOD/frames``), which a submission needs for its scores to be verified.

        Returns:
            The results files.
        """
        saved = []
        for file, result in self.records.items():
            made, target = (self.workspace / file).parent, Path(folder) / result.method.name
            target.mkdir(parents=True, exist_ok=True)
            for end in (".toml", ".json"):
                if (known := made / f"{result.protocol.name}{end}").is_file():
                    shutil.copyfile(known, target / known.name)
            if frames and (made / "frames").is_dir():
                shutil.copytree(made / "frames", target / "frames", dirs_exist_ok=True)
            write_result(result, target / "results.json")
            saved.append(target / "results.json")
        return saved

    def __repr__(self) -> str:
        return "\n".join(standings(self._rows(), replicates_by_key(self.records.values())))

    def _rows(self) -> list[Row]:
        return [row for file, result in self.records.items() for row in rows_of(result, file)]
