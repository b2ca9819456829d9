"""The plan of a batch file: every picture checked, priced and sorted by lane; nothing is queued."""

from __future__ import annotations

import hashlib
import random
from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from itertools import islice
from pathlib import Path
from typing import Any

from winepress.bulk.line import Line, OnFault, raise_fault
from winepress.bulk.matrix import Matrix
from winepress.bulk.run import Run
from winepress.bulk.wildcards import Wildcards
from winepress_shared.catalogue import Catalogue
from winepress_shared.cost import megapixel_steps
from winepress_shared.documents import MAX_NAME_CHARACTERS
from winepress_shared.errors import InvalidJob, WinepressError
from winepress_shared.items import Item
from winepress_shared.jobs.aliases import canonical_fields
from winepress_shared.jobs.foreign_syntax import warning_of_syntax
from winepress_shared.jobs.job import MAX_UNITS, Job, Priority, parse_job
from winepress_shared.jobs.picture import WHITE, Picture
from winepress_shared.jobs.picture_fields import load_picture, read_background
from winepress_shared.jobs.plain_text import check_text
from winepress_shared.lane import Lane
from winepress_shared.option_checks import syntax_in

MAX_ITEMS = 100_000  #: pictures of one file, with matrix and wildcards
MAX_INPUT_BYTES = 512 * 2**20  #: of all input pictures of one file, as they are stored


@dataclass(frozen=True)
class PlanOptions:
    """How the lines of a file are read."""

    folder: Path = field(default_factory=Path)  #: what the paths of pictures are relative to
    defaults: dict[str, Any] = field(default_factory=dict)  #: of fields that a line does not give
    matrix: Matrix = field(default_factory=Matrix)
    wildcards: Wildcards | None = None  #: None leaves prompts as they are
    every_combination: bool = False  #: of the wildcards, instead of a random one
    pick_seed: int = 0  #: of the random choices; the same file gives the same pictures


@dataclass
class Group:
    """The pictures of one lane and priority."""

    lane: Lane
    priority: Priority
    items: list[bytes] = field(default_factory=list)  #: as `Item.encode` writes them
    cost: float = 0.0  #: megapixel-steps
    together: int = 1  #: the most pictures that share a call
    #: Of the jobs as given: with a random seed every digest would be different.
    asked: hashlib._Hash = field(default_factory=hashlib.sha256)

    def jobs(self) -> Iterator[list[bytes]]:
        """The items, in portions of one job each."""
        for first in range(0, len(self.items), MAX_UNITS):
            yield self.items[first : first + MAX_UNITS]


class Plan:
    """Every picture of a file; built line by line."""

    def __init__(self, catalogue: Catalogue, options: PlanOptions) -> None:
        self._catalogue = catalogue
        self._options = options
        self._loaded: dict[tuple[str | bytes, ...], Picture] = {}  # field, file, options of reading
        self._loaded_bytes = 0  # of all input pictures, as they are stored
        self._names: dict[str, int] = {}  # name → line
        self._runs: dict[tuple[Lane, Priority], Run] = {}  # of the group with this key
        self.groups: dict[tuple[Lane, Priority], Group] = {}
        self.lines = 0
        self._warnings: Counter[str] = Counter()  # sentence → number of pictures
        self._syntax: dict[str, None] = {}  # prompt syntax of other programs
        self._with_syntax = 0  # pictures with such syntax

    @property
    def count(self) -> int:
        """Number of pictures."""
        return sum(len(group.items) for group in self.groups.values())

    @property
    def cost(self) -> float:
        """Megapixel-steps of all pictures together."""
        return sum(group.cost for group in self.groups.values())

    @property
    def warnings(self) -> dict[str, int]:
        """Sentence about an option that is ignored → the number of pictures."""
        found = dict(self._warnings)
        if self._syntax:
            found[warning_of_syntax(list(self._syntax))] = self._with_syntax
        return found

    @property
    def inputs(self) -> list[Picture]:
        """The different input pictures."""
        return list({picture.reference: picture for picture in self._loaded.values()}.values())

    def add(self, lines: Iterable[Line], on_fault: OnFault = raise_fault) -> None:
        """Add every line; ``on_fault`` is called with the fault of each invalid one.

        After a fault the plan has a part of the pictures of its line.
        """
        count = self.count
        for line in lines:
            self.lines += 1
            try:
                self._check_name(line)
                for job in islice(self._jobs(line), MAX_ITEMS - count + 1):
                    count += 1
                    if count > MAX_ITEMS:
                        raise InvalidJob("too many pictures", allowed=f"{MAX_ITEMS} at once")
                    self._put(job, line)
            except WinepressError as error:
                on_fault(line.fault(error))
                if count > MAX_ITEMS:
                    break
        for key, run in self._runs.items():
            run.close()
            self.groups[key].together = run.together

    def check_any(self) -> None:
        """Raise InvalidJob if the plan has no picture."""
        if not self.count:
            raise InvalidJob(
                "the file contains no pictures",
                hint="Empty lines, comments and the header of a CSV file do not count",
            )

    def _check_name(self, line: Line) -> None:
        check_text(line.name, "custom_id")
        if len(line.name) > MAX_NAME_CHARACTERS:
            raise InvalidJob(
                "the name is too long",
                field="custom_id",
                value=line.name,
                allowed=f"{MAX_NAME_CHARACTERS} characters",
            )
        if line.name and self._names.setdefault(line.name, line.number) != line.number:
            raise InvalidJob(
                f"line {self._names[line.name]} has the same name",
                field="custom_id",
                value=line.name,
            )

    def _jobs(self, line: Line) -> Iterator[Job]:
        """Every picture of a line, as a job of one unit."""
        given = canonical_fields(self._options.defaults) | canonical_fields(line.values)
        for cell, values in enumerate(self._options.matrix.cells()):
            first = parse_job(self._with_pictures(given | values))
            if not self._options.wildcards:
                for unit in range(first.n):
                    yield first.for_unit(unit)
                continue
            chance = random.Random(  # noqa: S311 - chooses words and guards nothing
                f"{self._options.pick_seed} {line.number} {cell}"
            )
            for unit, texts in self._texts(first, self._options.wildcards, chance):
                one = first.for_unit(unit)
                # Checked again: the expanded text may be too long.
                fields = dict(one)
                yield one if texts.items() <= fields.items() else parse_job(fields | texts)

    def _texts(
        self, job: Job, wildcards: Wildcards, chance: random.Random
    ) -> Iterator[tuple[int, dict[str, str]]]:
        """(unit, its prompt and negative prompt) for every picture of a job."""

        def readings(field: str) -> Iterator[str]:
            text = getattr(job, field)
            try:
                if self._options.every_combination:
                    yield from wildcards.every(text)
                else:
                    yield wildcards.pick(text, chance)
            except InvalidJob as error:
                error.field = field
                raise

        units = range(job.n)
        if self._options.every_combination:
            for prompt in readings("prompt"):
                for negative in readings("negative_prompt"):
                    yield from ((unit, _texts(prompt, negative)) for unit in units)
        else:
            for unit in units:
                yield unit, _texts(next(readings("prompt")), next(readings("negative_prompt")))

    def _with_pictures(self, values: dict[str, Any]) -> dict[str, Any]:
        """Load each input picture once, however many items use it."""
        how: dict[str, Any] = {
            "background": read_background(values.get("background") or WHITE),
            "mask_mode": values.get("mask_mode") or "auto",
        }
        for name in ("image", "mask"):
            value = values.get(name)
            if isinstance(value, bytes) or (isinstance(value, str) and value[:7] != "sha256:"):
                values = {**values, name: self._load(name, value, how)}
        return values

    def _load(self, name: str, given: str | bytes, how: dict[str, Any]) -> Picture:
        key = (name, given, *map(str, how.values()))
        if key not in self._loaded:
            source = self._options.folder / given if isinstance(given, str) else given
            picture = self._loaded[key] = load_picture(name, source, **how)
            self._loaded_bytes += len(picture.png or b"")
            if self._loaded_bytes > MAX_INPUT_BYTES:
                raise InvalidJob("too many input pictures", allowed=f"{MAX_INPUT_BYTES >> 20} MiB")
        return self._loaded[key]

    def _put(self, job: Job, line: Line) -> None:
        resolved = self._catalogue.resolve(job)
        if not resolved.is_picture:
            raise InvalidJob(f"{job.kind} jobs cannot be part of a batch file", field="kind")
        key = (resolved.lane, resolved.priority)
        group = self.groups.setdefault(key, Group(*key))
        group.asked.update(job.model_dump_json().encode())
        warnings = (*self._catalogue.warnings(resolved), *line.warnings)
        self._warnings.update(warnings)
        syntax = syntax_in(resolved)
        if syntax:
            self._syntax |= dict.fromkeys(syntax)
            self._with_syntax += 1
            warnings += (warning_of_syntax(syntax),)
        run = self._runs.setdefault(key, Run(self._catalogue, group.items))
        run.add(Item(resolved, line.name, line.number, warnings))
        group.cost += megapixel_steps(resolved)


def _texts(prompt: str, negative: str) -> dict[str, str]:
    return {"prompt": prompt, "negative_prompt": negative}
