"""Stores the scales of 8-bit weights in 16 bits.

NNCF writes one 32-bit scale per output channel, in a narrow network a hundredth of the file. 16
bits are enough: rounding a weight to 8 bits causes a hundred times the error.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from openvino import opset13

#: A scale below this has fewer than 11 significant bits as binary16 (IEEE 754).
_LEAST_NORMAL = 2.0**-14


def halve_scales(network: Any) -> None:
    """Halve every 32-bit scale of 8-bit weights in ``network`` that keeps its accuracy."""
    for op in network.get_ops():
        if op.get_type_name() != "Multiply" or not _is_unpacked(op.input_value(0).get_node()):
            continue
        scale = op.input_value(1).get_node()
        if scale.get_type_name() != "Constant" or scale.data.dtype != np.float32:
            continue
        sizes = np.abs(scale.data[scale.data != 0])
        if sizes.size and sizes.min() >= _LEAST_NORMAL and sizes.max() <= np.finfo(np.float16).max:
            half = opset13.constant(scale.data.astype(np.float16))
            op.input(1).replace_source_output(opset13.convert(half, "f32").output(0))


def _is_unpacked(node: Any) -> bool:
    """True for 8-bit weights converted to floats, with or without their zero point subtracted."""
    if node.get_type_name() == "Subtract":
        node = node.input_value(0).get_node()
    return bool(
        node.get_type_name() == "Convert"
        and node.input_value(0).get_element_type().get_type_name() in ("i8", "u8")
    )
