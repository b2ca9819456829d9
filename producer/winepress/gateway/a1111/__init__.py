"""The dialect of A1111, Stable Diffusion web UI: ``/sdapi/v1``, and what its clients probe."""

from __future__ import annotations

import re

from winepress.gateway.a1111 import (
    drawing,
    extras,
    farm_lists,
    interruption,
    options,
    png_info,
    progress,
)
from winepress.gateway.a1111.error_form import ERRORS, error_form
from winepress.gateway.dialect import Dialect

DIALECT = Dialect(
    "a1111",
    (
        drawing.router,
        progress.router,
        interruption.router,
        options.router,
        farm_lists.router,
        png_info.router,
        extras.router,
    ),
    re.compile(r"/(?:sdapi|internal)(?:/|$)"),
    error_form,
    ERRORS,
)
