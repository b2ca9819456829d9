"""DeepCache's cut of a UNet (Ma et al. 2023, arXiv:2312.00858), made on its OpenVINO graph.

The way up joins what comes from below with what the way down kept, once for every resnet. A cut at
one of the last joins leaves a shallow pass: the first layers of the way down, the last ones of the
way up, and what comes from below as an input, the deep feature.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from typing import Any

import openvino
from openvino import opset13

DEEP = "deep_feature"  #: name of that input, and of the output of the whole network
_BLOCK = re.compile(r"\bup_blocks\.\d+")


def joins(network: Any) -> list[Any]:
    """The joins of ``network`` from the last to the first; their first input comes from below."""
    found = [node for node in network.get_ordered_ops() if _is_join(node)]
    return found[::-1]


def _is_join(node: Any) -> bool:
    if node.get_type_name() != "Concat" or node.get_output_partial_shape(0).rank.get_length() != 4:
        return False
    return bool(node.get_attributes()["axis"] in (1, -3) and node.get_input_size() == 2)


def first_join_of_last_block(network: Any) -> int:
    """Its place in `joins`: the deepest cut that leaves one block of the way up."""
    blocks = [_block(join) for join in joins(network)]
    return blocks.count(blocks[0]) - 1


def _block(join: Any) -> str:
    found = _BLOCK.search(join.get_friendly_name())
    return found.group() if found else ""


def with_deep_feature(network: Any, place: int) -> Any:
    """A copy of ``network`` whose second output is the deep feature of that join."""
    whole = network.clone()
    source = _into(joins(whole)[place]).get_source_output()
    (result,) = whole.add_outputs([source])
    result.get_tensor().set_names({DEEP})
    return whole


def shallow_pass(network: Any, place: int) -> Any:
    """A copy of what is left of ``network`` when the deep feature of that join is an input.

    Copies share the weights; compiled, each has its own.
    """
    copy = network.clone()
    cut = _into(joins(copy)[place])
    source = cut.get_source_output()
    given = opset13.parameter(source.get_partial_shape(), source.get_element_type())
    given.output(0).get_tensor().set_names({DEEP})
    cut.replace_source_output(given.output(0))
    (result,) = copy.get_results()
    return openvino.Model([result], _parameters_of(result), "shallow pass")


def _into(join: Any) -> Any:
    """Where the deep feature enters a join, before it is rounded to 8 bits if it is."""
    port = join.input(0)
    while port.get_source_output().get_node().get_type_name() == "FakeQuantize":
        port = port.get_source_output().get_node().input(0)
    return port


def _parameters_of(result: Any) -> list[Any]:
    """The parameters that ``result`` depends on."""
    found, seen, left = [], {result.get_friendly_name()}, [result]
    while left:
        node = left.pop()
        if node.get_type_name() == "Parameter":
            found.append(node)
        for port in node.inputs():
            before = port.get_source_output().get_node()
            if before.get_friendly_name() not in seen:
                seen.add(before.get_friendly_name())
                left.append(before)
    return found


#: Name → the place of its join in `joins`.
CUTS: Mapping[str, Callable[[Any], int]] = {
    "last resnet": lambda network: 0,
    "last block": first_join_of_last_block,
}


def run_shallow(shallow: Any, inputs: Mapping[str, Any], deep: Any) -> Any:
    """The output by a shallow pass, of those ``inputs`` that it takes."""
    given = {**inputs, DEEP: deep}
    names = [port.get_any_name() for port in shallow.inputs]
    return shallow({name: given[name] for name in names})[0]
