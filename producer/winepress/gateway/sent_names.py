"""Errors of a request name its fields as the client has sent them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager

from winepress.job_files.given_names import given_names
from winepress_shared.errors import WinepressError

_HEADERS = {"idempotency_key": "Idempotency-Key"}


@contextmanager
def named_as_sent(
    body: Mapping[str, object], unsaid: Mapping[str, str] | None = None
) -> Iterator[None]:
    """Errors that are raised inside name fields of a job as ``body`` does.

    ``unsaid`` says for fields that are not in it what decides them in this dialect.
    """
    try:
        yield
    except WinepressError as error:
        if error.field is not None:
            names = given_names(
                error.field, [one for one, value in body.items() if value is not None]
            )
            if not names:
                names = [(_HEADERS | dict(unsaid or {})).get(error.field, error.field)]
            if names == ["infotext"]:
                names.append(error.field)
            if names == ["size"]:  # one side was not given alone
                error.value = body["size"]
            error.field = ", ".join(names)
        raise
