"""Batches from orders: planned, submitted as one job for each lane, and recorded."""

from __future__ import annotations

import time
from dataclasses import dataclass
from itertools import islice
from pathlib import Path

from winepress.bulk.submission import submit_plan
from winepress.client import Client
from winepress.gateway.access import Caller
from winepress.gateway.key_meter import KeyMeter
from winepress.gateway.openai.batch_order import BatchOrder
from winepress.gateway.openai.batch_plan import BatchPlan
from winepress.gateway.openai.batch_record import MOST_WARNINGS, BatchRecord, UserBatches
from winepress.gateway.openai.repetition import note_of
from winepress.gateway.openai.user_files import UserFiles
from winepress.submit_options import SubmitOptions
from winepress_shared.errors import Conflict, NotFound
from winepress_shared.jobs.picture import MAX_FILE_BYTES


@dataclass(frozen=True)
class BatchIntake:
    """Makes the batches of one caller; the methods block their thread."""

    client: Client
    caller: Caller

    def plan(self, order: BatchOrder, path: Path) -> BatchPlan:
        """Read the file at ``path``; raises Forbidden for a model that the caller may not use."""
        files = self._files()
        if order.input_file_id:
            files.fetch(files.get(order.input_file_id), path)

        def read_file(file_id: str) -> bytes:
            return files.read(file_id, MAX_FILE_BYTES)

        found = BatchPlan(self.client, self.caller, order.form, read_file)
        found.read(path)
        found.check_lanes()
        return found

    def make(self, order: BatchOrder, path: Path) -> tuple[BatchRecord, BatchPlan | None]:
        """The record of a batch, new or that of the request which this one repeats.

        A batch with faults is recorded and not submitted. Raises Conflict when its idempotency key
        belongs to another batch, and what `submit_plan` raises.
        """
        user, batches = self.caller.user, self._batches()
        note = note_of(self.client, user, order.digest, order.key, order.told)
        known = batches.find(f"batch_{note}")
        if known is not None:
            if known.digest != order.digest:
                raise Conflict(
                    "this idempotency key belongs to another batch",
                    field="Idempotency-Key",
                    value=known.id,
                )
            return known, None
        batch = self.plan(order, path)
        record = self._record(f"batch_{note}", order, batch)
        if not batch.faults:
            # A repetition finds the same jobs, also when this process ends before the next line.
            terms = SubmitOptions(
                user,
                f"batch-{note}",
                order.expires_in,
                meter=KeyMeter.of(self.client, self.caller),
            )
            handles = submit_plan(
                self.client, batch.plan, terms, title=order.title, max_failed=order.max_failed
            )
            record = record.model_copy(update={"jobs": tuple(one.id for one in handles)})
        if order.endpoint or not batch.faults:
            batches.write(record)
        return record, batch

    def _record(self, batch_id: str, order: BatchOrder, batch: BatchPlan) -> BatchRecord:
        now = time.time()
        return BatchRecord(
            id=batch_id,
            digest=order.digest,
            created=now,
            endpoint=order.endpoint,
            input_file_id=order.input_file_id,
            completion_window=order.completion_window,
            expires=None if order.expires_in is None else now + order.expires_in,
            metadata=order.metadata,
            requests=batch.lines,
            pictures=batch.plan.count,
            warnings=dict(islice(batch.plan.warnings.items(), MOST_WARNINGS)),
            faults=tuple(batch.faults),
            more_faults=batch.more_faults,
            wants_bytes=batch.wants_bytes,
        )

    def get(self, batch_id: str) -> BatchRecord:
        """The record of a batch; raises NotFound."""
        return self._batches().get(batch_id)

    def cancel(self, batch_id: str) -> BatchRecord:
        """Cancel every job of a batch; raises NotFound, and Conflict when the batch has ended."""
        batches = self._batches()
        record = batches.get(batch_id)
        if record.canceled is None:
            canceled = [job_id for job_id in record.jobs if self._cancel(job_id)]
            if not canceled:
                raise Conflict("this batch has ended", value=batch_id)
            record = record.model_copy(update={"canceled": time.time()})
            batches.write(record)
        return record

    def _cancel(self, job_id: str) -> bool:
        try:
            self.client.cancel(job_id, "its batch was canceled")
        except (Conflict, NotFound):
            return False  # it has ended, and perhaps its record has expired
        return True

    def _files(self) -> UserFiles:
        return UserFiles(self.client.archive.store, self.caller.user)

    def _batches(self) -> UserBatches:
        return UserBatches(self.client.archive.store, self.caller.user)
