"""evaluate/: long flights of any method, scored, and whether they follow their camera.

The package itself can be called, as ``ft.evaluate(method, protocol)``: a package and a function of the same name
cannot both be attributes of ``flythrough``. See :func:`.library.evaluate`.
"""

import sys
from types import ModuleType
from typing import Any


class _Callable(ModuleType):
    def __call__(self, *args: Any, **options: Any) -> Any:
        from .library import evaluate

        return evaluate(*args, **options)


sys.modules[__name__].__class__ = _Callable
