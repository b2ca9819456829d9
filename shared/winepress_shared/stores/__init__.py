"""The stores of inputs, outputs and prepared models."""

from __future__ import annotations

from winepress_shared.settings import Settings
from winepress_shared.stores.base import Store
from winepress_shared.stores.farm import FarmStore


def open_store(settings: Settings) -> Store:
    """The farm's part of the folder ``store_folder`` if set, else of the S3 bucket.

    Every key there starts with the farm's name, so farms may share a folder or a bucket. Opening
    does not connect: call ``check`` to test the store. Raises WrongUsage for invalid settings.
    """
    return FarmStore(_open_shared(settings), settings.farm)


def _open_shared(settings: Settings) -> Store:
    if settings.store_folder is not None:
        from winepress_shared.stores.folder import FolderStore

        return FolderStore(settings.store_folder, syncs_names=settings.waits_for_disk)
    # Imported only when used: importing the S3 client takes a tenth of a second.
    from winepress_shared.stores.s3 import S3Store

    return S3Store(settings)
