"""The connections of a producer, each opened at its first use in each process."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any, Generic, Self, TypeVar, overload

from winepress_shared.archive import Archive
from winepress_shared.catalogue import Catalogue
from winepress_shared.per_process import PerProcess
from winepress_shared.settings import Settings, warn_of_limits

if TYPE_CHECKING:
    from winepress.event_reader import EventReader
    from winepress_shared.ledger.broker_disk import BrokerDisk
    from winepress_shared.ledger.counted import CountedPictures
    from winepress_shared.ledger.job_pages import JobPages
    from winepress_shared.ledger.key_quotas import KeyQuotas
    from winepress_shared.ledger.lanes import LaneIndex
    from winepress_shared.ledger.ledger import Ledger
    from winepress_shared.ledger.limits import QueueLimits
    from winepress_shared.ledger.measures import MeasureReader
    from winepress_shared.ledger.outbox import Outbox
    from winepress_shared.ledger.pending import PendingJobs
    from winepress_shared.ledger.previews import PreviewStore
    from winepress_shared.ledger.repeats import RepeatedRequests
    from winepress_shared.ledger.script_server import ScriptServer
    from winepress_shared.ledger.snapshot import Snapshots
    from winepress_shared.ledger.watchers import Watchers
    from winepress_shared.ledger.written import WrittenJobs
    from winepress_shared.tracing import Tracer

T = TypeVar("T")


class _AtFirstUse(Generic[T]):
    """A value that is made when it is first read, and kept.

    `functools.cached_property` holds a lock before Python 3.12, which a fork can leave locked.
    """

    def __init__(self, make: Callable[[Any], T]) -> None:
        self._make = make
        self.__doc__ = make.__doc__

    def __set_name__(self, owner: type, name: str) -> None:
        self._name = name

    @overload
    def __get__(self, instance: None, owner: type) -> Self: ...

    @overload
    def __get__(self, instance: object, owner: type) -> T: ...

    def __get__(self, instance: object | None, owner: type) -> Self | T:
        if instance is None:
            return self
        found: T = vars(instance).setdefault(self._name, self._make(instance))
        return found


class Connections:
    """The catalogue, the broker and the store of one farm; nothing is opened before its first use.

    A pickle of it holds the settings, secrets included. A forked process opens connections of its
    own and leaves those of its parent alone.
    """

    def __init__(self, settings: Settings) -> None:
        self.settings = settings
        self.service = "winepress"  #: how its spans name this program
        self._celery = PerProcess(self._make_celery)
        self._event_reader = PerProcess(self._make_event_reader)
        warn_of_limits(settings)

    @classmethod
    def from_env(cls) -> Self:
        """A client for the farm that `Settings.load` finds; raises WrongUsage for a bad setting."""
        return cls(Settings.load())

    def __repr__(self) -> str:
        return f"Client(farm={self.settings.farm!r})"

    def __reduce__(self) -> tuple[type[Self], tuple[Settings]]:
        return type(self), (self.settings,)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Close the connections of this process; the client opens new ones if it is used again."""
        celery = self._celery.pop()
        if celery is not None:
            celery.close()
        reader = self._event_reader.pop()
        if reader is not None:
            reader.close()
        tracer = self.__dict__.pop("tracer", None)
        if tracer is not None:
            tracer.close()
        parts = ["ledger", "pending", "job_pages", "key_quotas", "farm", "lanes", "previews"]
        parts += ["snapshots", "repeats", "outbox", "measures", "broker_disk", "counted", "written"]
        parts += ["watchers"]
        for name in parts:
            self.__dict__.pop(name, None)
        server = self.__dict__.pop("_server", None)
        if server is not None:
            server.close()

    # The imports are late because S3, Celery and Redis take longer than all the rest together.

    @_AtFirstUse
    def catalogue(self) -> Catalogue:
        """The models this client knows."""
        return Catalogue.load(self.settings.catalogue, self.settings.qualities)

    @_AtFirstUse
    def _server(self) -> ScriptServer:
        """The connection to the broker that the parts below share."""
        from winepress_shared.ledger.script_server import ScriptServer

        return ScriptServer(self.settings, f"{self.settings.farm}:")

    @_AtFirstUse
    def tracer(self) -> Tracer:
        """What makes the spans of submissions, if the settings ask for any."""
        from winepress_shared.tracers import open_tracer

        return open_tracer(self.settings, self.service)

    @_AtFirstUse
    def ledger(self) -> Ledger:
        """The farm's record of jobs."""
        from winepress_shared.ledger.ledger import Ledger

        return Ledger(self.settings, self._server)

    @_AtFirstUse
    def pending(self) -> PendingJobs:
        """The jobs whose submission is not complete."""
        from winepress_shared.ledger.pending import PendingJobs

        return PendingJobs(self.settings, self._server)

    @_AtFirstUse
    def broker_disk(self) -> BrokerDisk:
        """What the broker's disk has."""
        from winepress_shared.ledger.broker_disk import BrokerDisk

        return BrokerDisk(self.settings, self._server)

    @_AtFirstUse
    def counted(self) -> CountedPictures:
        """The pictures that were counted lately."""
        from winepress_shared.ledger.counted import CountedPictures

        return CountedPictures(self.settings, self._server)

    @_AtFirstUse
    def written(self) -> WrittenJobs:
        """The newest jobs as they were written into the store."""
        from winepress_shared.ledger.written import WrittenJobs

        return WrittenJobs(self.settings, self._server)

    @_AtFirstUse
    def job_pages(self) -> JobPages:
        """The list of jobs, page by page."""
        from winepress_shared.ledger.job_pages import JobPages

        return JobPages(self.settings, self._server)

    @_AtFirstUse
    def key_quotas(self) -> KeyQuotas:
        """What has been done with each key of the gateway."""
        from winepress_shared.ledger.key_quotas import KeyQuotas

        return KeyQuotas(self.settings, self._server)

    @_AtFirstUse
    def farm(self) -> QueueLimits:
        """The limits and the pauses of the farm."""
        from winepress_shared.ledger.limits import QueueLimits

        return QueueLimits(self.settings, self._server)

    @_AtFirstUse
    def lanes(self) -> LaneIndex:
        """What waits in the lanes of the farm, and their paces."""
        from winepress_shared.ledger.lanes import LaneIndex

        return LaneIndex(self.settings, self._server)

    @_AtFirstUse
    def outbox(self) -> Outbox:
        """What webhooks are told, and how that went."""
        from winepress_shared.ledger.outbox import Outbox

        return Outbox(self.settings, self._server)

    @_AtFirstUse
    def previews(self) -> PreviewStore:
        """The previews of pictures that are being drawn."""
        from winepress_shared.ledger.previews import PreviewStore

        return PreviewStore(self.settings, self._server)

    @_AtFirstUse
    def snapshots(self) -> Snapshots:
        """The state of the whole farm at one moment."""
        from winepress_shared.ledger.snapshot import Snapshots

        return Snapshots(self.settings, self._server)

    @_AtFirstUse
    def watchers(self) -> Watchers:
        """The marks of jobs whose steps somebody watches."""
        from winepress_shared.ledger.watchers import Watchers

        return Watchers(self._server)

    @_AtFirstUse
    def measures(self) -> MeasureReader:
        """What metrics tell of the farm, and what has happened in it so far."""
        from winepress_shared.ledger.measures import MeasureReader

        return MeasureReader(self.settings, self._server)

    @_AtFirstUse
    def repeats(self) -> RepeatedRequests:
        """The requests that clients of the gateway may repeat."""
        from winepress_shared.ledger.repeats import RepeatedRequests

        return RepeatedRequests(self.settings, self._server)

    @_AtFirstUse
    def archive(self) -> Archive:
        """The farm's pictures and job descriptions."""
        from winepress_shared.stores import open_store

        return Archive(open_store(self.settings))

    @property
    def celery(self) -> Any:
        """The Celery application that sends tickets, one for each process."""
        return self._celery.get()

    def _make_celery(self) -> Any:
        from winepress_shared.broker import make_celery

        return make_celery(self.settings)

    @property
    def event_reader(self) -> EventReader:
        """The reader of events, which everybody in this process shares."""
        return self._event_reader.get()

    def _make_event_reader(self) -> EventReader:
        from winepress.event_reader import EventReader

        return EventReader(self.settings, self._server, self.watchers)
