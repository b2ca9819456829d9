"""The schemas of all documents that are read from the store or the broker, and how to read them.

Everybody with write access decides what these documents contain. So each has a limit of its size.
A document that asks for something is refused if it has an unknown field, which might change its
meaning. A document that reports something may have unknown fields, because the workers of a farm
are updated one by one.
"""

from __future__ import annotations

import json
import logging
import re
from collections.abc import Mapping
from typing import Annotated, Any, Literal, TypeVar

from pydantic import BaseModel, ConfigDict, Field, StringConstraints, ValidationError

from winepress_shared.errors import FailForGood, LaterVersion
from winepress_shared.job_id import JobId
from winepress_shared.settings import USER_PATTERN
from winepress_shared.webhook import MAX_URL_CHARACTERS, WebhookEvent, WebhookForm

log = logging.getLogger(__name__)

FORMAT_VERSION = 1  #: of ``job.json`` and ``result.json``
MAX_JOB_BYTES = 32 * 2**20  #: a thousand prompts of maximal length take 24 MB, escaped
MAX_ITEMS_BYTES = 64 * 2**20  #: the same for 500 items with two prompts each
MAX_RESULT_BYTES = 64 * 2**20  #: ten thousand pictures take 6 MB
MAX_NAME_CHARACTERS = 512  #: of an item
MAX_FACTS_CHARACTERS = 2**20  #: of the description of a worker
_UNIT = re.compile(r"[0-9]{1,7}")
_MAX_UNITS = 10_000
_MAX_MOMENT = 1e11  #: Unix seconds; in milliseconds it is still a whole number in Lua

Moment = Annotated[float, Field(ge=0, le=_MAX_MOMENT, allow_inf_nan=False)]
Amount = Annotated[float, Field(ge=0, le=1e15, allow_inf_nan=False)]
Count = Annotated[int, Field(ge=0, le=2**53 - 1)]
Minute = Annotated[int, Field(ge=0, lt=24 * 60)]
Word = Annotated[str, StringConstraints(max_length=255)]
Text = Annotated[str, StringConstraints(max_length=5000)]
#: Not strict: JSON gives a list.
Warnings = Annotated[tuple[Text, ...], Field(max_length=200, strict=False)]
Unit = Annotated[int, Field(ge=0, le=_MAX_UNITS)]

D = TypeVar("D", bound=BaseModel)


class _Order(BaseModel):
    """Asks for something; unknown fields are refused."""

    model_config = ConfigDict(strict=True, extra="forbid", frozen=True)


class _Report(BaseModel):
    """Reports something; unknown fields are ignored."""

    model_config = ConfigDict(strict=True, extra="ignore", frozen=True)


class WindowDocument(_Order):
    """A part of the day."""

    opens: Minute
    closes: Minute


class WebhookDocument(_Order):
    """What is told of a job's events."""

    url: Annotated[str, StringConstraints(max_length=MAX_URL_CHARACTERS)]
    events: Annotated[
        tuple[Annotated[WebhookEvent, Field(strict=False)], ...],
        Field(min_length=1, max_length=len(WebhookEvent), strict=False),
    ]
    origin: Annotated[str, StringConstraints(max_length=MAX_URL_CHARACTERS)] = ""
    form: Annotated[WebhookForm, Field(strict=False)] = WebhookForm.NATIVE


class JobDocument(_Order):
    """``job.json``; `Job` has the schema of the field ``job``."""

    version: Literal[1]
    id: JobId
    user: Annotated[str, StringConstraints(pattern=USER_PATTERN)]
    lane: Word
    digest: Annotated[str, StringConstraints(pattern=r"^[!-~]{0,64}$")]
    idempotency_key: Annotated[str, StringConstraints(pattern=r"^[!-~]{0,255}$")]
    expires: Moment | None
    starts: Moment | None = None
    window: WindowDocument | None = None
    cost: Amount | None = None
    warnings: Warnings = ()
    webhook: WebhookDocument | None = None
    job: dict[str, Any]


class ItemDocument(_Order):
    """One line of the items of a batch."""

    name: Annotated[str, StringConstraints(max_length=MAX_NAME_CHARACTERS)]
    line: Count
    warnings: Warnings = ()
    job: dict[str, Any]


class OutputDocument(_Report):
    """One output without its unit: object metadata and rows of the ledger."""

    key: Annotated[
        str, StringConstraints(pattern=r"^jobs/[A-Za-z0-9_-]{1,64}/out/[0-9]{6}\.[a-z0-9]{2,8}$")
    ]
    sha256: Annotated[str, StringConstraints(pattern=r"^[0-9a-f]{64}$")]
    size: Count
    seed: Annotated[int, Field(ge=0, lt=2**63)]
    width: Annotated[int, Field(ge=1, le=2**16)]
    height: Annotated[int, Field(ge=1, le=2**16)]
    device: Word
    worker: Word
    render_s: Amount
    attempts: Count = 1
    batch: Count = 1
    warnings: Warnings = ()
    frames: Count = 0


class UnitOutputDocument(OutputDocument):
    """One output of ``result.json``."""

    unit: Unit


class FailureDocument(_Report):
    """Why a unit has no output: a row of the ledger."""

    error: Word
    message: Text


class UnitFailureDocument(FailureDocument):
    """One failure of ``result.json``."""

    unit: Unit


class ResultDocument(_Report):
    """``result.json``."""

    version: Literal[1]
    id: JobId
    outputs: Annotated[tuple[UnitOutputDocument, ...], Field(max_length=_MAX_UNITS + 1)]
    failures: Annotated[tuple[UnitFailureDocument, ...], Field(max_length=_MAX_UNITS + 1)]


class FactsDocument(_Report):
    """The descriptions of a worker and of its renderer; every field may be missing."""

    model_config = ConfigDict(extra="allow")
    host: Word = ""
    pid: Count = 0
    device: Word = "?"
    lanes: list[Word] = []
    warm: list[Word] = []
    load_s: dict[Word, Amount] = {}
    seconds_per_picture: dict[Word, Amount] = {}
    megapixel_steps_per_s: dict[Word, Amount] = {}
    step_s: Amount = 0.0
    rss_mib: Amount = 0.0
    model_mib: Amount = 0.0
    memory_budget: Count = 0
    too_large: dict[Word, Count] = {}
    staged: list[Word] = []
    unfit: dict[Word, str] = {}
    pictures_per_call: dict[Word, Count] = {}


class DeliveryDocument(_Report):
    """A delivery to a webhook: a hash of the broker, whose values are text."""

    model_config = ConfigDict(strict=False)
    job: JobId
    user: Word
    event: Word
    created: Count  #: in ms
    state: Word


class TryDocument(_Report):
    """One try to deliver it."""

    at: Moment
    status: Count | None
    ms: Count
    error: Text = ""


class OfferDocument(_Report):
    """A published model, as a worker machine's index of the registry holds it."""

    lane: Word  #: without a device
    memory_bytes: Annotated[int, Field(gt=0, le=2**53 - 1)] | None = None  #: None: not measured


class OffersDocument(_Report):
    """The index of the registry; its reader skips lanes that this version does not know."""

    offers: Annotated[tuple[OfferDocument, ...], Field(max_length=10_000, strict=False)]


def read_document(form: type[D], data: bytes | str, name: str) -> D:
    """Parse ``data`` by the schema ``form``; raises FailForGood that says what is wrong."""
    try:
        return form.model_validate_json(data)
    except ValidationError as error:
        kind = LaterVersion if _is_of_later(error) else FailForGood
        raise kind(f"{name} is damaged: {_complaint(error)}") from None


def read_facts(text: str | None) -> dict[str, Any]:
    """The description of a worker; empty if it is invalid."""
    if not text:
        return {}
    try:
        if len(text) > MAX_FACTS_CHARACTERS:
            raise ValueError
        FactsDocument.model_validate_json(text)
        facts: dict[str, Any] = json.loads(text)
        return facts
    except (ValueError, RecursionError):
        log.warning("the description of a worker is invalid and is ignored")
        return {}


def read_rows(units: Mapping[str, str]) -> dict[int, dict[str, Any]]:
    """Unit → row of the ledger, in the order of the units."""
    named = sorted((int(unit), text) for unit, text in units.items() if _UNIT.fullmatch(unit))
    return {unit: _read_row(text) for unit, text in named}


def _read_row(text: str) -> dict[str, Any]:
    """One row; an invalid row becomes a failure."""
    try:
        row = json.loads(text)
    except (ValueError, RecursionError):
        row = None
    if isinstance(row, dict):
        return row
    return {"error": FailForGood.__name__, "message": "the broker's record of this unit is damaged"}


def _is_of_later(error: ValidationError) -> bool:
    """Whether nothing is wrong but what a later version may have added."""
    return all(
        one["type"] == "extra_forbidden" or one["loc"] == ("version",) for one in error.errors()
    )


def _complaint(error: ValidationError) -> str:
    """The first complaint of pydantic, in our words where those of pydantic mislead."""
    first = error.errors(include_url=False, include_input=False)[0]
    field = ".".join(str(part) for part in first["loc"])[:80]
    if first["type"] == "extra_forbidden":
        return f"unknown field {field!r}; a later version of Winepress may have written it"
    if field == "version":
        return "another version of Winepress has written it"
    return f"{field}: {first['msg']}" if field else first["msg"]
