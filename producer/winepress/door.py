"""The names that `import winepress` promises; loaded when the first of them is asked for."""

from __future__ import annotations

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
from winepress_shared.job import ImageToImage, Inpaint, Priority, TextToImage
from winepress_shared.lane import Precision
from winepress_shared.state import JobState
from winepress_shared.zoom import ZoomVideo

__all__ = [
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
    "WinepressError",
    "WrongUsage",
    "ZoomVideo",
    "__version__",
]
