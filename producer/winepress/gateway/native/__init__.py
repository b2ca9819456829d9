"""Our own dialect: every job, batch, worker and lane of the farm under ``/v1``."""

from __future__ import annotations

import re

from winepress.gateway.dialect import Dialect, problem_json
from winepress.gateway.native import (
    events,
    farm,
    health,
    jobs,
    metrics,
    ready_work,
    results,
    schedulers,
    uploads,
)
from winepress.gateway.webhooks import routes as webhooks

DIALECT = Dialect(
    "native",
    (
        jobs.router,
        events.router,
        results.router,
        uploads.router,
        farm.router,
        ready_work.router,
        webhooks.router,
        schedulers.router,
        health.router,
        metrics.router,
    ),
    re.compile(r"/"),  # the last one asked: what belongs to no other dialect
    problem_json,
)
