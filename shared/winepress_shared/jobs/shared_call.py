"""Which pictures can share one call of a pipeline, and how many."""

from __future__ import annotations

import hashlib

from winepress_shared.jobs.job import Job
from winepress_shared.model import Model

LEAST_CALLS = 4  #: a job of fewer full calls is distributed picture by picture
#: Fields in which the pictures of one call may differ: each has its own text and seed, and is
#: counted, encoded and stored by itself. What a preset sets is in fields of its own.
_OWN = ("prompt", "negative_prompt", "seed", "n", "priority", "quality")
_OWN_FILE = ("output_format", "output_quality", "embed_metadata")
_DIGEST_CHARACTERS = 16


def are_alike(first: Job, other: Job) -> bool:
    """Whether one call can draw a picture of each of two jobs.

    Both or neither must have a negative prompt, because without one some models are guided by
    zeros.
    """
    if bool(first.negative_prompt) != bool(other.negative_prompt):
        return False
    own = {name: getattr(first, name) for name in (*_OWN, *_OWN_FILE)}
    return other.model_copy(update=own) == first


def kind_of_call(job: Job) -> str | None:
    """A digest that a resolved ``job`` has in common with those its pictures can share calls with.

    None if they share none with other jobs.
    """
    if not job.is_picture or job.preview_every is not None or job.refinement is not None:
        return None
    text = job.model_dump_json(exclude=set(_OWN + _OWN_FILE)) + str(bool(job.negative_prompt))
    return hashlib.sha256(text.encode()).hexdigest()[:_DIGEST_CHARACTERS]


def call_of(model: Model, job: Job) -> int | None:
    """Default number of pictures per call of a resolved ``job``."""
    number = model.pictures_per_call
    if job.pictures_per_call is not None or number == 1 or why_no_call(model, job):
        return job.pictures_per_call
    return number if job.n >= LEAST_CALLS * number and job.preview_every is None else None


def why_no_call(model: Model, job: Job) -> str | None:
    """Why each picture of a resolved ``job`` needs its own call; None if calls are shared."""
    if not job.is_picture:
        return f"{job.kind} jobs cannot share calls"
    if job.refinement:
        return "pictures with a refiner cannot share calls"
    if (job.width or 0) * (job.height or 0) > model.width * model.height:
        return f"pictures larger than {model.width}x{model.height} cannot share calls"
    return None
