"""Convert EfficientNet-Lite0's weight file to ``lite0.onnx``, with batch normalisation and padding folded in.

To make it again, with the extras ``export`` and ``evaluate``: ``python -m flythrough.networks.lite0_convert``.

Architecture: Tan and Le, "EfficientNet" (2019), in its authors' Lite variant: no squeeze and excitation, ReLU6.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np

from .lite0_onnx import BATCH, FILE, SIZE, weights_file
from .onnx_graph import Graph

BLOCKS, STRIDED = 16, (1, 3, 5, 11)  # blocks that halve the resolution
EPSILON = 1e-3  # of batch normalisation
_NORM = ("weight", "bias", "running_mean", "running_var")


def read_pth(path: Path) -> dict[str, np.ndarray]:
    """Arrays of a state dict, by name. Only tensors are loaded, so an untrusted file cannot run code.

    Raises:
        pickle.UnpicklingError: it holds anything else.
    """
    import torch

    return {name: tensor.numpy() for name, tensor in torch.load(path, map_location="cpu", weights_only=True).items()}


class _Network:
    """The layers of the network, appended to a graph."""

    def __init__(self, weights: dict[str, np.ndarray], graph: Graph) -> None:
        self._weights, self.graph = weights, graph

    def convolve(self, x: str, layer: str, norm: str, *, stride: int = 1, active: bool = True) -> str:
        """A convolution with its normalisation folded in, then ReLU6 if ``active``."""
        kernel = self._weights[f"{layer}.weight"]
        scale, shift, mean, variance = (self._weights[f"{norm}.{name}"] for name in _NORM)
        gain = scale / np.sqrt(variance + EPSILON)
        size = kernel.shape[-1]
        before = (size - stride) // 2  # TensorFlow's padding "same" for an even side
        x = self.graph.node(
            "Conv",
            x,
            self.graph.weights(kernel * gain[:, None, None, None]),
            self.graph.weights(shift - mean * gain),
            group=len(kernel) if kernel.shape[1] == 1 else 1,
            strides=[stride] * 2,
            pads=[before] * 2 + [size - stride - before] * 2,
        )
        if not active:
            return x
        bounds = (self.graph.constant(np.array(bound, np.float32)) for bound in (0, 6))
        return self.graph.node("Clip", x, *bounds)

    def classify(self, x: str) -> str:
        """Class probabilities of a normalised picture."""
        x = self.convolve(x, "_conv_stem", "_bn0", stride=2)
        for number in range(BLOCKS):
            block, start = f"_blocks.{number}", x
            if f"{block}._expand_conv.weight" in self._weights:
                x = self.convolve(x, f"{block}._expand_conv", f"{block}._bn0")
            stride = 2 if number in STRIDED else 1
            x = self.convolve(x, f"{block}._depthwise_conv", f"{block}._bn1", stride=stride)
            x = self.convolve(x, f"{block}._project_conv", f"{block}._bn2", active=False)
            if self._keeps_channels(number) and stride == 1:
                x = self.graph.node("Add", x, start)
        node = self.graph.node
        x = node("GlobalAveragePool", self.convolve(x, "_conv_head", "_bn1"))
        weight, bias = (self.graph.weights(self._weights[f"_fc.{k}"]) for k in ("weight", "bias"))
        return node("Softmax", node("Gemm", node("Flatten", x), weight, bias, transB=1), axis=-1)

    def _keeps_channels(self, number: int) -> bool:
        """Whether a block returns as many channels as it takes."""
        expand = self._weights.get(f"_blocks.{number}._expand_conv.weight")
        return expand is not None and expand.shape[1] == len(self._weights[f"_blocks.{number}._project_conv.weight"])


def onnx_bytes(pth: Path, *, half: bool = True) -> bytes:
    """The network of a weight file: float32 ``images [2, 3, 224, 224]`` in, class probabilities ``[2, 1000]`` out.

    Args:
        pth: file that :func:`read_pth` reads.
        half: store the weights as float16.
    """
    network = _Network(read_pth(pth), Graph(half=half))
    classes = network.classify("images")
    return network.graph.file("efficientnet-lite0", {"images": (BATCH, 3, SIZE, SIZE)}, {classes: (BATCH, 1000)})


if __name__ == "__main__":
    print(FILE, FILE.write_bytes(onnx_bytes(weights_file())), "bytes")
