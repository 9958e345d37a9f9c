"""Which device to compute on."""

from __future__ import annotations

import torch

from ..errors import ConfigError


def pick(name: str = "auto") -> torch.device:
    """The device called ``name``; ``"auto"`` is CUDA, else Apple's MPS, else the CPU.

    Raises:
        ConfigError: that device is not here.
    """
    if name == "auto":
        if torch.cuda.is_available():
            return torch.device("cuda")
        return torch.device("mps" if torch.backends.mps.is_available() else "cpu")
    kind = name.partition(":")[0]
    here = {"cpu": True, "cuda": torch.cuda.is_available(), "mps": torch.backends.mps.is_available()}
    if not here.get(kind, False):
        available = ", ".join(["auto", *(k for k, v in here.items() if v)])
        raise ConfigError(f"Device {name!r} is not on this machine", remedy=f"Use one of: {available}")
    return torch.device(name)
