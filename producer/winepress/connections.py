"""What a producer is connected to, each opened at its first use."""

from __future__ import annotations

from functools import cached_property
from typing import TYPE_CHECKING, Any, Self

from winepress_shared.archive import Archive
from winepress_shared.catalogue import Catalogue
from winepress_shared.settings import Settings, warn_of_limits

if TYPE_CHECKING:
    from winepress_shared.farm_book import FarmBook
    from winepress_shared.lane_book import LaneBook
    from winepress_shared.ledger import Ledger
    from winepress_shared.preview_box import PreviewBox


class Connections:
    """The catalogue, the broker and the store of one farm; reaches nothing by itself."""

    def __init__(self, settings: Settings) -> None:
        self.settings = settings
        warn_of_limits(settings)

    @classmethod
    def from_env(cls) -> Self:
        """A client for the farm that `Settings.load` finds; raises WrongUsage for a bad setting."""
        return cls(Settings.load())

    def __repr__(self) -> str:
        return f"Client(farm={self.settings.farm!r})"

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Give the connections back; the client opens new ones if it is used again."""
        celery = self.__dict__.pop("_celery", None)
        if celery is not None:
            celery.close()
        for name in ("ledger", "farm", "lanes", "previews"):
            book = self.__dict__.pop(name, None)
            if book is not None:
                book.close()

    # The S3 client, Celery and Redis take longer to import than all the rest together.

    @cached_property
    def catalogue(self) -> Catalogue:
        """The models this client knows."""
        return Catalogue.load(self.settings.catalogue)

    @cached_property
    def ledger(self) -> Ledger:
        """The farm's record of jobs."""
        from winepress_shared.ledger import Ledger

        return Ledger(self.settings)

    @cached_property
    def farm(self) -> FarmBook:
        """The farm as a whole: pauses of users, lanes and everything."""
        from winepress_shared.farm_book import FarmBook

        return FarmBook(self.settings)

    @cached_property
    def lanes(self) -> LaneBook:
        """What waits in the lanes of the farm, and how fast they are."""
        from winepress_shared.lane_book import LaneBook

        return LaneBook(self.settings)

    @cached_property
    def previews(self) -> PreviewBox:
        """Small pictures of what is being drawn."""
        from winepress_shared.preview_box import PreviewBox

        return PreviewBox(self.settings)

    @cached_property
    def archive(self) -> Archive:
        """The farm's pictures and job descriptions."""
        from winepress_shared.stores import open_store

        return Archive(open_store(self.settings))

    @cached_property
    def _celery(self) -> Any:
        from winepress_shared.broker import make_celery

        return make_celery(self.settings)
