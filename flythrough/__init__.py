"""Flythrough: from drone videos to scored endless flights (Infinite Nature, rebuilt).

As a library, ``import flythrough as ft`` offers six doors, each loaded when it is first used:

- ``ft.open(path)``: a workspace's tables as data frames, and its clips;
- ``ft.load_clip(folder)``: one clip's frames, poses and disparity;
- ``ft.render(...)``: the picture warped to another camera;
- ``ft.fly(photo, ...)``: the frames of a flight into a picture;
- ``ft.evaluate(method, protocol)``: scores of methods, as tables and files;
- ``ft.compare(results)``: which of them are better, by paired differences.

See docs/library.md.
"""

from importlib import import_module
from typing import TYPE_CHECKING

from .errors import extras_named, installed_version

if TYPE_CHECKING:
    __version__: str
    from .evaluate.library import evaluate  # type: ignore[import-not-found]  # its folder lies beside this one
    from .rendering.render import render
    from .results.library import compare
    from .scene.library import load_clip
    from .scene.library import open_workspace as open
    from .train.fly.library import fly  # type: ignore[import-not-found]

__all__ = ["__version__", "compare", "evaluate", "fly", "load_clip", "open", "render"]

_DOORS = {
    "compare": ("results.library", "compare"),
    "fly": ("train.fly.library", "fly"),
    "load_clip": ("scene.library", "load_clip"),
    "open": ("scene.library", "open_workspace"),
    "render": ("rendering.render", "render"),
}


def __getattr__(name: str) -> object:
    if name == "evaluate":  # the stage's package, which can be called
        return import_module(".evaluate", __name__)
    if name == "__version__":
        return installed_version()
    if name not in _DOORS:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    module, attribute = _DOORS[name]
    with extras_named(f"flythrough.{name}"):
        return getattr(import_module(f".{module}", __name__), attribute)


def __dir__() -> list[str]:
    return sorted(__all__)
