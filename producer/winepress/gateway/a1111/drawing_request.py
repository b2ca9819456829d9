"""The body of ``txt2img`` and ``img2img``, read as a request for a job.

A1111's clients send every field there is. What has no meaning here is dropped: fields with a
warning, switches that are off without one. A feature that is on and that a farm lacks is refused by
name, see `winepress.job_files.a1111`.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

from winepress.gateway.a1111.mask import read_mask
from winepress.gateway.a1111.options import PREVIEW_EVERY, read_options
from winepress.gateway.access import Caller
from winepress.gateway.checkpoints import Checkpoint, find_checkpoint
from winepress.gateway.gateway import Gateway
from winepress.gateway.intake import JobRequest
from winepress.gateway.requested_job import check_prompt_name
from winepress.job_files.a1111 import is_field_of_a1111
from winepress.job_files.given_file import with_files
from winepress.job_files.infotext import with_infotext
from winepress_shared.errors import InvalidJob
from winepress_shared.jobs.aliases import ALIASES
from winepress_shared.jobs.job import Job, Priority
from winepress_shared.lane import Precision

MAX_PICTURES = 64  #: of one request, whose answer holds them all
_MOST_KEY_CHARACTERS = 100
_IMAGES = ("init_images", "mask")
#: Fields of clients that talk to their own server in the same body, or of A1111's forks.
_QUIET = ("url", "auth", "distilled_cfg_scale", "hr_additional_modules")
_COUNTS = ("size", "batch_size", "n_iter", *_IMAGES)
_SAMPLERS = ("sampler_name", "sampler_index", "scheduler")
_NO_SCHEDULE = ("automatic", "uniform", "normal")
_SHARP = (4, "the edge of the mask stays as it is given")
#: Defaults of A1111 for a mask, which its clients send unasked → what is done instead.
_MASK_DEFAULTS: dict[str, tuple[object, str]] = {
    **dict.fromkeys(("mask_blur", "mask_blur_x", "mask_blur_y"), _SHARP),
    "inpainting_fill": (0, "what the mask covers is drawn from noise"),
    "inpaint_full_res": (True, "the whole picture is drawn at its own size"),
}
_MODEL_NAMES = ("sd_model_checkpoint", "model")
_KEPT_SETTINGS = (
    *("CLIP_stop_at_last_layers", "img2img_background_color", "sd_vae"),
    *("skip_early_cond", "s_min_uncond", "s_min_uncond_all"),
)
#: Those of them that are read where they are.
_SWITCHES = ("sd_vae", "s_min_uncond_all")


class DrawingRequest:
    """One request to draw, as it was sent."""

    def __init__(self, body: Mapping[str, Any], *, has_source: bool) -> None:
        """``has_source`` is true for ``img2img``; raises InvalidJob."""
        self.parameters = self._echo(body)  #: of the answer
        self.sends_images = body.get("send_images") is not False
        given = {name: value for name, value in body.items() if value is not None}
        self._fields, self._warnings = with_infotext(given)
        self._settings = _settings_of(self._fields)
        self.kind = _kind_of(self._fields, has_source=has_source)

    @staticmethod
    def _echo(body: Mapping[str, Any]) -> dict[str, Any]:
        """What was asked for, without passwords, and without pictures unless they are wanted."""
        hidden = ("url", "auth") if body.get("include_init_images") else ("url", "auth", *_IMAGES)
        return {name: value for name, value in body.items() if name not in hidden}

    def job_request(self, gateway: Gateway, caller: Caller, key: str | None) -> JobRequest:
        """The job that is asked for; blocks its thread. Raises InvalidJob and UnknownModel."""
        fields = self._own_fields()
        checkpoint = self._checkpoint(gateway, caller, fields)
        fields |= {"kind": self.kind, "model": checkpoint.model}
        if checkpoint.precision is not Precision.FP16:
            fields["precision"] = checkpoint.precision
        fields.setdefault("priority", Priority.INTERACTIVE)  # somebody waits
        if gateway.client.client.catalogue.get(checkpoint.model).has_previews:
            fields.setdefault("preview_every", PREVIEW_EVERY)
        task = fields.get("force_task_id")
        return JobRequest(
            fields,
            idempotency_key=key or (_key_of(task) if task else None),
            warnings=tuple(self._warnings),
            needs_worker=True,
        )

    def _own_fields(self) -> dict[str, Any]:
        fields = dict(self._fields)
        unknown = [name for name in fields if not _is_known(name, self.kind)]
        check_prompt_name(fields, unknown)
        for name in unknown:
            del fields[name]
            if name not in _QUIET:
                self._warnings.append(f"{name[:80]} is ignored: there is no such field")
        for name in _SAMPLERS:
            if fields.get(name) == "":
                del fields[name]
        schedule = str(fields.get("scheduler", "")).lower()
        if schedule in _NO_SCHEDULE and not any(name in fields for name in _SAMPLERS[:2]):
            del fields["scheduler"]
        pictures = Job.kinds[self.kind].picture_names
        if not pictures:  # it belongs to the second pass of `enable_hr`
            fields.pop("denoising_strength", None)
        if "mask" in pictures:
            self._read_mask(fields)
        _check_count(fields)
        return fields | self._kept_settings()

    def _read_mask(self, fields: dict[str, Any]) -> None:
        for name, (default, instead) in _MASK_DEFAULTS.items():
            if name in fields and fields[name] == default:
                del fields[name]
                self._warnings.append(f"{name} is ignored: {instead}")
        inverted = bool(fields.pop("inpainting_mask_invert", False))
        mask = with_files({"mask": fields["mask"]})["mask"]
        if isinstance(mask, bytes):
            fields |= {"mask": read_mask(mask, inverted=inverted), "mask_mode": "luminance"}
        elif inverted:
            raise InvalidJob("cannot be used with a reference", field="inpainting_mask_invert")

    def _kept_settings(self) -> dict[str, Any]:
        """The settings that jobs have too; others are those of A1111's own programs."""
        for name, value in self._settings.items():
            if value and name not in (*_KEPT_SETTINGS, *_MODEL_NAMES):
                self._warnings.append(
                    f"override_settings {name[:80]} is ignored: there is no such setting"
                )
        kept = {name: self._settings[name] for name in _KEPT_SETTINGS if name in self._settings}
        switches = {name: kept.pop(name) for name in _SWITCHES if name in kept}
        return kept | {"override_settings": switches} if switches else kept

    def _checkpoint(self, gateway: Gateway, caller: Caller, fields: dict[str, Any]) -> Checkpoint:
        """The model of the request, else that of the caller's options, else the farm's first."""
        named = [fields.pop(name, None) for name in _MODEL_NAMES]
        name = self._settings.get(_MODEL_NAMES[0]) or next(filter(None, named), None)
        has_skip = "clip_skip" in fields or "CLIP_stop_at_last_layers" in fields
        if name and has_skip:
            return find_checkpoint(gateway.client.client, name)
        options = read_options(gateway.client.client, caller)
        if options.clip_skip > 1 and not has_skip:
            fields["clip_skip"] = options.clip_skip
        if name:
            return find_checkpoint(gateway.client.client, name)
        return options.chosen(gateway, caller, self.kind)


def _settings_of(fields: dict[str, Any]) -> dict[str, Any]:
    settings = fields.pop("override_settings", None) or {}
    if not isinstance(settings, Mapping):
        raise InvalidJob("not an object", field="override_settings", value=settings)
    return {name: value for name, value in settings.items() if value is not None}


def _kind_of(fields: Mapping[str, Any], *, has_source: bool) -> str:
    if not has_source:
        return "text-to-image"
    if not fields.get("init_images"):
        raise InvalidJob("is required", field="init_images", allowed="a list of one picture")
    return "inpaint" if fields.get("mask") else "image-to-image"


def _is_known(name: str, kind: str) -> bool:
    own = Job.kinds[kind].model_fields
    return name in own or name in ALIASES or name in _COUNTS or is_field_of_a1111(name)


def _check_count(fields: Mapping[str, Any]) -> None:
    """Bound the pictures of one answer."""
    names = [name for name in fields if ALIASES.get(name, name) in ("n", "batch_size", "n_iter")]
    counts = [fields[name] for name in names]
    if not all(isinstance(count, int) for count in counts):
        allowed = f"1 to {MAX_PICTURES}"
        raise InvalidJob("must be whole numbers", field=", ".join(names), allowed=allowed)
    product = math.prod(counts)
    if product > MAX_PICTURES:
        raise InvalidJob(
            "too many pictures for one answer",
            field=", ".join(names),
            value=product,
            allowed=f"up to {MAX_PICTURES}",
            hint="POST /v1/jobs draws as many as you like",
        )


def _key_of(task: object) -> str:
    """A task's id is the key under which its job is found when the request comes again."""
    if not isinstance(task, str) or len(task) > _MOST_KEY_CHARACTERS:
        allowed = f"text of up to {_MOST_KEY_CHARACTERS} characters"
        raise InvalidJob("not a task's id", field="force_task_id", value=task, allowed=allowed)
    return task
