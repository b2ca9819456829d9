"""The form of a job's id, which is in the store's keys and on the command line."""

from __future__ import annotations

from typing import Annotated

from pydantic import StringConstraints

ID_PATTERN = r"^[A-Za-z0-9][A-Za-z0-9_-]{0,63}$"
ID_FORM = "1 to 64 letters, digits, - and _"
JobId = Annotated[str, StringConstraints(pattern=ID_PATTERN)]
