"""The names under which a request or a file gives the fields of a job; its errors use them."""

from __future__ import annotations

from collections.abc import Iterable

from winepress.job_files.infotext import INFOTEXT_FIELDS
from winepress_shared.jobs.aliases import ALIASES

#: Name → the fields that it gives, in addition to `ALIASES`.
_PARTS = {
    "size": ("width", "height"),
    "batch_size": ("n",),
    "n_iter": ("n",),
    "init_images": ("image",),
    "images": ("image",),
    "stop_at_clip_layer": ("clip_skip",),
    "output_compression": ("output_quality",),
    "partial_images": ("preview_every",),
    "force_task_id": ("idempotency_key",),
    "infotext": tuple(ALIASES.get(name, name) for name in INFOTEXT_FIELDS),
}


def given_names(field: str, given: Iterable[str]) -> list[str]:
    """Which of the names ``given`` give field ``field`` of a job; an infotext only if no other."""
    found = [name for name in given if field in (name, ALIASES.get(name), *_PARTS.get(name, ()))]
    return [name for name in found if name != "infotext"] or found
