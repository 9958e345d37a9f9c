"""Gradients of a step in several passes, summed in an order that does not depend on which process takes which."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn

from ..model.layers import normalise


class Parameters:
    """The tensors that one step differentiates by: a network's weights, with spectral kernels in place of theirs.

    The kernels are made once (which advances the power iterations), all passes share them, and their summed
    gradient goes back to the weights once. The network must be in training mode.
    """

    def __init__(self, network: nn.Module) -> None:
        made = normalise(network, keep=True)
        self.kernels = {layer: kernel.detach().requires_grad_() for layer, kernel in made.items()}
        self._made, self._behind = list(made.values()), [layer.weight for layer in made]
        behind = {id(weight) for weight in self._behind}
        self._plain = [weight for weight in network.parameters() if id(weight) not in behind]
        self.tensors = [*self._plain, *self.kernels.values()]

    def deliver(self, gradients: Sequence[Tensor]) -> None:
        """Set the weights' ``grad`` from the gradients of ``tensors``."""
        count = len(self._plain)
        behind = torch.autograd.grad(self._made, self._behind, gradients[count:])
        for weight, gradient in zip([*self._plain, *self._behind], [*gradients[:count], *behind], strict=True):
            weight.grad = gradient


class PairwiseSum:
    """Sums lists of tensors as a tree, neighbours first.

    So the halves (or quarters) of a batch, summed by as many processes and then added, give exactly the floats that one
    process gets from the whole. Needed for GAN training, which amplifies rounding differences.
    """

    def __init__(self) -> None:
        self._sums: list[tuple[int, list[Tensor]]] = []  # number of terms, and their sum

    def add(self, tensors: list[Tensor]) -> None:
        """Add one pass's tensors; they are overwritten, so the caller must not use them again."""
        count = 1
        while self._sums and self._sums[-1][0] == count:
            tensors = self._join(tensors)
            count *= 2
        self._sums.append((count, tensors))

    def total(self) -> list[Tensor]:
        """The sum; call it once."""
        _, tensors = self._sums.pop()
        while self._sums:
            tensors = self._join(tensors)
        return tensors

    def _join(self, tensors: list[Tensor]) -> list[Tensor]:
        _, before = self._sums.pop()
        torch._foreach_add_(before, tensors)
        return before
