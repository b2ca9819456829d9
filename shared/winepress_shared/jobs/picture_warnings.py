"""Collects Pillow's warnings about a picture in the thread that reads it."""

from __future__ import annotations

import threading
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from PIL import Image

from winepress_shared.per_process import PerProcess

# `warnings.catch_warnings` changes the whole process: if two threads leave it in another order than
# they entered, the first one's filters stay.
_ALONE = PerProcess(threading.Lock)


@contextmanager
def heard_warnings() -> Iterator[list[str]]:
    """Collect the texts of this thread's warnings; a decompression bomb's is raised instead."""
    heard: list[str] = []
    reader = threading.get_ident()
    with _ALONE.get(), warnings.catch_warnings():
        show_elsewhere = warnings.showwarning

        def show(message: Warning | str, category: type[Warning], *place: Any, **more: Any) -> None:
            if threading.get_ident() == reader:
                heard.append(" ".join(str(message).split()).rstrip("."))
            else:
                show_elsewhere(message, category, *place, **more)

        warnings.showwarning = show
        warnings.simplefilter("always")
        warnings.simplefilter("error", Image.DecompressionBombWarning)
        yield heard
