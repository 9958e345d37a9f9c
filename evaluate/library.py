"""Scores from Python: ``ft.evaluate(workspace, methods)`` runs the stage and returns its table."""

from __future__ import annotations

import inspect
import json
from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING

import tomlkit

from flythrough.errors import FlythroughError, InputError
from flythrough.workspace.catalog import Workspace
from flythrough.workspace.config import load_config
from flythrough.workspace.executor import make_executor
from flythrough.workspace.files import write_text
from flythrough.workspace.pipeline import run_stages

if TYPE_CHECKING:
    import pandas as pd

Setting = str | int | float | bool | list[str] | tuple[str, ...]


def evaluate(workspace: Path | str, methods: str | type | Iterable[str | type], **settings: Setting) -> pd.DataFrame:
    """Fly methods on a protocol and score the flights, as ``flythrough evaluate`` does.

    Flights and scores that exist already are not made again.

    Args:
        workspace: its folder; its test clips are the protocol unless ``protocol`` names another.
        methods: one or several: names as in ``flythrough evaluate methods``, paths of ``.toml`` specs, or classes with
            ``setup`` and ``generate`` (docs/evaluate.md), which are imported from their own file.
        settings: any setting of section ``[evaluate]``, such as ``steps=100`` or ``protocol="sample-v1"``.

    Returns:
        The table ``results`` of these methods: one row per method, metric and step.

    Raises:
        InputError: not a workspace, or a method that cannot be found.
        FlythroughError: a method failed; its message and remedy.
    """
    opened = Workspace(workspace)
    if not opened.exists():
        raise InputError(f"{workspace} is not a workspace", remedy="Make one: flythrough run --input ... --workspace W")
    chosen = [methods] if isinstance(methods, (str, type)) else methods
    names = [_spec(opened, each) if isinstance(each, type) else each for each in chosen]
    given = [f"evaluate.{key}={json.dumps(value)}" for key, value in {"methods": names, **settings}.items()]
    with opened.locked():
        config = load_config(opened.config_file, given)
        for report in run_stages(opened, config, make_executor("local"), only="evaluate"):
            if report.errors:
                first = report.errors[0]
                raise FlythroughError(
                    f"{first['id']}: {first['message']}", remedy=first["remedy"], kind=str(first["kind"])
                )
    return opened.read("results")


def _spec(workspace: Workspace, method: type) -> str:
    """Write the spec of a class into the workspace; returns its path."""
    source = inspect.getsourcefile(method)
    if source is None or "<locals>" in method.__qualname__:
        raise InputError(
            f"{method.__name__} is not in a file", remedy="Define the class at the top level of a .py file"
        )
    file = Path(source).absolute()
    name = method.__name__.lower()
    spec = {"name": name, "entry_point": f"{file.stem}:{method.__qualname__}", "folder": str(file.parent)}
    path = workspace / "methods" / f"{name}.toml"
    write_text(path, tomlkit.dumps(spec))
    return str(path)
