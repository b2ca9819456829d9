"""The public names of `winepress`; loaded when the first of them is used."""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

from winepress.client import Client
from winepress.handle import JobHandle
from winepress_shared import __version__
from winepress_shared.errors import (
    BrokerUnreachable,
    Conflict,
    FarmUnreachable,
    InvalidJob,
    JobCanceled,
    JobExpired,
    JobFailed,
    NotFound,
    ObjectMissing,
    QueueFull,
    Refused,
    StoreRefused,
    StoreUnreachable,
    UnknownModel,
    WinepressError,
    WrongUsage,
)
from winepress_shared.jobs.job import ImageToImage, Inpaint, Priority, TextToImage
from winepress_shared.jobs.zoom import ZoomVideo
from winepress_shared.lane import Precision
from winepress_shared.state import JobState
from winepress_shared.webhook import Webhook, WebhookEvent

if TYPE_CHECKING:
    from winepress.aio.client import AsyncClient
    from winepress.aio.handle import AsyncJobHandle

__all__ = [
    "AsyncClient",
    "AsyncJobHandle",
    "BrokerUnreachable",
    "Client",
    "Conflict",
    "FarmUnreachable",
    "ImageToImage",
    "Inpaint",
    "InvalidJob",
    "JobCanceled",
    "JobExpired",
    "JobFailed",
    "JobHandle",
    "JobState",
    "NotFound",
    "ObjectMissing",
    "Precision",
    "Priority",
    "QueueFull",
    "Refused",
    "StoreRefused",
    "StoreUnreachable",
    "TextToImage",
    "UnknownModel",
    "Webhook",
    "WebhookEvent",
    "WinepressError",
    "WrongUsage",
    "ZoomVideo",
    "__version__",
]

#: Name → its module. Only programs with an event loop use them, and asyncio is slow to import.
_LATE = {"AsyncClient": "winepress.aio.client", "AsyncJobHandle": "winepress.aio.handle"}


def __getattr__(name: str) -> Any:
    if name not in _LATE:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(importlib.import_module(_LATE[name]), name)
