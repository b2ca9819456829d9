"""The roles that have a key to a farm's own servers."""

from __future__ import annotations

from enum import StrEnum


class Role(StrEnum):
    """Each has its own key to the broker and the store; see SECURITY.md."""

    OPERATOR = "operator"  #: publishes models, recovers jobs, and may do all of the below
    PRODUCER = "producer"  #: submits jobs and fetches their results
    GATEWAY = "gateway"  #: a producer for many users; lists jobs, and keeps its keys in the store
    WORKER = "worker"  #: renders
    FLOWER = "flower"  #: shows the farm; has no key to the store


#: The roles that have a key to the store.
STORE_ROLES = (Role.OPERATOR, Role.PRODUCER, Role.GATEWAY, Role.WORKER)
