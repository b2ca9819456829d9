"""Ask a farm for pictures, wait for them, fetch them.

::

    from winepress import Client, TextToImage

    client = Client.from_env()
    job = client.submit(TextToImage(prompt="a red apple on a teal background", seed=7))
    job.wait(timeout=60).images[0].save("apple.png")
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from winepress.api import *  # noqa: F403 - exactly its __all__


def __getattr__(name: str) -> Any:
    """Load the public names at first use, so that the command can listen for Ctrl-C before."""
    api = importlib.import_module("winepress.api")
    if name in ("__all__", *api.__all__):
        return getattr(api, name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def __dir__() -> list[str]:
    """The public names, whether they are loaded or not."""
    return sorted(importlib.import_module("winepress.api").__all__)
