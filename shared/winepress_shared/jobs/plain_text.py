"""Text from outside that goes into files and onto terminals: no control characters."""

from __future__ import annotations

import re

from pydantic import BeforeValidator, ValidationInfo

from winepress_shared.errors import InvalidJob

#: C0 but tab and the ends of lines, DEL, C1, and halves of characters, which UTF-8 cannot hold.
_CONTROL = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f\ud800-\udfff]")


def check_text(text: str, field: str | None) -> str:
    """``text`` itself; raises InvalidJob for one that no picture file could carry."""
    found = _CONTROL.search(text)
    if found:
        raise InvalidJob(
            f"holds a control character, U+{ord(found[0]):04X}, as character {found.start() + 1}",
            field=field,
            value=text[max(found.start() - 20, 0) : found.end() + 20],
            allowed="text, and of control characters tab and the ends of lines",
        )
    return text


def _checked(value: object, info: ValidationInfo) -> object:
    return check_text(value, info.field_name) if isinstance(value, str) else value


#: On a field of a job, behind its other bounds; what is no text is left to the field's type.
NO_CONTROLS = BeforeValidator(_checked)
