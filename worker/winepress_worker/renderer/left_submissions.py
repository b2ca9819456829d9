"""Submissions that were left unfinished: a worker decides them by what the store holds."""

from __future__ import annotations

import logging
import threading
import time

from winepress_shared.archive import Archive, Result
from winepress_shared.errors import BrokerUnreachable, StoreUnreachable
from winepress_shared.ledger.acceptance import Decision
from winepress_shared.ledger.pending import PendingJobs

log = logging.getLogger(__name__)

_LOOK_S = 20.0  #: between two looks
_MOST = 100  #: jobs per look


class LeftSubmissions:
    """Decides pending jobs whose producer was killed, and undone ones whose store did not answer.

    Every worker looks now and then; each job is given to one of them.
    """

    def __init__(self, pending: PendingJobs, archive: Archive) -> None:
        self._pending = pending
        self._archive = archive

    def watch(self) -> None:
        """Decide from a thread, for as long as this process lives."""

        def keep_looking() -> None:
            while True:
                time.sleep(_LOOK_S)
                try:
                    self.decide()
                except (BrokerUnreachable, StoreUnreachable) as error:
                    log.warning("submissions that were left unfinished wait: %s", error)
                except Exception:  # the edge of the thread
                    log.exception("unexpected error over submissions that were left unfinished")

        threading.Thread(target=keep_looking, name="left-submissions", daemon=True).start()

    def decide(self) -> None:
        """Decide what is overdue; raises BrokerUnreachable and StoreUnreachable."""
        pending, withdrawn = self._pending.overdue(_MOST)
        for job_id in pending:
            decision = Decision.MISSING
            if self._archive.has_job(job_id):
                decision = self._pending.accept([job_id])[0].decision
            if decision in (Decision.KNOWN, Decision.CONFLICT):
                self._end(job_id)
            elif decision is not Decision.ACCEPTED:
                self._pending.drop([job_id])
        for job_id in withdrawn:
            if self._archive.has_job(job_id):
                self._end(job_id)
            self._pending.forget(job_id)

    def _end(self, job_id: str) -> None:
        """See to it that `recover` takes the job for one that has ended."""
        self._archive.write_result(Result(job_id, (), ()))
