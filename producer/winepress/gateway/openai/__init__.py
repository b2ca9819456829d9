"""The dialect of OpenAI: pictures, edits, models, files and batches under ``/v1``."""

from __future__ import annotations

import re

from winepress.gateway.dialect import Dialect
from winepress.gateway.openai import batches, files, images, models
from winepress.gateway.openai.answer_schemas import ERROR
from winepress.gateway.openai.errors import openai_error

#: Families of OpenAI's API; most of them have no route here, and a helpful answer.
_FAMILIES = (
    "images|models|files|batches|chat|completions|responses|embeddings|audio|moderations|videos"
)

DIALECT = Dialect(
    "openai",
    (images.router, models.router, files.router, batches.router),
    # Also without /v1, which is easily left out of a client's base address.
    re.compile(rf"/(?:v1/)?(?:{_FAMILIES})(?:/|$)"),
    openai_error,
    {"application/json": {"schema": ERROR}},
)
