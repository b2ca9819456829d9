"""The models of a farm, with their job kinds, limits and defaults.

The built-in table is `catalogue.toml` beside this file; a farm may add entries with the setting
``catalogue`` (a path to a file of the same form). Unknown fields there are refused, not ignored.
"""

from __future__ import annotations

import difflib
import math
import secrets
from collections.abc import Mapping
from importlib import resources
from pathlib import Path
from typing import Self

from pydantic import ValidationError

from winepress_shared.errors import InvalidJob, UnknownModel, WrongUsage
from winepress_shared.jobs.job import MAX_SEED, MAX_UNITS, Job
from winepress_shared.jobs.picture_fields import FromPictures
from winepress_shared.jobs.quality import Quality
from winepress_shared.jobs.shared_call import call_of
from winepress_shared.lane import Lane
from winepress_shared.model import Model
from winepress_shared.option_checks import check_options, open_options, warnings_of
from winepress_shared.preset import preset_options
from winepress_shared.regular_file import read_regular
from winepress_shared.toml_text import parse_toml

#: Random seeds are below this, so that they are short enough to read aloud.
_RANDOM_SEEDS = 2**32
_MAX_FILE_BYTES = 2**20  #: of a table of models


class Catalogue:
    """All known models, by name."""

    def __init__(
        self, models: dict[str, Model], qualities: Mapping[str, Quality] | None = None
    ) -> None:
        """``qualities`` are the presets of jobs that name none; see `Settings.qualities`."""
        self._models = models
        self._qualities = qualities or {}
        for model in models.values():
            self._check_refiners(model)
        for lane in self._qualities:
            self._check_lane(lane)

    def _check_lane(self, lane: str) -> None:
        """Check that a preset is for a known model, in a precision it has."""
        name, dot, precision = lane.partition(".")
        model = self._models.get(name)
        if lane == "*" or (model and (not dot or precision in model.precisions)):
            return
        known = model.precisions if model else self._models
        near = difflib.get_close_matches(precision if model else name, known, n=1)
        raise WrongUsage(
            "a preset is given for a precision that the model lacks"
            if model
            else "a preset is given for an unknown model",
            field="qualities",
            value=lane,
            allowed=", ".join(known),
            hint=f"did you mean {near[0]!r}?" if near else None,
        )

    def _check_refiners(self, model: Model) -> None:
        """Check that every refiner is a known image-to-image model of the same family."""
        for name in model.refiners:
            second = self._models.get(name)
            if not second or second.family != model.family or "image-to-image" not in second.kinds:
                raise WrongUsage(
                    f"[{model.name}] refiners: no image-to-image model of its family",
                    value=name,
                )

    @classmethod
    def load(
        cls, extra: Path | None = None, qualities: Mapping[str, Quality] | None = None
    ) -> Self:
        """Read the built-in table and, if given, the farm's; raises WrongUsage."""
        text = resources.files(__package__).joinpath("catalogue.toml").read_text("utf-8")
        models = _read(text, "catalogue.toml")
        if extra is not None:
            try:
                text = read_regular(extra, _MAX_FILE_BYTES).decode("utf-8")
            except OSError as error:
                raise WrongUsage(
                    f"cannot read the catalogue: {error.strerror}", value=str(extra)
                ) from None
            except UnicodeDecodeError as error:
                raise WrongUsage(f"{extra} is not valid TOML: {error.reason}") from None
            models |= _read(text, str(extra))
        return cls(models, qualities)

    def plus(self, model: Model) -> Self:
        """A copy of the catalogue with one more entry."""
        return type(self)(self._models | {model.name: model}, self._qualities)

    @property
    def names(self) -> tuple[str, ...]:
        """Every known model."""
        return tuple(self._models)

    def get(self, name: str) -> Model:
        """The entry of ``name``; raises UnknownModel with the nearest name."""
        if name not in self._models:
            near = difflib.get_close_matches(name, self.names, n=1)
            raise UnknownModel(
                "unknown model",
                field="model",
                value=name,
                allowed=", ".join(self.names),
                hint=f"did you mean {near[0]!r}?" if near else None,
            )
        return self._models[name]

    def resolve(self, job: Job) -> Job:
        """Check ``job`` against its model and fill in every unset value.

        Sizes come from the input picture (rounded to the model's grid) or the model's default; a
        seed of ``-1`` or None becomes random. Raises InvalidJob or UnknownModel.
        """
        model = self.get(job.model)
        model.check(job)
        width, height = model.width, model.height
        if job.pictures and job.pictures[0].size and job.width is None and job.height is None:
            width, height = (model.snap(side) for side in job.pictures[0].size)
        values = open_options(model, job)
        strength = values.get("strength", job.source_strength)
        values |= {
            "width": job.width or width,
            "height": job.height or height,
            "num_inference_steps": job.num_inference_steps or _default_steps(model, strength),
            "scheduler": job.scheduler or model.scheduler,
            "quality": job.quality or self._quality_of(job.lane),
        }
        if job.seed is None or job.seed < 0:
            values["seed"] = secrets.randbelow(_RANDOM_SEEDS)
        resolved = job.model_copy(update=values)
        refiner = self._models.get(job.refinement.model) if job.refinement else None
        resolved = resolved.model_copy(update=preset_options(model, resolved, refiner))
        resolved = resolved.model_copy(update={"pictures_per_call": call_of(model, resolved)})
        resolved = resolved.resolve_companion(model.companion, self.resolve)
        resolved.check_resolved()
        check_options(model, resolved, self.get)
        if (resolved.seed or 0) + resolved.unit_count - 1 > MAX_SEED:
            most = MAX_SEED - resolved.unit_count + 1
            problem = "the seeds count up, and the last one is too large"
            raise InvalidJob(problem, field="seed", value=job.seed, allowed=f"up to {most}")
        return resolved

    def _quality_of(self, lane: Lane) -> Quality:
        """The farm's preset for a lane: that of model and precision, of the model, or of all."""
        names = (f"{lane.model}.{lane.precision}", lane.model, "*")
        found = (self._qualities[name] for name in names if name in self._qualities)
        return next(found, Quality.EXACT)

    def call_of_many(self, job: Job) -> int | None:
        """Pictures per call for many pictures like that of a resolved ``job``."""
        return call_of(self.get(job.model), job.model_copy(update={"n": MAX_UNITS}))

    def warnings(self, job: Job) -> tuple[str, ...]:
        """One sentence for each option of a resolved job that has no effect."""
        of_inputs = job.input_warnings if isinstance(job, FromPictures) else ()
        return (*warnings_of(self.get(job.model), job), *of_inputs)


def _default_steps(model: Model, strength: float) -> int:
    """The model's default, or more if the strength would leave no step to run."""
    return max(model.num_inference_steps, min(math.ceil(1 / strength), model.max_steps))


def _read(text: str, origin: str) -> dict[str, Model]:
    try:
        tables = parse_toml(text)
    except ValueError as error:
        raise WrongUsage(f"{origin} is not valid TOML: {error}") from None
    return {name: _model(name, table, f"{origin}: [{name}]") for name, table in tables.items()}


def _model(name: str, table: object, where: str) -> Model:
    if not isinstance(table, dict):
        raise WrongUsage(f"{where} is not a table", value=table)
    try:
        return Model(**(table | {"name": name}))
    except InvalidJob as error:  # an unknown scheduler
        raise WrongUsage(f"{where} {error}") from None
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
        field = ".".join(str(part) for part in first["loc"])
        raise WrongUsage(f"{where} {field}: {first['msg']}", value=first["input"]) from None
