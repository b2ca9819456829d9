"""The messages for refused jobs."""

from __future__ import annotations

import difflib
import re
from collections.abc import Mapping

from pydantic import BaseModel, ValidationError
from pydantic_core import ErrorDetails

from winepress_shared.errors import InvalidJob
from winepress_shared.job_id import ID_FORM, ID_PATTERN
from winepress_shared.jobs.aliases import ALIASES

UNKNOWN_FIELD, UNKNOWN_KIND = "unknown field", "unknown job kind"  #: problems of an InvalidJob
#: pydantic's error type → our problem, and the allowed values with the limit filled in.
_COMPLAINTS = {
    "greater_than": ("too small", "more than {gt}"),
    "greater_than_equal": ("too small", "at least {ge}"),
    "less_than_equal": ("too large", "at most {le}"),
    "string_too_long": ("too long", "at most {max_length} characters"),
    "string_pattern_mismatch": ("not a valid name", "the names in `winepress models list`"),
}
#: The same for the values of requests, keys and settings, which are no fields of a job.
_OTHER_COMPLAINTS = _COMPLAINTS | {
    "string_pattern_mismatch": ("not in the right form", "what matches {pattern}"),
    "int_parsing": ("not a whole number", None),
    "int_from_float": ("not a whole number", None),
    "int_parsing_size": ("too large", None),
    "float_parsing": ("not a number", None),
    "finite_number": ("not a number", None),
    "bool_parsing": ("neither true nor false", "true, false"),
    "literal_error": ("no such value", "{expected}"),
    "enum": ("no such value", "{expected}"),
    "missing": ("is required", None),
}
_DECIMAL_COMMA = re.compile(r"([0-9]{1,9}),([0-9]{1,9})")  #: as German spreadsheets write 7.5
_PLAIN_NAME = re.compile(r"[\w.-]{1,64}")


def refusal_of(
    error: ValidationError, kind: type[BaseModel], kinds: Mapping[str, type[BaseModel]]
) -> InvalidJob:
    """Turn pydantic's first error into one plain sentence.

    ``kind`` is the class of the job, ``kinds`` all classes by the name of their kind.
    """
    # A mistyped name also makes the intended field missing.
    first = min(error.errors(include_url=False), key=lambda one: one["type"] != "extra_forbidden")
    field = ".".join(str(part) for part in first["loc"]) or None
    if first["type"] == "extra_forbidden" and field:
        return _unknown_field(field, kind, kinds)
    if first["type"] == "missing":
        return InvalidJob("is required", field=field)
    message = first["msg"][:1].lower() + first["msg"][1:]
    limits = first.get("ctx", {})
    problem, allowed = _COMPLAINTS.get(first["type"], (message, None))
    if limits.get("pattern") == ID_PATTERN:
        problem, allowed = "not the id of a job", ID_FORM
    allowed = allowed and allowed.format(**limits)
    comma = (
        _DECIMAL_COMMA.fullmatch(str(first["input"])) if first["type"] == "float_parsing" else None
    )
    hint = f"use a decimal point: {comma[1]}.{comma[2]}" if comma else None
    return InvalidJob(problem, field=field, value=first["input"], allowed=allowed, hint=hint)


def complaint_of(first: ErrorDetails) -> tuple[str, str | None]:
    """The problem with a value that is no field of a job, and what is allowed."""
    message = first["msg"].removeprefix("Value error, ")
    message = message[:1].lower() + message[1:]
    problem, allowed = _OTHER_COMPLAINTS.get(first["type"], (message, None))
    limits = {
        name: f"{limit:,.0f}" if isinstance(limit, float) and limit.is_integer() else limit
        for name, limit in first.get("ctx", {}).items()
    }
    return problem, allowed and allowed.format(**limits)


def _unknown_field(
    field: str, kind: type[BaseModel], kinds: Mapping[str, type[BaseModel]]
) -> InvalidJob:
    own = kind.model_fields
    others = [name for name, other in kinds.items() if field in other.model_fields]
    near = difflib.get_close_matches(field, [*own, *ALIASES], n=1)
    if others:
        hint = f"{own['kind'].default} jobs do not have it; {', '.join(others)} jobs do"
    else:
        hint = f"did you mean {near[0]!r}?" if near else f"known: {', '.join(own)}"
    if not _PLAIN_NAME.fullmatch(field):  # shown as a value: escaped and shortened
        return InvalidJob(UNKNOWN_FIELD, value=field, hint=hint)
    return InvalidJob(UNKNOWN_FIELD, field=field, hint=hint)
