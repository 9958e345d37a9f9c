from __future__ import annotations

import torch
from torch import nn

from flythrough.train.loop.gradients import PairwiseSum, Parameters
from flythrough.train.model.layers import SpectralConv, normalise


class Network(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.conv, self.plain = SpectralConv(3, 4, 3), nn.Conv2d(4, 2, 1)


def test_halves_of_a_batch_add_up_to_the_floats_of_the_whole() -> None:
    torch.manual_seed(0)
    parts = [[torch.randn(1000), torch.randn(())] for _ in range(8)]

    def total(chosen: list[list[torch.Tensor]]) -> list[torch.Tensor]:
        sums = PairwiseSum()
        for part in chosen:
            sums.add([x.clone() for x in part])
        return sums.total()

    for together, *halves in zip(total(parts), total(parts[:4]), total(parts[4:]), strict=True):
        assert torch.equal(together, halves[0] + halves[1])
    one_by_one = torch.stack([part[0] for part in parts]).cumsum(0)[-1]
    assert not torch.equal(total(parts)[0], one_by_one)  # else the order would not matter here
    torch.testing.assert_close(total(parts[:7])[0], torch.stack([part[0] for part in parts[:7]]).sum(0))


def test_gradients_through_shared_kernels_are_the_weights_own() -> None:
    torch.manual_seed(0)
    network, x = Network().double(), torch.randn(2, 3, 8, 8).double()

    def loss(kernels: dict) -> torch.Tensor:
        return network.plain(network.conv(x, kernels)).square().sum()

    loss(dict(normalise(network, keep=False))).backward()
    expected = [weight.grad.clone() for weight in network.parameters()]
    network.zero_grad()
    parameters = Parameters(network)
    parameters.deliver(torch.autograd.grad(loss(parameters.kernels), parameters.tensors))
    for weight, wanted in zip(network.parameters(), expected, strict=True):
        torch.testing.assert_close(weight.grad, wanted)
