"""Lists in the form of OpenAI: ``limit``, and ``after`` with the last id of the page before."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from winepress_shared.errors import NotFound

MOST_ON_A_PAGE = 100


def page_json(
    ids: Sequence[str], after: str | None, limit: int, read: Callable[[str], dict[str, Any] | None]
) -> dict[str, Any]:
    """The page of ``ids``, in their order, that comes after the id ``after``.

    ``read`` is called with the ids of the page; it returns None for what was deleted meanwhile.
    """
    first = 0
    if after is not None:
        if after not in ids:
            raise NotFound("no such entry of the list", field="after", value=after)
        first = ids.index(after) + 1
    shown = ids[first : first + limit]
    data = [found for found in map(read, shown) if found is not None]
    return {
        "object": "list",
        "data": data,
        "first_id": shown[0] if shown else None,
        "last_id": shown[-1] if shown else None,
        "has_more": first + limit < len(ids),
    }
