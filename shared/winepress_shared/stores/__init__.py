"""Where inputs, outputs and prepared models are kept."""

from __future__ import annotations

from winepress_shared.settings import Settings
from winepress_shared.stores.base import Store
from winepress_shared.stores.farm import FarmStore


def open_store(settings: Settings) -> Store:
    """The farm's part of a folder if ``store_folder`` is set, else of the S3 bucket.

    Every key begins with the farm's name there, so farms may share a folder or a bucket. Opening
    reaches nothing yet: call ``check`` to learn whether the store can be used. Raises WrongUsage
    for settings that no server could serve.
    """
    return FarmStore(_open_shared(settings), settings.farm)


def _open_shared(settings: Settings) -> Store:
    if settings.store_folder is not None:
        from winepress_shared.stores.folder import FolderStore

        return FolderStore(settings.store_folder)
    # Imported only when used: the S3 client takes a tenth of a second to import.
    from winepress_shared.stores.s3 import S3Store

    return S3Store(settings)
