"""The processes that train together: one alone, or several started by ``torchrun`` or ``accelerate launch``."""

from __future__ import annotations

import os
from collections.abc import Iterable, Sequence

import torch
from torch import Tensor

from flythrough.errors import FlythroughError
from flythrough.networks.device import pick


class ProcessGroup:
    """This process's rank among the processes, and means over all of them.

    Args:
        device: as in :func:`flythrough.networks.device.pick`; with several processes, CUDA is this one's own GPU.
    """

    def __init__(self, device: str = "auto") -> None:
        self.size = int(os.environ.get("WORLD_SIZE", "1"))
        self.rank = 0
        self.device = pick(device)
        if self.size > 1:
            from accelerate import PartialState

            state = PartialState(cpu=self.device.type == "cpu")
            self.size, self.rank = state.num_processes, state.process_index
            if self.device.type == "cuda":
                self.device = state.device

    @property
    def leads(self) -> bool:
        """Whether this process writes the files."""
        return self.rank == 0

    def mean_(self, tensors: Sequence[Tensor]) -> None:
        """Replace tensors (of one dtype) by their means over the processes, in one message."""
        if self.size == 1:
            return
        from accelerate.utils import reduce

        joined = torch.cat([x.reshape(-1) for x in tensors])
        joined = reduce(joined, reduction="mean")
        offset = 0
        for x in tensors:
            x.copy_(joined[offset : offset + x.numel()].view_as(x))
            offset += x.numel()

    def any(self, flag: bool) -> bool:
        """Whether ``flag`` is true in any process."""
        value = torch.tensor([float(flag)], device=self.device)
        self.mean_([value])
        return bool(value.item() > 0)

    def check_same(self, name: str, tensors: Iterable[Tensor]) -> None:
        """Check that all processes have the same numbers.

        Raises:
            FlythroughError: they have not.
        """
        total = torch.stack([x.detach().double().sum() for x in tensors]).sum().reshape(1)
        if total.device.type == "mps":
            return
        mean = total.clone()
        self.mean_([mean])
        if not torch.allclose(mean, total, rtol=1e-12, atol=1e-9):
            raise FlythroughError(
                f"The processes hold different {name}", remedy="Start all of them with the same files"
            )
