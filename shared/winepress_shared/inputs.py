"""The input pictures and sounds that jobs share, and what keeps them from being deleted.

Keys are relative to the farm's part of the store::

    inputs/SHA256.png           the picture, named by what is in it
    inputs/SHA256.png.used      empty; written whenever somebody finds the picture there already
    inputs/SHA256.png.leaving   the picture is about to be deleted

It works as with `pins`: whoever uses an input writes it, or ``used``, and then looks for
``leaving``; whoever deletes it writes ``leaving`` and then looks how old the others are. So at
least one of two at the same time gives way. Until ``job.json`` names the input, its youth is what
keeps it.
"""

from __future__ import annotations

from collections.abc import Mapping

from winepress_shared.errors import Conflict
from winepress_shared.polling import poll
from winepress_shared.stores.base import Store

USED = ".used"
LEAVING = ".leaving"
_LOOK_S = 0.2
_PATIENCE_S = 10.0  #: to delete one takes a few requests


def write(
    store: Store,
    key: str,
    data: bytes,
    content_type: str,
    metadata: Mapping[str, str] | None = None,
) -> None:
    """Write an input, or note that one that is there is used again; raises Conflict as `use`."""

    def is_new() -> bool:
        return store.put_new(key, data, content_type=content_type, metadata=metadata)

    if not is_new() and not use(store, key):
        is_new()  # the old one was deleted meanwhile


def use(store: Store, key: str) -> bool:
    """Keep an input as if it were new; False if it was deleted meanwhile.

    Raises Conflict if it is being deleted and that does not come to its end.
    """
    store.put(key + USED, b"")
    leaving = key + LEAVING
    if not poll(lambda: store.head(leaving) is None, every_s=_LOOK_S, timeout_s=_PATIENCE_S):
        raise Conflict(
            "this input is being deleted, for no job has used it for long",
            value=key,
            hint="Submit again later: a cleaning that was killed holds it for up to an hour, "
            "until the next `winepress clean`",
        )
    return store.head(key) is not None
