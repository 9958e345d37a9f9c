"""Scores from Python: ``ft.evaluate(method, protocol)`` flies and scores, and returns a :class:`Results`."""

from __future__ import annotations

import inspect
import os
import sys
from collections.abc import Iterable
from contextlib import ExitStack
from multiprocessing import current_process
from pathlib import Path
from typing import Any

import tomlkit

from flythrough.errors import FlythroughError, InputError
from flythrough.results.scored import Results
from flythrough.workspace.catalog import Workspace
from flythrough.workspace.config import load_config, setting_of
from flythrough.workspace.executor import make_executor
from flythrough.workspace.files import write_text
from flythrough.workspace.pipeline import run_stages

Setting = str | int | float | bool | list[str] | tuple[str, ...]
Given = dict[str, Any]
_HOST = "flythrough.evaluate.generation.host"


def evaluate(
    method: object,
    protocol: Path | str = "workspace",
    *,
    workspace: Path | str | None = None,
    starts: int | None = None,
    steps: int | None = None,
    sfm_flights: int | None = None,
    **settings: Setting,
) -> Results:
    """Fly a method on a protocol and score its flights, as ``flythrough evaluate`` does.

    Flights and scores that exist already in the workspace are not made again, except those of an instance.

    Args:
        method: one or several (a list) of: a class with ``setup`` and ``generate`` (docs/evaluate.md), which is
            imported from its file in a process of its own; an instance, or a class that is in no file, which flies in
            this process; a name as in ``flythrough evaluate methods``; the path of a ``.toml`` spec.
        protocol: ``sample-v1``, another shipped name, the path of a protocol's ``.toml``, or ``workspace``: the
            workspace's own test clips.
        workspace: the folder with the protocol's clips, where frames and scores are kept. By default, for a protocol
            of the sample world, a folder in the user's cache, where its clips are filmed at the first call.
        starts: for a small try, how many of the protocol's starts, spread evenly over them.
        steps: for a small try, steps of a generation flight.
        sfm_flights: for a small try, flights whose camera structure from motion looks for; 0: none. With any of the
            three the protocol is another one, called ``NAME-try`` unless it is the workspace's, so that its scores are
            never ranked with those of the whole.
        settings: any other setting of section ``[evaluate]``, such as ``device="cuda"``.

    Raises:
        InputError: not a workspace, or a method or protocol that cannot be found.
        FlythroughError: a method failed; its message and remedy.
    """
    _refuse_inside_a_method()
    opened = _workspace(workspace, str(protocol))
    named, given = _methods(opened, method)
    less = {"starts": starts, "steps": steps, "sfm_flights": sfm_flights}
    with opened.locked(), ExitStack() as stack:
        chosen = _protocol(opened, str(protocol), {key: n for key, n in less.items() if n is not None}, settings)
        config = _config(opened, {"methods": named, **settings, **chosen})
        if given:
            from .methods.registry import held

            stack.enter_context(held(given))
        # An instance exists in this process only.
        executor = make_executor("inline" if given else "local")
        for report in run_stages(opened, config, executor, only="evaluate"):
            if report.errors:
                first = report.errors[0]
                raise FlythroughError(
                    f"{first['id']}: {first['message']}", remedy=first["remedy"], kind=str(first["kind"])
                )
        return Results.of(opened, _names(named))


def _refuse_inside_a_method() -> None:
    """The caller's file is imported by workers, and where a class flies: evaluating there would never end."""
    spec = getattr(sys.modules["__main__"], "__spec__", None)
    starting = getattr(current_process(), "_inheriting", False)  # as multiprocessing itself tells it
    if starting or (spec is not None and spec.name == _HOST):
        raise InputError(
            "ft.evaluate was called while another process imported this file",
            remedy='Put the call below: if __name__ == "__main__":',
        )


def _workspace(folder: Path | str | None, protocol: str) -> Workspace:
    """The workspace of the clips; of a sample protocol without one, that of the user's cache, filmed if need be."""
    if folder is not None:
        opened = Workspace(folder)
        if not opened.exists():
            remedy = "Make one: flythrough run --input ... --workspace W, or flythrough evaluate protocol film"
            raise InputError(f"{folder} is not a workspace", remedy=remedy)
        return opened
    from .protocols.sample_clips import FILMED, film_protocol

    if protocol not in FILMED:
        raise InputError(f"The clips of protocol {protocol} are not known", remedy="Give their folder: workspace=...")
    cache = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache")
    opened = Workspace(cache / "flythrough" / "protocols" / protocol)
    with opened.locked():
        if not opened.has("clips"):
            film_protocol(opened, protocol)
    return opened


def _protocol(opened: Workspace, protocol: str, less: dict[str, int], settings: dict[str, Setting]) -> Given:
    """Settings that name the protocol: the whole one, or a smaller one that is frozen into the workspace."""
    if protocol == "workspace" and "starts" not in less:
        return {"protocol": protocol, **less}
    if not less:
        return {"protocol": protocol}
    from .protocols.protocol import save_protocol
    from .protocols.smaller import smaller
    from .stage import EvaluateConfig, make_protocol

    config = _config(opened, {**settings, "protocol": protocol})["evaluate"]
    assert isinstance(config, EvaluateConfig)
    made = smaller(make_protocol(opened, config), opened, **less)
    return {"protocol": str(save_protocol(made, opened / "protocols"))}


def _config(opened: Workspace, settings: Given) -> dict[str, Any]:
    given = [setting_of(f"evaluate.{key}", value) for key, value in settings.items()]
    return load_config(opened.config_file, given)


def _methods(opened: Workspace, methods: object) -> tuple[list[str], dict[str, object]]:
    """Names and spec files of methods, and the instances among them by name."""
    named: list[str] = []
    given: dict[str, object] = {}
    for each in methods if isinstance(methods, Iterable) and not isinstance(methods, (str, type)) else [methods]:
        if isinstance(each, (str, Path)):
            named.append(str(each))
            continue
        kind = each if isinstance(each, type) else type(each)
        name = kind.__name__.lower().strip("_")
        for needed in ("setup", "generate"):
            if not callable(getattr(each, needed, None)):
                raise InputError(f"{kind.__name__} has no {needed}()", remedy="See docs/evaluate.md, Bring a method")
        if isinstance(each, type) and _in_file(each):
            named.append(_spec(opened, each, name))
        else:
            named.append(name)
            given[name] = each() if isinstance(each, type) else each
    return named, given


def _in_file(method: type) -> bool:
    """Whether another process can import the class; not one of a function, a notebook or an interactive session."""
    try:
        source = inspect.getsourcefile(method)
    except (OSError, TypeError):
        return False
    return source is not None and Path(source).suffix == ".py" and "<locals>" not in method.__qualname__


def _spec(workspace: Workspace, method: type, name: str) -> str:
    """Write the spec of a class into the workspace; returns its path."""
    file = Path(str(inspect.getsourcefile(method))).absolute()
    spec = {"name": name, "entry_point": f"{file.stem}:{method.__qualname__}", "folder": str(file.parent)}
    path = workspace / "methods" / f"{name}.toml"
    write_text(path, tomlkit.dumps(spec))
    return str(path)


def _names(named: list[str]) -> list[str]:
    from .methods.registry import find_specs

    return [spec.name for spec in find_specs(named)]
