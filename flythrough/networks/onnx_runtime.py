"""Networks in ONNX files, run by ONNX Runtime without torch.

Loading torch takes seconds and half a gigabyte in every worker; a stage that only looks at pictures needs neither.
"""

from __future__ import annotations

from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import Float


def run(file: Path, **inputs: Float[np.ndarray, "..."]) -> Float[np.ndarray, "..."]:
    """The one output of a network for its inputs, float32 arrays by name."""
    (output,) = _session(file).run(None, inputs)
    return np.asarray(output)


@cache
def _session(file: Path) -> Any:
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1  # a stage runs a worker on each core
    options.log_severity_level = 3  # errors
    return onnxruntime.InferenceSession(str(file), options, providers=["CPUExecutionProvider"])
