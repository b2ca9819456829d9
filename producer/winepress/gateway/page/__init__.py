"""The page: a person opens the gateway's address, types a prompt and watches."""

from __future__ import annotations

import re

from winepress.gateway.dialect import Dialect, problem_json
from winepress.gateway.page import routes

DIALECT = Dialect(
    "page",
    (routes.router,),
    re.compile(r"/(page/.*|favicon\.ico)?$"),
    problem_json,
)
