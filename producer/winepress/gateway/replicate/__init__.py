"""The dialect of Replicate and Cog: predictions, and models with versions."""

from __future__ import annotations

import re

from winepress.gateway.dialect import Dialect, problem_json
from winepress.gateway.replicate import models, predictions

DIALECT = Dialect(
    "replicate",
    (predictions.router, models.router, models.foreign),
    re.compile(
        r"/v1/(?:(?:predictions|models/winepress)(?:/|$)|models/[^/]+/[^/]+/(?:predictions|versions))"
    ),
    problem_json,  # Replicate's own errors are in this form
)
