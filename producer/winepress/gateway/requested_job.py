"""The job that the fields of a request describe; the tools over stdio read it without FastAPI."""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Mapping
from typing import Any

from winepress.client import Client
from winepress.job_files.given_file import FILE_FIELDS
from winepress.job_files.written_job import read_fields
from winepress_shared.errors import InvalidJob
from winepress_shared.jobs.aliases import canonical_fields
from winepress_shared.jobs.job import Job, parse_job

_NOT_A_FILE = "a path or an address; a gateway opens neither"
_FILE_HINT = "Embed the file in base64 or as a data: URL, or upload it to /v1/uploads first"


def read_job(client: Client, fields: Mapping[str, Any]) -> tuple[Job, list[str]]:
    """The job that a request describes, and a warning for each field that is ignored.

    Decodes pictures, so call it in a thread. Raises InvalidJob.
    """
    values, warnings = read_fields(fields, has_user=False)
    check_files(values)
    model = values.get("model")
    if isinstance(model, str):
        values["model"] = client.settings.model_aliases.get(model, model)
    return parse_job(canonical_fields(values)), warnings


def check_prompt_name(fields: Mapping[str, Any], unknown: Iterable[str]) -> None:
    """Raise InvalidJob if there is no prompt, and a field that is dropped is nearly called so."""
    near = difflib.get_close_matches("prompt", unknown, n=1)
    if near and "prompt" not in fields:
        raise InvalidJob("unknown field", value=near[0], hint="did you mean 'prompt'?")


def check_files(values: Mapping[str, Any]) -> None:
    """Raise InvalidJob for a file that is given by a path or an address."""
    for name in FILE_FIELDS:
        _check_file(name, values.get(name))


def _check_file(name: str, value: object) -> None:
    for one in value if isinstance(value, list | tuple) else (value,):
        if isinstance(one, str) and not one.startswith("sha256:"):
            raise InvalidJob(_NOT_A_FILE, field=name, value=one, hint=_FILE_HINT)
