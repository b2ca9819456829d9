"""What keeps the objects of a job from being deleted.

It is in the store, because that outlives what the broker knows.

Keys are relative to the farm's part of the store::

    jobs/ID/pinned         somebody wants the objects kept, whatever their age
    jobs/ID/recuts/OTHER   job OTHER cuts its film from these key frames
    jobs/ID/leaving        the objects are about to be deleted

Whoever wants them kept writes first and then looks for ``leaving``; whoever deletes writes
``leaving`` first and then looks for the others. So at least one of two at the same time gives way.
"""

from __future__ import annotations

from winepress_shared.errors import Conflict
from winepress_shared.stores.base import Store

PINNED = "pinned"
LEAVING = "leaving"
RECUTS = "recuts/"


def pin(store: Store, job_id: str) -> None:
    """Keep the objects of a job until `unpin`; raises Conflict if they are being deleted."""
    _keep(store, job_id, PINNED)


def unpin(store: Store, job_id: str) -> None:
    """Let the objects of a job go with their age."""
    store.delete(f"jobs/{job_id}/{PINNED}")


def is_pinned(store: Store, job_id: str) -> bool:
    """Whether somebody wants the objects of a job kept."""
    return store.head(f"jobs/{job_id}/{PINNED}") is not None


def keep_for(store: Store, job_id: str, other: str) -> None:
    """Keep the objects of a job for as long as the farm knows ``other``; raises Conflict as `pin`.

    Nothing has to undo it: a job that is gone keeps nothing.
    """
    _keep(store, job_id, f"{RECUTS}{other}")


def _keep(store: Store, job_id: str, name: str) -> None:
    key = f"jobs/{job_id}/{name}"
    store.put(key, b"")
    if store.head(f"jobs/{job_id}/{LEAVING}") is not None:
        store.delete(key)
        raise Conflict("the objects of this job are being deleted", value=job_id)
