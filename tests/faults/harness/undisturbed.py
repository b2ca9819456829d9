"""What jobs of real models come to when nothing disturbs them: drawn first, by the same farm."""

from __future__ import annotations

from collections.abc import Sequence

from faults.harness.farm import StruckFarm

from winepress_shared.jobs.job import Job


class Undisturbed:
    """The SHA-256 of each output of some jobs."""

    def __init__(self, farm: StruckFarm, jobs: Sequence[Job]) -> None:
        """Draw every job in peace."""
        handles = [farm.client.submit(job) for job in jobs]
        self._digests: dict[tuple[str, int | None], list[str]] = {}
        for job, handle in zip(jobs, handles, strict=True):
            outputs = handle.wait(farm.patience_s).result.outputs
            self._digests[job.prompt, job.seed] = [output.sha256 for output in outputs]

    def of(self, job: Job) -> list[str]:
        """One for each output, in order."""
        return self._digests[job.prompt, job.seed]
