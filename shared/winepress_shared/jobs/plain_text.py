"""Checks that text from outside has no control characters."""

from __future__ import annotations

import re

from pydantic import BeforeValidator, ValidationInfo

from winepress_shared.errors import InvalidJob

#: C0 except tab and line ends, DEL, C1, and surrogates, which UTF-8 cannot encode.
_CONTROL = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f\ud800-\udfff]")


def check_text(text: str, field: str | None) -> str:
    """Return ``text``; raises InvalidJob if a picture file could not hold it."""
    found = _CONTROL.search(text)
    if found:
        raise InvalidJob(
            f"contains a control character, U+{ord(found[0]):04X}, at position {found.start() + 1}",
            field=field,
            value=text[max(found.start() - 20, 0) : found.end() + 20],
            allowed="text with no control characters except tab and line ends",
        )
    return text


def _checked(value: object, info: ValidationInfo) -> object:
    return check_text(value, info.field_name) if isinstance(value, str) else value


#: For a job's field, after its other bounds; the field's type refuses other values than text.
NO_CONTROLS = BeforeValidator(_checked)
