"""The scales beside 8-bit weights, stored in 16 bits.

NNCF writes one 32-bit scale per output channel. In a narrow network that is a hundredth of the
file; half of it is enough, since rounding a weight to 8 bits errs a hundred times as much.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from openvino import opset13

#: A scale below this has fewer than 11 bits in 16-bit floats (IEEE 754, binary16).
_LEAST_NORMAL = 2.0**-14


def halve_scales(network: Any) -> None:
    """Replace every 32-bit scale of 8-bit weights in ``network`` that loses nothing by it."""
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
    """True for 8-bit weights turned into floats, with their zero point taken off or without."""
    if node.get_type_name() == "Subtract":
        node = node.input_value(0).get_node()
    return bool(
        node.get_type_name() == "Convert"
        and node.input_value(0).get_element_type().get_type_name() in ("i8", "u8")
    )
