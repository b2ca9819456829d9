"""Fills in a job's model options, refuses unsupported ones and warns about ignored ones."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

from winepress_shared.errors import InvalidJob
from winepress_shared.jobs.foreign_syntax import syntax_of_all
from winepress_shared.jobs.job import ImageToImage, Job
from winepress_shared.jobs.model_options import DEFAULT_DENOISING_END, Refinement
from winepress_shared.jobs.quality import Quality
from winepress_shared.jobs.schedulers import find_scheduler
from winepress_shared.jobs.shared_call import why_no_call
from winepress_shared.jobs.shortcuts import GUIDED_FIELDS, guided_steps
from winepress_shared.model import Model

DEFAULT_STRENGTH = 0.6  #: of image-to-image, if the model sets no default


def open_options(model: Model, job: Job) -> dict[str, Any]:
    """The values for the unset options of ``job``."""
    values: dict[str, Any] = {}
    if job.guidance_scale is None:  # zero is a value
        values["guidance_scale"] = model.guidance_scale
    if job.guidance_rescale is None:
        values["guidance_rescale"] = 0.0 if _why_no_rescale(model, job) else model.guidance_rescale
    if job.lacks_strength:
        values["strength"] = model.strength or DEFAULT_STRENGTH
    if job.refinement and job.refinement.strength is None:
        values["denoising_end"] = job.refinement.denoising_end or DEFAULT_DENOISING_END
    return values


def check_options(model: Model, job: Job, model_of: Callable[[str], Model]) -> None:
    """Raise InvalidJob or UnknownModel unless ``model`` supports a resolved ``job``'s options."""
    _check_strength(job)
    _check_clip_skip(model, job)
    _check_vae(model, job)
    _check_call(model, job)
    reason = _why_no_rescale(model, job)
    if job.guidance_rescale and reason:
        raise InvalidJob(
            reason, field="guidance_rescale", value=job.guidance_rescale, allowed="0, or none"
        )
    if job.preview_every is not None and not model.has_previews:
        raise InvalidJob(
            f"{model.name} does not support previews",
            field="preview_every",
            value=job.preview_every,
            hint="Omit it; previews need a tiny autoencoder or a map from latents to colours",
        )
    if job.refinement is not None:
        _check_refinement(model, job, job.refinement, model_of)


def warnings_of(model: Model, job: Job) -> tuple[str, ...]:
    """One sentence for each option of a resolved ``job`` that has no effect."""
    found = (
        _why_other_size(model, job),
        _why_nothing_is_avoided(model, job),
        _why_fewer_are_predicted(job),
        _why_no_span(model, job),
        _why_no_preset(job),
    )
    return tuple(sentence for sentence in found if sentence)


def _why_other_size(model: Model, job: Job) -> str | None:
    """The warning about an input picture of an unsupported size, or None."""
    size = job.source.size if job.source else None
    drawn = (job.width, job.height)
    if size is None or drawn == size or drawn != tuple(map(model.snap, size)):
        return None  # rendered at its own size, or at the user's
    return (
        f"image of {size[0]}x{size[1]} pixels is drawn at {drawn[0]}x{drawn[1]}: {model.name} "
        f"draws multiples of {model.size_multiple} up to {model.max_side}"
    )


def _why_nothing_is_avoided(model: Model, job: Job) -> str | None:
    """Why the negative prompt has no effect; None if it has, or there is none."""
    if job.negative_prompt and model.embedded_guidance:
        return (
            f"negative_prompt is ignored: {model.name} takes the guidance as an input and does not "
            "use negative prompts"
        )
    if job.negative_prompt and _is_unguided(model, job):
        return (
            f"negative_prompt is ignored: it has no effect at guidance_scale "
            f"{job.guidance_scale or 0:g}, only above 1"
        )
    return None


def _why_no_preset(job: Job) -> str | None:
    """Why the preset has no effect; None if it has, or none is named."""
    if job.quality in (None, Quality.EXACT) or job.has_items:
        return None
    if job.cache_interval > 1 or job.vae == "tiny":
        return None
    return (
        f"quality {job.quality} changes nothing: {job.model} at {job.num_inference_steps} steps "
        f"with {job.scheduler} has neither steps to predict nor a second, tiny autoencoder"
    )


def _why_fewer_are_predicted(job: Job) -> str | None:
    """Why fewer steps are predicted than the job asks for; None if as many are."""
    asked, allowed = job.asked_interval, job.cache_interval
    if asked == 1:
        return None
    name = "step_cache" if job.step_cache_interval is None else "step_cache_interval"
    entry, _ = find_scheduler(job.scheduler or "")
    most = max(stage.steps for stage in job.stages)
    least = entry.uncached_steps
    if most <= least:
        return f"{name} is ignored: it has no effect at {most} steps, only above {least}"
    if asked > allowed == 1:
        return f"{name} is ignored: the steps of {job.scheduler} cannot be predicted well"
    if asked > allowed:
        return (
            f"{name} is reduced: with {job.scheduler} one step of {allowed} is computed, because "
            f"one of {asked} would draw another picture"
        )
    return None


def _why_no_span(model: Model, job: Job) -> str | None:
    """Why the fractions of guided steps have no effect, or leave no step guided."""
    given = [name for name in GUIDED_FIELDS if getattr(job, name) is not None]
    if not given:
        return None
    if model.embedded_guidance:
        return f"{given[0]} is ignored: {model.name} takes the guidance as an input in every step"
    if _is_unguided(model, job):
        return (
            f"{given[0]} is ignored: it has no effect at guidance_scale "
            f"{job.guidance_scale or 0:g}, only above 1"
        )
    if not any(guided_steps(each.steps, each.part_of(job.guided_span)) for each in job.stages):
        start, stop = job.guided_span
        between = f"guidance_start {start:g} and guidance_stop {stop:g}"
        return f"no step is guided: none lies between {between}"
    return None


def syntax_in(job: Job, *, braces: bool = False) -> list[str]:
    """Prompt syntax of other programs in the texts of ``job``."""
    return syntax_of_all(job.texts, braces=braces)


def _is_unguided(model: Model, job: Job) -> bool:
    """True at 1 and below, where diffusers runs no second, unconditional pass."""
    guidance = model.guidance_scale if job.guidance_scale is None else job.guidance_scale
    return model.embedded_guidance or guidance <= 1


def _why_no_rescale(model: Model, job: Job) -> str | None:
    """Why guidance cannot be rescaled; None if it can."""
    if model.family not in job.rescaling_families:
        return f"{job.kind} with {model.name} does not support it"
    if _is_unguided(model, job):
        return f"{model.name} has no guidance to rescale at this strength of guidance"
    return None


def _check_strength(job: Job) -> None:
    """Refuse a job without steps: diffusers runs int(steps × strength) of them."""
    steps = job.num_inference_steps or 1
    shares = {"strength": job.source_strength if job.source else None}
    shares["refiner_strength"] = job.refinement.strength if job.refinement else None
    for field, share in shares.items():
        if share is not None and int(steps * share) < 1:
            raise InvalidJob(
                f"{steps} steps at this strength leave no step to run",
                field=field,
                value=share,
                allowed=f"at least {math.ceil(1000 / steps) / 1000} with {steps} steps",
            )


def _check_clip_skip(model: Model, job: Job) -> None:
    most = model.max_clip_skip
    if (job.clip_skip or 1) > most:
        raise InvalidJob(
            f"{model.name} supports only its default text encoder layer"
            if most == 1
            else f"{model.name} has no text layer that early",
            field="clip_skip",
            value=job.clip_skip,
            allowed="1, or none" if most == 1 else f"1 to {most}",
        )


def _check_vae(model: Model, job: Job) -> None:
    allowed = model.autoencoders
    if job.vae is not None and job.vae not in allowed:
        raise InvalidJob(
            f"{model.name} has no such autoencoder",
            field="vae",
            value=job.vae,
            allowed=" or ".join(allowed),
        )


def _check_call(model: Model, job: Job) -> None:
    number = job.pictures_per_call or 1
    reason = why_no_call(model, job)
    if number == 1 or (number == model.pictures_per_call and not reason):
        return
    most = 1 if reason else model.pictures_per_call
    raise InvalidJob(
        reason or f"{model.name} does not support this number of pictures per call",
        field="pictures_per_call",
        value=number,
        allowed="1, or none" if most == 1 else f"1 or {most}",
    )


def _check_refinement(
    model: Model, job: Job, refinement: Refinement, model_of: Callable[[str], Model]
) -> None:
    if refinement.model not in model.refiners:
        raise InvalidJob(
            f"{model.name} cannot be refined by this model",
            field="refiner",
            value=refinement.model,
            allowed=" or ".join(model.refiners) or "none",
        )
    second = model_of(refinement.model)
    as_second = ("width", "height", "precision", "num_inference_steps")
    # The refiner must support the job as if it were its own.
    second.check(
        ImageToImage.model_construct(
            kind="image-to-image", **{name: getattr(job, name) for name in as_second}
        )
    )
    _check_vae(second, job)
    steps, end = job.num_inference_steps or 1, refinement.denoising_end
    if end is not None and not 1 <= int(steps * end) <= steps - 1:
        raise InvalidJob(
            f"splitting {steps} steps here leaves none for one of the two models",
            field="denoising_end",
            value=end,
            allowed=f"{math.ceil(1000 / steps) / 1000} to {1 - math.ceil(1000 / steps) / 1000:g}"
            if steps > 1
            else "more than one step",
        )
