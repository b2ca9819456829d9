"""Scheduler names: a canonical name for each, and its names in three vocabularies.

Users write A1111 labels (``DPM++ 2M Karras``), k-diffusion names (``dpmpp_2m``) or diffusers
classes (``DPMSolverMultistepScheduler``); all map to ``name`` or ``name:schedule``, for example
``dpmpp_2m:karras``. The table holds names only; the worker builds the object from it.
"""

from __future__ import annotations

import difflib
from dataclasses import dataclass, field

from winepress_shared.errors import InvalidJob
from winepress_shared.jobs.shortcuts import MAX_CACHE_INTERVAL, MOST_UNCACHED


@dataclass(frozen=True)
class Scheduler:
    """One sampler: its diffusers class with settings, and its names."""

    name: str  #: canonical name, k-diffusion style
    cls: str  #: class in `diffusers`
    label: str  #: A1111 label
    settings: tuple[tuple[str, str | bool | int], ...] = ()
    schedules: bool = field(default=False)  #: supports Karras and exponential sigmas
    calls: int = 1  #: calls of the denoiser in a step
    more_calls: int = 0  #: beside those, in all steps together
    #: Largest interval of a step cache that serves it better than fewer steps do; 1: none does.
    cache_interval: int = MAX_CACHE_INTERVAL

    @property
    def uncached_steps(self) -> int:
        """A picture of so many steps or fewer has too few calls for a step cache."""
        return (MOST_UNCACHED - self.more_calls) // self.calls


def _s(
    name: str,
    cls: str,
    label: str,
    *settings: tuple[str, str | bool | int],
    schedules: bool = False,
    calls: tuple[int, int] = (1, 0),
    cache: int = MAX_CACHE_INTERVAL,
) -> Scheduler:
    return Scheduler(name, f"{cls}Scheduler", label, settings, schedules, *calls, cache)


SCHEDULERS: tuple[Scheduler, ...] = (
    _s("ddim", "DDIM", "DDIM"),
    _s("ddpm", "DDPM", "DDPM", cache=2),
    _s("pndm", "PNDM", "PLMS", ("skip_prk_steps", True), calls=(1, 1), cache=2),
    _s("lcm", "LCM", "LCM", cache=1),
    _s("tcd", "TCD", "TCD"),
    _s("euler", "EulerDiscrete", "Euler", schedules=True),
    _s("euler_a", "EulerAncestralDiscrete", "Euler a", cache=2),
    _s("lms", "LMSDiscrete", "LMS", schedules=True, cache=1),
    _s("heun", "HeunDiscrete", "Heun", schedules=True, calls=(2, -1)),
    _s("dpm2", "KDPM2Discrete", "DPM2", schedules=True, calls=(2, -1)),
    _s("dpm2_a", "KDPM2AncestralDiscrete", "DPM2 a", schedules=True, calls=(2, -1), cache=1),
    _s(
        "dpmpp_2m",
        "DPMSolverMultistep",
        "DPM++ 2M",
        ("algorithm_type", "dpmsolver++"),
        schedules=True,
    ),
    _s(
        "dpmpp_2m_sde",
        "DPMSolverMultistep",
        "DPM++ 2M SDE",
        ("algorithm_type", "sde-dpmsolver++"),
        schedules=True,
        cache=2,
    ),
    _s(
        "dpmpp_3m",
        "DPMSolverMultistep",
        "DPM++ 3M",
        ("algorithm_type", "dpmsolver++"),
        ("solver_order", 3),
        schedules=True,
    ),
    _s("dpmpp_2s", "DPMSolverSinglestep", "DPM++ 2S", schedules=True, cache=2),
    _s("deis", "DEISMultistep", "DEIS", schedules=True),
    _s("unipc", "UniPCMultistep", "UniPC", schedules=True),
)

#: Noise schedule → its setting in diffusers; ``normal`` is the model's own. ``beta`` is missing:
#: diffusers 0.37 spaces its noise levels linearly, which leaves noise in the picture.
SCHEDULES: dict[str, str | None] = {
    "normal": None,
    "karras": "use_karras_sigmas",
    "exponential": "use_exponential_sigmas",
}
#: k-diffusion's names that differ from ours by more than a prefix ``k_``.
_K_NAMES = {
    "euler_ancestral": "euler_a",
    "dpm_2": "dpm2",
    "dpm_2_ancestral": "dpm2_a",
    "uni_pc": "unipc",
}
_NO_SCHEDULE = ("automatic", "uniform", "normal", "")


def find_scheduler(canonical: str) -> tuple[Scheduler, str | None]:
    """The entry and the schedule's setting of a canonical name; raises InvalidJob."""
    name, _, schedule = canonical_scheduler(canonical).partition(":")
    entry = next(item for item in SCHEDULERS if item.name == name)
    return entry, SCHEDULES[schedule or "normal"]


def canonical_scheduler(text: object) -> str:
    """The canonical name of ``text`` in any of the three vocabularies; raises InvalidJob.

    Never falls back to another scheduler: the error for an unknown name lists the nearest ones.
    """
    wanted = str(text).strip().lower()
    base, schedule = _split_schedule(wanted)
    entry = _names().get(base) or _names().get(base.removeprefix("k_"))
    if entry is None:
        near = difflib.get_close_matches(base, list(_names()), n=1)
        known = ", ".join(item.name for item in SCHEDULERS)
        hint = f"did you mean {_names()[near[0]].name!r}?" if near else None
        raise InvalidJob(
            "unknown scheduler", field="scheduler", value=text, allowed=known, hint=hint
        )
    if schedule is None:
        return entry.name
    if not entry.schedules:
        takers = ", ".join(item.name for item in SCHEDULERS if item.schedules)
        raise InvalidJob(
            f"{entry.label} has no {schedule} schedule",
            field="scheduler",
            value=text,
            allowed=takers,
        )
    return f"{entry.name}:{schedule}"


def _split_schedule(wanted: str) -> tuple[str, str | None]:
    """Split off a schedule: ``dpm++ 2m karras`` → (``dpm++ 2m``, ``karras``)."""
    for separator in (":", " ", "_"):
        head, found, tail = wanted.rpartition(separator)
        if found and tail in SCHEDULES and tail != "normal":
            return head.strip(), tail
        if found and tail in _NO_SCHEDULE and head:
            return head.strip(), None
    return wanted, None


def _names() -> dict[str, Scheduler]:
    """Every accepted name in lower case; of several entries of one class, the first is used."""
    names: dict[str, Scheduler] = {}
    for item in SCHEDULERS:
        for name in (item.name, item.label, item.cls, item.cls.removesuffix("Scheduler")):
            names.setdefault(name.lower(), item)
    return names | {theirs: names[ours] for theirs, ours in _K_NAMES.items()}
