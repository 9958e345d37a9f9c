"""The model as two ONNX files, which run without Python: ``encoder.onnx`` and ``generator.onnx``.

The renderer is not part of them, since it has no weights (``page/static/mesh.js`` is one in JavaScript).
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from flythrough.networks.onnx_graph import Graph, Shape
from flythrough.workspace.files import publish

from ..model.layers import SLOPE, Kernels, Spade, SpadeBlock, SpectralConv, padding
from ..model.network import Encoder, Generator, InfiniteNature, resize

ENCODER, GENERATOR = "encoder.onnx", "generator.onnx"
CONVENTIONS = (
    "rgbd: RGB and disparity (1 / depth in scene units) in [0, 1], channels first. rendered is multiplied by its "
    "coverage; mask is the squared coverage, 1 where seen. The file refines and rescales disparity to the rendered one."
)


def export_onnx(model: InfiniteNature, folder: Path, name: str, *, half: bool = False) -> list[Path]:
    """Write the two files for the model's size and any batch.

    ``encoder.onnx``: ``rgbd`` ``[n, 4, h, w]`` to ``mean`` and ``log_variance`` ``[n, style]``.
    ``generator.onnx``: ``rendered`` ``[n, 4, h, w]``, ``mask`` ``[n, 1, h, w]`` and ``style`` ``[n, style]`` to
    ``rgbd`` ``[n, 4, h, w]``, as :meth:`InfiniteNature.advance` does after rendering.

    Args:
        model: in evaluation mode, on the CPU.
        folder: created if missing.
        name: stored in the files' metadata.
        half: store weights as float16 (half the bytes), converted to float32 when loaded.

    Raises:
        MissingDependency: ``onnx`` is not installed.
    """
    folder.mkdir(parents=True, exist_ok=True)
    for file, data in (
        (ENCODER, encoder_bytes(model, name, half=half)),
        (GENERATOR, generator_bytes(model, name, half=half)),
    ):
        with publish(folder / file) as scratch:
            scratch.write_bytes(data)
    return [folder / ENCODER, folder / GENERATOR]


def encoder_bytes(model: InfiniteNature, name: str, *, half: bool = False) -> bytes:
    """The content of ``encoder.onnx``; see :func:`export_onnx`."""
    config = model.config
    style = ("n", config.style_size)
    with torch.inference_mode():
        net = _Net(model.normalise(), half=half)
        net.encode(model.encoder, "rgbd", config.height, config.width)
    outputs = {"mean": style, "log_variance": style}
    return net.file("encoder", {"rgbd": _picture(model, 4)}, outputs, _about(model, name, half=half))


def generator_bytes(model: InfiniteNature, name: str, *, half: bool = False) -> bytes:
    """The content of ``generator.onnx``; see :func:`export_onnx`."""
    with torch.inference_mode():
        net = _Net(model.normalise(), half=half)
        net.refine(model, "rendered", "mask", "style")
    inputs = {"rendered": _picture(model, 4), "mask": _picture(model, 1), "style": ("n", model.config.style_size)}
    return net.file("generator", inputs, {"rgbd": _picture(model, 4)}, _about(model, name, half=half))


def _picture(model: InfiniteNature, channels: int) -> Shape:
    return ("n", channels, model.config.height, model.config.width)


def _about(model: InfiniteNature, name: str, *, half: bool) -> dict[str, str]:
    config = model.config
    return {
        "name": name,
        "width": str(config.width),
        "height": str(config.height),
        "style_size": str(config.style_size),
        "max_sobel": repr(config.max_sobel),
        "weights": "float16" if half else "float32",
        "conventions": CONVENTIONS,
    }


class _Net(Graph):
    """The layers of :mod:`..model`, node by node."""

    def __init__(self, kernels: Kernels, *, half: bool) -> None:
        super().__init__(half=half)
        self._kernels = kernels

    def encode(self, encoder: Encoder, rgbd: str, height: int, width: int) -> None:
        x = self._resize(rgbd, (height, width), encoder.size)
        x = self.node("Sub", self.node("Mul", x, self._number(2)), self._number(1))
        rows, columns = encoder.size
        for conv in encoder.convs:
            assert isinstance(conv, SpectralConv)
            x = self._conv(conv, x, rows, columns)
            rows, columns = -(-rows // conv.stride), -(-columns // conv.stride)
            x = self._leaky(self._norm(x, conv.weight.shape[0]))
        x = self.node("Flatten", self.node("Transpose", x, perm=[0, 2, 3, 1]))
        self._linear(encoder.linear_mu, x, output="mean")
        self._linear(encoder.linear_logvar, x, output="log_variance")

    def refine(self, model: InfiniteNature, rendered: str, mask: str, style: str) -> None:
        scaled = self.node("Sub", self.node("Mul", rendered, self._number(2)), self._number(1))
        condition = self.node("Concat", scaled, mask, axis=1)
        height, width = model.config.height, model.config.width
        painted = self._generate(model.generator, style, condition, height, width)
        if model.config.keep:
            share = self.node("Mul", mask, self._number(model.config.keep))
            floor = self.node("Max", mask, self._number(0.25))
            seen = self.node("Div", rendered, self.node("Sqrt", floor))
            rest = self.node("Mul", self.node("Sub", self._number(1), share), painted)
            painted = self.node("Add", rest, self.node("Mul", share, seen))
        self._ground(painted, rendered, mask)

    def _generate(self, net: Generator, style: str, condition: str, height: int, width: int) -> str:
        rows, columns, channels = net.start
        shape = self.constant(np.array([-1, rows, columns, channels], np.int64))
        x = self.node("Transpose", self.node("Reshape", self._linear(net.linear, style), shape), perm=[0, 3, 1, 2])
        x = self._resize(x, (rows, columns), (height // 32, width // 32))
        conditions: dict[int, str] = {}

        def block(layer: SpadeBlock, x: str, factor: int) -> str:
            if factor not in conditions:
                window: dict[str, Any] = {"kernel_shape": [factor, factor], "strides": [factor, factor]}
                conditions[factor] = self.node("AveragePool", condition, **window) if factor > 1 else condition
            return self._block(layer, x, conditions[factor], height // factor, width // factor)

        x = block(net.head, x, 32)
        x = block(net.middle_0, self._upsample(x, net.bilinear), 16)
        x = block(net.middle_1, x, 16)
        for layer, factor in ((net.up_0, 8), (net.up_1, 4), (net.up_2, 2), (net.up_3, 1)):
            x = block(layer, self._upsample(x, net.bilinear and factor > 1), factor)
        x = self.node("Tanh", self._conv(net.conv, self._leaky(x), height, width))
        return self.node("Mul", self.node("Add", x, self._number(1)), self._number(0.5))

    def _ground(self, refined: str, rendered: str, mask: str) -> None:
        """As :func:`..model.network.ground`."""
        axes = self.constant(np.array([1, 2, 3], np.int64))
        color, got = self._channels(refined, 0, 3), self._channels(refined, 3, 4)
        logs = [
            self.node("Log", self.node("Clip", x, self._number(0.01), self._number(1)))
            for x in (self._channels(rendered, 3, 4), got)
        ]
        total = self.node("ReduceSum", self.node("Mul", mask, self.node("Sub", *logs)), axes)
        seen = self.node("Add", self.node("ReduceSum", mask, axes), self._number(1e-4))
        scaled = self.node("Mul", self.node("Exp", self.node("Div", total, seen)), got)
        disparity = self.node("Clip", scaled, self._number(0), self._number(1))
        self.node("Concat", color, disparity, output="rgbd", axis=1)

    def _block(self, block: SpadeBlock, x: str, condition: str, height: int, width: int) -> str:
        y = self._conv(
            block.conv_0, self._leaky(self._spade(block.spade_0, x, condition, height, width)), height, width
        )
        y = self._conv(
            block.conv_1, self._leaky(self._spade(block.spade_1, y, condition, height, width)), height, width
        )
        if block.learned_shortcut:
            shortcut = self._spade(block.shortcut_spade, x, condition, height, width)
            x = self._conv(block.shortcut_conv, shortcut, height, width)
        return self.node("Add", x, y)

    def _spade(self, spade: Spade, x: str, condition: str, height: int, width: int) -> str:
        padded = self._pad(condition, 3, 1, height, width)
        hidden = self.node("Relu", self._convolve(spade.conv_cond.weight, spade.conv_cond.bias, padded, around=0))
        if spade.squeeze is not None:
            hidden = self._convolve(spade.squeeze.weight, None, hidden)
        assert spade.gamma_beta.bias is not None
        gamma_weight, beta_weight = spade.gamma_beta.weight.chunk(2)
        gamma_bias, beta_bias = spade.gamma_beta.bias.chunk(2)
        gamma = self._convolve(gamma_weight, gamma_bias + 1, hidden)  # 1 + gamma
        scaled = self.node("Mul", self._norm(x, spade.channels), gamma)
        beta = self._convolve(beta_weight, beta_bias, hidden)
        return self.node("Add", scaled, beta)

    def _conv(self, conv: SpectralConv, x: str, height: int, width: int) -> str:
        kernel = self._kernels[conv]
        inputs = [self._pad(x, kernel.shape[-1], conv.stride, height, width), self.weights(_array(kernel))]
        if conv.bias is not None:
            inputs.append(self.weights(_array(conv.bias)))
        return self.node("Conv", *inputs, strides=[conv.stride, conv.stride])

    def _convolve(self, weight: Tensor, bias: Tensor | None, x: str, around: int | None = None) -> str:
        """A convolution of stride 1 with ``around`` zeros on each side, by default as many as keep the size."""
        zeros = weight.shape[-1] // 2 if around is None else around
        inputs = [self.weights(_array(value)) for value in (weight, bias) if value is not None]
        return self.node("Conv", x, *inputs, pads=[zeros] * 4)

    def _linear(self, layer: nn.Linear, x: str, output: str = "") -> str:
        weight, bias = self.weights(_array(layer.weight)), self.weights(_array(layer.bias))
        return self.node("Gemm", x, weight, bias, output=output, transB=1)

    def _pad(self, x: str, kernel: int, stride: int, height: int, width: int) -> str:
        """As :func:`..model.layers.reflect_pad`: each side by reflection, or by repetition where it is too short."""
        wanted: dict[str, np.ndarray] = {}  # by mode: one node pads both axes if it can
        for axis, size in ((2, height), (3, width)):
            before, after = padding(size, kernel, stride)
            if before or after:
                mode = "reflect" if max(before, after) < size else "edge"
                wanted.setdefault(mode, np.zeros(8, np.int64))[[axis, axis + 4]] = before, after
        for mode, pads in wanted.items():
            x = self.node("Pad", x, self.constant(pads), mode=mode)
        return x

    def _resize(self, x: str, size: tuple[int, int], wanted: tuple[int, int]) -> str:
        """Bilinear, antialiased: a matrix for the rows and one for the columns, taken from torch."""
        for side in (0, 1):
            if size[side] != wanted[side]:
                eye = torch.eye(size[side])[None, None]
                matrix = _array(resize(eye, wanted[side], size[side])[0, 0])
                inputs = (self.constant(matrix), x) if side == 0 else (x, self.constant(matrix.T))
                x = self.node("MatMul", *inputs)
        return x

    def _upsample(self, x: str, bilinear: bool) -> str:
        scales = self.constant(np.array([1, 1, 2, 2], np.float32))
        how: dict[str, Any] = {"mode": "linear", "coordinate_transformation_mode": "half_pixel"}
        if not bilinear:
            how = {"mode": "nearest", "coordinate_transformation_mode": "asymmetric", "nearest_mode": "floor"}
        return self.node("Resize", x, "", scales, **how)

    def _norm(self, x: str, channels: int) -> str:
        ones, zeros = np.ones(channels, np.float32), np.zeros(channels, np.float32)
        return self.node("InstanceNormalization", x, self.constant(ones), self.constant(zeros), epsilon=1e-5)

    def _leaky(self, x: str) -> str:
        return self.node("LeakyRelu", x, alpha=SLOPE)

    def _channels(self, x: str, first: int, last: int) -> str:
        bounds = [self.constant(np.array([each], np.int64)) for each in (first, last, 1)]
        return self.node("Slice", x, *bounds)

    def _number(self, value: float) -> str:
        return self.constant(np.float32(value))


def _array(tensor: Tensor) -> np.ndarray:
    return np.ascontiguousarray(tensor.detach().float().cpu().numpy())
