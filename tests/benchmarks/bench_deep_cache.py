"""Predicting denoising steps: DeepCache's shallow pass beside the line through computed outputs.

Likeness can only be told by a network that has learned something, which is vignette. What a shallow
pass takes depends on the network's widths and depths alone, so it is measured on full-size twins
with random weights too. Both together give what each way draws in equal time.

``bench_deep_cache.py [NAME ...]`` measures those full-size networks only; none takes 9 GiB.
"""

from __future__ import annotations

import gc
import statistics
import sys
import tempfile
from collections import deque
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from cut_costs import Cost, costs, full_size
from deep_cut import CUTS, run_shallow, shallow_pass, with_deep_feature

from winepress_shared.catalogue import Catalogue
from winepress_shared.lane import Precision
from winepress_worker.conversion.calibration import practice
from winepress_worker.conversion.export import IR_FILE
from winepress_worker.conversion.preparation import prepare
from winepress_worker.device_name import DeviceName
from winepress_worker.engines.base import PipelineKey, Request, ignore_steps
from winepress_worker.engines.compiled_parts import CompiledParts
from winepress_worker.engines.devices import core
from winepress_worker.engines.library_notices import quiet_libraries
from winepress_worker.engines.openvino import OpenVinoPipeline
from winepress_worker.models.likeness import psnr_db
from winepress_worker.models.local_models import LocalModels
from winepress_worker.models.recipe import prompts
from winepress_worker.placement import Placement
from winepress_worker.report import ignore_progress

_MODEL = "vignette"
_FULL_SIZE = ("tiny-sd", "sd21-base", "ssd-1b")
_PICTURES = 8
#: Scheduler, steps → intervals: one step of so many is computed.
_RUNS = {
    (scheduler, steps): intervals
    for scheduler in ("ddim", "dpmpp_2m")
    for steps, intervals in ((20, (2, 3, 4, 5)), (50, (2, 3, 4, 6, 8)))
}
_FEWER = "fewer steps"

#: Way and number of whole passes → mean and least PSNR, in decibels.
Likeness = dict[tuple[str, int], tuple[float, float]]


@dataclass(frozen=True)
class Way:
    """One way to the output of a step that is not computed."""

    name: str
    cut: str | None  #: `CUTS` of the shallow pass; None predicts the output itself
    is_line: bool  #: continues the line through two computed values, else holds the last one
    first: int = 1  #: so many steps at the start are computed
    is_last_exact: bool = False  #: computes the last step too


_OUTPUTS = (
    Way("output, line", None, True, is_last_exact=True),
    Way("output, four first", None, True, first=4, is_last_exact=True),
)
_WAYS = (
    *_OUTPUTS,
    Way("last resnet, held", "last resnet", False),
    Way("last resnet, line", "last resnet", True),
    Way("last block, line", "last block", True),
    Way("last block, and last", "last block", True, is_last_exact=True),
)
_CUT_WAYS = {way.name: way.cut for way in _WAYS if way.cut}


def exact_steps(way: Way, steps: int, interval: int) -> frozenset[int]:
    """The computed steps: one of ``interval``, the last but one, and what ``way`` adds."""
    between = range(way.first - 1, steps - 1, interval)
    last = {steps - 1} if way.is_last_exact else set()
    return frozenset({*range(way.first), *between, steps - 2} | last)


class Denoiser:
    """Acts as vignette's compiled UNet, and computes what it is told to."""

    def __init__(self, network: Any, compile_model: Callable[[Any], Any]) -> None:
        self.plain = compile_model(network)
        self._wholes, self._shallows = {}, {}
        for name, place_of in CUTS.items():
            place = place_of(network)
            self._wholes[name] = compile_model(with_deep_feature(network, place))
            self._shallows[name] = compile_model(shallow_pass(network, place))
        self.plan(_OUTPUTS[0], frozenset())

    def plan(self, way: Way, exact: frozenset[int]) -> None:
        """What to compute in the next picture; all steps if ``exact`` is empty."""
        self._way, self._exact, self._step = way, exact, 0
        self._kept: deque[tuple[int, Any]] = deque(maxlen=2 if way.is_line else 1)

    def __call__(self, inputs: Mapping[str, Any], share_inputs: bool = False) -> Any:
        """The output for the next step, as optimum takes it."""
        step, cut = self._step, self._way.cut
        self._step += 1
        if self._exact and step not in self._exact:
            predicted = self._predicted(step)
            if cut:
                predicted = run_shallow(self._shallows[cut], inputs, predicted)
            return _Answer(self.plain.output(0), predicted)
        answer = (self._wholes[cut] if cut else self.plain)(inputs)
        self._kept.append((step, answer[1 if cut else 0]))
        return _Answer(self.plain.output(0), answer[0])

    def _predicted(self, step: int) -> Any:
        (first, before), (second, last) = self._kept[0], self._kept[-1]
        if first == second:
            return last
        return last + (last - before) * np.float32((step - second) / (second - first))


@dataclass(frozen=True)
class _Answer:
    port: Any
    value: Any

    def to_dict(self) -> dict[Any, Any]:
        """As the answer of a compiled model."""
        return {self.port: self.value}


class _Parts(CompiledParts):
    denoiser: Denoiser

    def get(self, name: str, model: Any) -> Any:
        """As `CompiledParts.get`, with a `Denoiser` in the UNet's place."""
        if name != "unet":
            return super().get(name, model)
        self.denoiser = Denoiser(model, self._compiler(name))
        return self.denoiser


def decibels(home: Path) -> dict[tuple[str, int], Likeness]:
    """The likeness to the full picture, per scheduler and steps."""
    model = Catalogue.load().get(_MODEL)
    prepared = prepare(LocalModels(home, Catalogue.load()), _MODEL, Precision.FP16, ignore_progress)
    # In 32 bits: the question is what the method costs, not what rounding does.
    parts = _Parts(Placement.of(DeviceName.parse("CPU"), hints=("f32",)), None, prepared)
    key = PipelineKey(prepared.name, prepared.revision, prepared.precision, "CPU")
    pipeline = OpenVinoPipeline(key, prepared, "text-to-image", parts)

    def drawn(scheduler: str, steps: int) -> list[Any]:
        jobs = [
            practice(model, prompt, seed, steps).job.model_copy(update={"scheduler": scheduler})
            for seed, prompt in enumerate(prompts(model)[-_PICTURES:])
        ]
        return pipeline.render(Request.together(jobs, None, None), ignore_steps)

    def likeness(full: list[Any], others: list[Any]) -> tuple[float, float]:
        found = [psnr_db(*pair) for pair in zip(full, others, strict=True)]
        return statistics.mean(found), min(found)

    table: dict[tuple[str, int], Likeness] = {}
    for (scheduler, steps), intervals in _RUNS.items():
        rows: Likeness = {}
        table[scheduler, steps] = rows
        parts.denoiser.plan(_OUTPUTS[0], frozenset())
        full = drawn(scheduler, steps)
        for interval in intervals:
            for way in _WAYS:
                exact = exact_steps(way, steps, interval)
                parts.denoiser.plan(way, exact)
                rows[way.name, len(exact)] = likeness(full, drawn(scheduler, steps))
        for fewer in sorted({wholes for _, wholes in rows}):
            parts.denoiser.plan(_OUTPUTS[0], frozenset())
            rows[_FEWER, fewer] = likeness(full, drawn(scheduler, fewer))
    pipeline.close()
    return table


def vignette_network(home: Path) -> tuple[Any, dict[str, Any]]:
    """Its UNet as it is prepared, and what a guided step hands to it."""
    prepared = prepare(LocalModels(home, Catalogue.load()), _MODEL, Precision.FP16, ignore_progress)
    network = core().read_model(prepared.path / "unet" / IR_FILE)
    rng = np.random.default_rng(0)
    sizes = {"sample": (2, 4, 16, 16), "encoder_hidden_states": (2, 32, 128)}
    inputs = {key: rng.standard_normal(size).astype(np.float32) for key, size in sizes.items()}
    return network, inputs | {"timestep": np.array([500], dtype=np.int64)}


def show_costs(name: str, found: Mapping[str, Cost]) -> None:
    """Print one network's line for each cut."""
    for cut, cost in found.items():
        same = "the same" if cost.is_same else "other"
        print(
            f"  {name}, {cut}: {cost.share:.3f} of a whole pass, {cost.gib:.2f} GiB more, "
            f"{same} bytes with the second output"
        )


def main(names: list[str]) -> None:
    """Print everything."""
    quiet_libraries()
    every: dict[str, dict[str, Cost]] = {}
    with tempfile.TemporaryDirectory() as home:
        print("shallow passes, guided, 512 px (vignette 256)")
        every[_MODEL] = costs(*vignette_network(Path(home)))
        show_costs(_MODEL, every[_MODEL])
        for name in names:
            every[name] = costs(*full_size(name, Path(home)))
            show_costs(name, every[name])
            gc.collect()
        for (scheduler, steps), rows in decibels(Path(home)).items():
            print(f"{scheduler}, {steps} steps: mean and least of {_PICTURES} pictures")
            show_likeness(rows, steps, every)


def show_likeness(rows: Likeness, steps: int, every: Mapping[str, Mapping[str, Cost]]) -> None:
    """Print each point: its likeness; by network its speed, and the decibels it gains.

    They are gained over the line through outputs, or over fewer steps, in equal time.
    """
    for (name, wholes), (mean, least) in rows.items():
        line = f"  {wholes:2} whole, {name:20} {mean:5.1f} dB (least {least:.1f})"
        cut = _CUT_WAYS.get(name, "")
        for network, found in every.items() if cut else ():
            calls = wholes + (steps - wholes) * found[cut].share
            gain = mean - _without_cut(rows, calls)
            line += f"; {network} {steps / calls:.2f} times, {gain:+.1f} dB"
        print(line)


def _without_cut(rows: Likeness, calls: float) -> float:
    """What ``calls`` whole passes come to without any shallow one, in decibels."""
    best: dict[int, float] = {}
    for (name, wholes), (mean, _) in rows.items():
        if name not in _CUT_WAYS:
            best[wholes] = max(mean, best.get(wholes, 0.0))
    numbers = sorted(best)
    reached = np.maximum.accumulate([best[number] for number in numbers])
    return float(np.interp(calls, numbers, reached))


if __name__ == "__main__":
    main(sys.argv[1:] or list(_FULL_SIZE))
