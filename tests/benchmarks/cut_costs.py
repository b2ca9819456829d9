"""What a cut of a UNet costs, also of UNets as large as the published ones."""

from __future__ import annotations

import gc
import time
import warnings
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import openvino
import torch
from deep_cut import CUTS, run_shallow, shallow_pass, with_deep_feature
from diffusers import UNet2DConditionModel
from support.twins.published import PUBLISHED, Config

from winepress_worker.conversion.export import IR_FILE
from winepress_worker.engines.devices import core
from winepress_worker.held_memory import HeldMemory

_SIDE_LATENTS = 64  #: 512 pixels
_WORDS = 77
_ROUNDS = 7
_GIB = 2**30


@dataclass(frozen=True)
class Cost:
    """What a cut of one network costs."""

    share: float  #: time of the shallow pass ÷ that of the whole network
    gib: float  #: memory of the compiled shallow pass beside the whole network
    is_same: bool  #: the whole network gives the same bytes as without the second output


def costs(network: Any, inputs: Mapping[str, Any]) -> dict[str, Cost]:
    """By cut, in the arithmetic that this CPU prefers."""
    latency = {"PERFORMANCE_HINT": "LATENCY"}
    plain = core().compile_model(network, "CPU", latency)(inputs)[0]
    found = {}
    for name, place_of in CUTS.items():
        place = place_of(network)
        whole = core().compile_model(with_deep_feature(network, place), "CPU", latency)
        output, deep = whole(inputs).values()
        held = HeldMemory()
        shallow = core().compile_model(shallow_pass(network, place), "CPU", latency)
        again = run_shallow(shallow, inputs, deep)
        gib = held.grown(0) / _GIB
        assert np.abs(again - output).max() <= 0.02 * np.abs(output).max()  # rounding of bf16
        calls = partial(whole, inputs), partial(run_shallow, shallow, inputs, deep)
        share = _share(*calls)
        found[name] = Cost(share, gib, np.array_equal(plain, output))
        del whole, shallow, calls
        gc.collect()
    return found


def _share(whole: Callable[[], object], shallow: Callable[[], object]) -> float:
    """Least time of ``shallow`` ÷ that of ``whole``, in turns."""
    times: tuple[list[float], list[float]] = [], []
    for _ in range(_ROUNDS):
        for call, series in zip((whole, shallow), times, strict=True):
            began = time.perf_counter()
            call()
            series.append(time.perf_counter() - began)
    return min(times[1]) / min(times[0])


def full_size(name: str, folder: Path) -> tuple[Any, dict[str, Any]]:
    """The UNet of ``name`` with random weights in 16 bits, and what a guided step hands to it.

    Written into ``folder`` and read again: so its weights are mapped, and torch's are freed.
    """
    config = PUBLISHED[name].unet
    inputs = _inputs(config, 2)
    torch.manual_seed(0)
    traced = _Traced(UNet2DConditionModel.from_config(config).eval())
    example = {key: torch.from_numpy(value) for key, value in inputs.items()}
    path = folder / name / IR_FILE
    path.parent.mkdir()
    with torch.no_grad(), warnings.catch_warnings():
        warnings.simplefilter("ignore")  # tracing warns about every shape it checks
        openvino.save_model(openvino.convert_model(traced, example_input=example), path)
    del traced
    gc.collect()
    return core().read_model(path), inputs


class _Traced(torch.nn.Module):
    def __init__(self, network: Any) -> None:
        super().__init__()
        self.network = network

    def forward(
        self,
        sample: Any,
        timestep: Any,
        encoder_hidden_states: Any,
        text_embeds: Any = None,
        time_ids: Any = None,
    ) -> Any:
        added = {} if text_embeds is None else {"text_embeds": text_embeds, "time_ids": time_ids}
        states = encoder_hidden_states
        return self.network(sample, timestep, states, added_cond_kwargs=added, return_dict=False)[0]


def _inputs(config: Config, batch: int) -> dict[str, Any]:
    rng = np.random.default_rng(0)

    def noise(*shape: int) -> Any:
        return rng.standard_normal((batch, *shape)).astype(np.float32)

    inputs = {
        "sample": noise(config.get("in_channels", 4), _SIDE_LATENTS, _SIDE_LATENTS),
        "timestep": np.array([500], dtype=np.int64),
        "encoder_hidden_states": noise(_WORDS, config["cross_attention_dim"]),
    }
    if "addition_time_embed_dim" in config:
        ids = 6
        width = config["projection_class_embeddings_input_dim"]
        width -= ids * config["addition_time_embed_dim"]
        inputs |= {"text_embeds": noise(width), "time_ids": 512 * np.ones((batch, ids), np.float32)}
    return inputs
