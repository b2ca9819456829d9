"""Unpacks 8-bit weights of convolutions to 16 bits before a CPU compiles them.

OpenVINO's CPU plugin multiplies matrices by 8-bit weights as they are. Those of convolutions it
unpacks to 32 bits, which it keeps beside its own copy and writes into blobs: twice the memory of
the 16 bits that they were made of.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import openvino
from openvino import opset13

_PACKED = (openvino.Type.u8, openvino.Type.i8)
_QUANTISED = "FakeQuantize"


def unpacked(model: Any) -> Any:
    """A copy of ``model`` that computes the same, its convolutions with weights of 16 bits.

    A network whose activations are quantised is given back as it is: its convolutions multiply
    8-bit integers.
    """
    if any(op.get_type_name() == _QUANTISED for op in model.get_ops()):
        return model
    made = model.clone()  # shares the mapped weights
    for op in made.get_ops():
        if op.get_type_name() == "Convolution":
            _unpack(op)
    return made


def _unpack(convolution: Any) -> None:
    """Put a constant in the place of what is between the packed weights and their last conversion.

    The export marked that conversion to 32 bits as one that the plugin need not carry out.
    """
    widening = convolution.input_value(1).get_node()
    if widening.get_type_name() != "Convert":
        return
    packed = widening.input_value(0)
    if packed.get_element_type() != openvino.Type.f16 or not _is_packed(packed.get_node()):
        return
    weights = opset13.constant(_value(packed.get_node()).astype(np.float16))
    widening.input(0).replace_source_output(weights.output(0))


def _is_packed(node: Any) -> bool:
    """Whether ``node`` is (8-bit weights - zero points) · scales, or without zero points."""
    if node.get_type_name() != "Multiply":
        return False
    while node.get_type_name() in ("Multiply", "Subtract", "Convert"):
        node = node.input_value(0).get_node()
    return node.get_type_name() == "Constant" and node.get_element_type() in _PACKED


def _value(node: Any) -> Any:
    """What these few constants come to, in 32 bits: products are rounded once."""
    kind = node.get_type_name()
    if kind == "Constant":
        return node.data.astype(np.float32)
    values = [_value(port.get_source_output().get_node()) for port in node.inputs()]
    if kind == "Convert":
        return values[0]
    return values[0] - values[1] if kind == "Subtract" else values[0] * values[1]
