"""The rendering process: built and started once, then one call per ticket."""

from __future__ import annotations

import logging
import os
import threading
import time
from collections.abc import Callable, Sequence
from contextlib import nullcontext
from functools import partial

from winepress_shared.archive import Archive
from winepress_shared.catalogue import Catalogue
from winepress_shared.cost import SLICE_S
from winepress_shared.errors import (
    EnvironmentFault,
    RenderFault,
    StoreRefused,
    StoreUnreachable,
    UnknownModel,
)
from winepress_shared.lane import FILM, Lane, model_key
from winepress_shared.ledger.broker_disk import BrokerDisk
from winepress_shared.ledger.lanes import LaneIndex
from winepress_shared.ledger.ledger import Ledger
from winepress_shared.ledger.pending import PendingJobs
from winepress_shared.ledger.previews import PreviewStore
from winepress_shared.ledger.records import Slice
from winepress_shared.ledger.script_server import ScriptServer
from winepress_shared.ledger.written import WrittenJobs
from winepress_shared.settings import Settings
from winepress_shared.stores import open_store
from winepress_shared.stores.conditional_writes import check_conditional_writes
from winepress_worker.blobs.offering import offering_of
from winepress_worker.engines import open_engine
from winepress_worker.engines.base import CountingEngine, PipelineKey
from winepress_worker.host_budget import HostBudget, books_of
from winepress_worker.lane_order import LaneWatch
from winepress_worker.models.local_models import LocalModels
from winepress_worker.models.registry import ModelRegistry
from winepress_worker.models.registry_index import RegistryIndex
from winepress_worker.options import WorkerOptions
from winepress_worker.pipelines.idle_unloader import IdleUnloader
from winepress_worker.pipelines.preloader import Preloader
from winepress_worker.pipelines.slice_pipelines import SlicePipelines
from winepress_worker.pipelines.warm_pool import WarmPool
from winepress_worker.renderer.batching import Batching
from winepress_worker.renderer.confirmations import Confirmations
from winepress_worker.renderer.delivery import Delivery
from winepress_worker.renderer.description import Description
from winepress_worker.renderer.executor import Executor
from winepress_worker.renderer.job_renderers import job_renderers
from winepress_worker.renderer.lease_client import LeaseClient
from winepress_worker.renderer.left_slices import leaving_no_slice
from winepress_worker.renderer.left_submissions import LeftSubmissions
from winepress_worker.renderer.leftovers import Leftovers
from winepress_worker.renderer.messenger import Messenger
from winepress_worker.renderer.pace import Pace
from winepress_worker.renderer.preview_publisher import PreviewPublisher
from winepress_worker.renderer.slice_reader import SliceReader
from winepress_worker.renderer.slice_traces import SliceTraces
from winepress_worker.renderer.ticket_summary import summary_of
from winepress_worker.renderer.unfit import Unfit
from winepress_worker.tally import Tally

log = logging.getLogger(__name__)

TICKET_S = 60.0  #: a ticket is worked on for about this long before the slot is given back


class Renderer:
    """Everything one rendering process owns. This is its composition root."""

    def __init__(
        self, options: WorkerOptions, settings: Settings, leave_ticket: Callable[[str], None]
    ) -> None:
        """Build it and start nothing; see `start`.

        ``leave_ticket`` is called with a lane that has work left and no ticket for it.
        """
        self._options = options
        self._leave_ticket = leave_ticket
        self._store = store = open_store(settings)
        self._registry, self._registry_index = ModelRegistry(store), RegistryIndex(settings)
        self._local_models = LocalModels(
            settings.home,
            Catalogue.load(settings.catalogue),
            self._registry,
            int(settings.pulled_gib * 2**30),
            self._registry_index.memory_of,
        )
        self._engine = open_engine(options, self._local_models, settings.home)
        self._tally = Tally()
        self._traces = SliceTraces.of(settings, options.name)
        if isinstance(self._engine, CountingEngine):
            self._engine.tally = self._tally
        self._offering = offering_of(self._engine, store, settings)
        self._pool = WarmPool(
            self._engine,
            options.memory_budget,
            idle_ttl_s=options.idle_unload_s or None,
            host=_host_budget(options, settings),
            tally=self._tally,
        )
        self._unfit = Unfit(self._files_of, (settings.home,))
        self._messenger = Messenger()
        server = ScriptServer(settings, f"{settings.farm}:")
        previews = PreviewPublisher(PreviewStore(settings, server), self._messenger)
        ledger = Ledger(settings, server)
        self._confirmations = Confirmations(BrokerDisk(settings, server))
        confirm = self._confirmations.want
        self._lease_client = LeaseClient(
            ledger, options.name, os.getpid(), previews, self._messenger, self._unfit, confirm
        )
        self._lane_index = LaneIndex(settings, server)
        self._watch = LaneWatch(self._lane_index, options)
        self._pace = Pace()
        self._batching = Batching(
            options.max_batch_size, keeps_numbers=options.device_class == "CPU"
        )
        self._description = Description(
            self._pool, self._unfit, self._pace, self._batching, self._tally
        )
        archive = Archive(store)
        self._left_submissions = LeftSubmissions(PendingJobs(settings, server), archive)
        self._delivery = Delivery(self._lease_client, archive, leave_ticket, self._traces)
        self._executor = Executor(
            self._lease_client,
            self._delivery,
            SliceReader(archive, self._pipelines_of, WrittenJobs(settings, server).find),
            job_renderers(self._lease_client, archive, self._delivery, self._batching, self._pace),
            self._watch.calls_away,
            self._traces,
        )
        self._preloader = Preloader(self._engine, self._pool, self._begin_load)
        self._idle_unloader = IdleUnloader(self._pool, self._unfit, self.describe)

    def start(self) -> None:
        """Load what is pinned, describe this process to the farm, and start its threads."""
        self._messenger.start()
        self._confirmations.start()
        self._lease_client.listen()
        self._pin(self._options.pins)
        self.describe()
        self._idle_unloader.start()
        if self._offering:
            self._offering.start()
        self._registry_index.watch(self._registry)
        self._left_submissions.watch()
        Leftovers(self._store).watch()
        threading.Thread(target=self._check_writes, name="writes", daemon=True).start()

    def _check_writes(self) -> None:
        """Say in the log what `doctor` says too: the store does not keep what was written first."""
        try:
            check_conditional_writes(self._store)
        except StoreRefused as error:
            log.error("%s", error)
        except StoreUnreachable as error:
            log.warning("the store's conditional writes were not tried: %s", error)

    def close(self) -> None:
        """Deliver the last spans of traces, for at most a moment."""
        self._traces.tracer.close()

    def run(self, lane: str) -> str:
        """Work on ``lane`` for about `TICKET_S`; returns a line for people (Flower shows it)."""
        at_work = self._offering.paused() if self._offering else nullcontext()
        with at_work, self._idle_unloader.paused(), leaving_no_slice(self._lease_client.in_hand):
            return self._work(lane)

    def _work(self, lane: str) -> str:
        began = time.monotonic()
        self._tally.add("tickets")
        jobs: dict[str, None] = {}  # in the order of their first slice
        pictures = 0
        if not self._may_serve(lane):
            self.describe()
            return f"{lane}: left to another worker"
        try:
            while time.monotonic() - began < TICKET_S:
                slices = self._claim(lane)
                if not slices:
                    break
                if slices[-1].waiting and not slices[-1].tickets:
                    self._messenger.send(f"ticket of {lane}", lambda: self._leave_ticket(lane))
                jobs |= dict.fromkeys(slice_.job_id for slice_ in slices)
                if model_key(lane) in self._warm:
                    self._messenger.send("preload", lambda: self._look_ahead(lane))
                pictures += self._executor.run(*slices)
                self._idle_unloader.make_way()
                if self._description.is_due:
                    self.describe()
                if self._is_unfit(lane):
                    self._messenger.settle()  # or our own parent would take the ticket again
                    self._leave_ticket(lane)
                    break
                if self._watch.gives_way(lane):
                    self._leave_ticket(lane)
                    break
            else:
                self._leave_ticket(lane)  # the ledger counts no chain as waiting while it is leased
        finally:
            self._delivery.settle()
            self.describe()  # that also ends the mark of a load
        return summary_of(lane, list(jobs), pictures, time.monotonic() - began)

    def _claim(self, lane: str) -> list[Slice]:
        """The next slices. A chain goes on as soon as its last picture is counted."""
        most = self._pace.units_for(lane, SLICE_S)
        is_warm = model_key(lane) in self._warm
        together = min(most, self._batching.most_in(lane)) if is_warm else 1
        claim = partial(self._lease_client.claim, lane, most, together=together, begin=is_warm)
        slices = self._traces.claimed(claim)
        if not slices and self._delivery.is_busy:
            self._delivery.settle()
            slices = self._traces.claimed(claim)
        return slices

    def _pipelines_of(self, slice_: Slice) -> SlicePipelines:
        def note(message: str) -> None:
            self._lease_client.note(slice_, message)

        parts = (self._engine, self._pool, note, self.describe, self._tally, self._traces.tracer)
        return SlicePipelines(*parts)

    def _files_of(self, model: str) -> object:
        """What of a model is on this machine and in the store, for `Unfit`."""
        files = self._local_models.files_of(model.partition(".")[0])
        return files, self._registry_index.read()

    def _look_ahead(self, lane: str) -> None:
        self._preloader.consider(self._watch.next_cold(lane))

    def _may_serve(self, lane: str) -> bool:
        """Whether the model of ``lane`` is warm here, or may be loaded here now."""
        model = model_key(lane)
        if self._is_unfit(lane):
            return False
        if lane == FILM or model in self._warm:
            return True
        parsed = Lane.parse(lane)
        key = PipelineKey(parsed.model, "", parsed.precision, self._options.device)
        try:
            self._messenger.settle()  # a description sent later would end the mark
            return self._pool.finds_room(key) and self._begin_load(model)
        except EnvironmentFault as error:
            log.error("%s is left to other workers: %s", lane, error)
            self._unfit.refuse(model, error)
            self.describe()
            return False

    def _is_unfit(self, lane: str) -> bool:
        return model_key(lane) in self._unfit.reasons

    def _begin_load(self, model: str) -> bool:
        return self._lane_index.begin_load(self._options.name, model)

    def _pin(self, names: Sequence[str]) -> None:
        """Load the models to be kept; one that cannot be loaded now is kept once it is loaded."""
        for name in names:
            lane = Lane.parse(name)
            try:
                key = self._engine.prepare(lane.model, lane.precision)
                self._pool.pin(key)
                pipeline = self._pool.get(key)
                if not (key.is_on_cpu and self._watch.sees_work()):
                    pipeline.warm_up()
            except (RenderFault, UnknownModel, StoreUnreachable) as error:
                log.error("%s is not loaded yet: %s", name, error)
                if isinstance(error, EnvironmentFault):
                    self._unfit.refuse(model_key(name), error)

    @property
    def _warm(self) -> list[str]:
        return self._description.warm

    def describe(self) -> None:
        """Describe this process to the ledger; models that are not warm may leave the disk."""
        self._local_models.warm([(key.model, key.precision) for key in self._pool.warm])
        self._unfit.try_again()
        self._lease_client.describe(self._description.facts(), self._preloader.renew)


def _host_budget(options: WorkerOptions, settings: Settings) -> HostBudget | None:
    if not options.host_budget:
        return None
    return HostBudget(books_of(settings.home), options.host_budget)
