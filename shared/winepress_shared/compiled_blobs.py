"""Where compiled blobs lie in the store: workers write them there, and a cleaning deletes them."""

from __future__ import annotations

BLOBS = "blobs/"  #: of the farm's part of the store
