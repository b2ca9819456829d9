"""The fields of a job in a file of any supported program."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from winepress.job_files.a1111 import warnings_of, without_switches
from winepress.job_files.given_file import with_files
from winepress.job_files.infotext import with_infotext
from winepress.job_files.openai_request import without_idle


def read_fields(
    values: Mapping[str, Any], folder: Path | None = None, *, has_user: bool = False
) -> tuple[dict[str, Any], list[str]]:
    """The fields that have an effect, and a warning for each field that is ignored.

    A value of None means not given. Paths are relative to ``folder``; without it they stay as they
    are. ``has_user`` keeps the field ``user``. Raises InvalidJob.
    """
    given = {name: value for name, value in values.items() if value is not None}
    told, ignored = with_infotext(given)
    fields, warnings = without_idle(told, has_user=has_user)
    warnings = [*ignored, *warnings, *warnings_of(fields)]
    return with_files(without_switches(fields), folder), warnings
