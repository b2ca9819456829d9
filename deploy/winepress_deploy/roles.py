"""Who holds a key of a farm's own servers, and what for."""

from __future__ import annotations

from enum import StrEnum


class Role(StrEnum):
    """Each has a key of its own to the broker and the store; see SECURITY.md."""

    OPERATOR = "operator"  #: looks after the farm: publishes models, recovers, does all of below
    PRODUCER = "producer"  #: submits jobs and fetches their pictures
    GATEWAY = "gateway"  #: a producer for many users: lists the jobs of the store as well
    WORKER = "worker"  #: draws
    FLOWER = "flower"  #: shows the farm; has no key to the store


#: Those that have a key to the store.
STORE_ROLES = (Role.OPERATOR, Role.PRODUCER, Role.GATEWAY, Role.WORKER)
