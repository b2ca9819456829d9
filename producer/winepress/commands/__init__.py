"""The commands of the producer; other packages add theirs through entry points."""

from __future__ import annotations

from winepress.commands import (
    batch,
    clean,
    farm,
    fetch,
    gateway,
    info,
    jobs,
    keys,
    limits,
    mcp,
    metrics,
    pause,
    recover,
    submit,
    top,
    watch,
    webhooks,
    zoom,
)

#: Functions that add their sub-commands to a parser.
COMMANDS = (
    submit.register,
    zoom.register,
    batch.register,
    jobs.register,
    pause.register,
    limits.register,
    watch.register,
    fetch.register,
    farm.register,
    recover.register,
    clean.register,
    top.register,
    gateway.register,
    metrics.register,
    mcp.register,
    webhooks.register,
    keys.register,
    info.register,
)
