"""ONNX graphs written node by node, for networks that run without torch. Needs the package ``onnx``."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import ArrayLike

from ..errors import missing_extra

if TYPE_CHECKING:
    import onnx

OPSET, FORMAT = 13, 8  # the oldest with every operator used here

Shape = tuple[int | str, ...]


class Graph:
    """A graph that is built node by node; every method returns the name of its output.

    Args:
        half: store weights as float16 (half the bytes), converted to float32 when the file is loaded.
    """

    def __init__(self, *, half: bool = False) -> None:
        try:
            import onnx
        except ImportError as error:
            raise missing_extra("Writing an ONNX file", "onnx", "export") from error
        self._onnx, self._half = onnx, half
        self._nodes: list[onnx.NodeProto] = []
        self._constants: list[onnx.TensorProto] = []

    def node(self, kind: str, *inputs: str, output: str = "", **attributes: Any) -> str:
        """Append an ONNX operator; returns the name of its output, by default a new one."""
        name = output or f"{kind}{len(self._nodes)}"
        self._nodes.append(self._onnx.helper.make_node(kind, inputs, [name], **attributes))
        return name

    def constant(self, array: ArrayLike) -> str:
        """A constant in its own type, such as a shape or a bound."""
        name = f"c{len(self._constants)}"
        self._constants.append(
            self._onnx.numpy_helper.from_array(np.ascontiguousarray(array).reshape(np.shape(array)), name)
        )
        return name

    def weights(self, array: ArrayLike) -> str:
        """Weights, used as float32 however they are stored."""
        if not self._half:
            return self.constant(np.asarray(array, np.float32))
        return self.node("Cast", self.constant(np.asarray(array, np.float16)), to=self._onnx.TensorProto.FLOAT)

    def file(
        self,
        name: str,
        inputs: Mapping[str, Shape],
        outputs: Mapping[str, Shape],
        metadata: Mapping[str, str] | None = None,
    ) -> bytes:
        """The serialised model, with float32 inputs and outputs by name. A side given as a name may have any length."""
        helper, kind = self._onnx.helper, self._onnx.TensorProto.FLOAT
        taken = [helper.make_tensor_value_info(each, kind, size) for each, size in inputs.items()]
        given = [helper.make_tensor_value_info(each, kind, size) for each, size in outputs.items()]
        graph = helper.make_graph(self._nodes, name, taken, given, self._constants)
        model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", OPSET)], ir_version=FORMAT)
        helper.set_model_props(model, dict(metadata or {}))
        return bytes(model.SerializeToString())
