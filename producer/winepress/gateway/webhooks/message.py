"""The messages to webhooks: a snapshot of the job, made when it is sent."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from winepress.client import Client
from winepress.gateway.job_view import FailureView, JobView, OutputView
from winepress.gateway.links import Links
from winepress.gateway.replicate.prediction_view import whole_prediction
from winepress.handle import JobHandle
from winepress_shared.jobs.job_record import JobRecord
from winepress_shared.ledger.records import JobRow
from winepress_shared.result import Result
from winepress_shared.webhook import Webhook, WebhookEvent, WebhookForm

MOST_LISTED = 1_000  #: outputs, and failures, in a message; half a megabyte


@dataclass(frozen=True)
class Snapshot:
    """What a message tells of: the job as it is now."""

    record: JobRecord
    row: JobRow
    result: Result | None  #: None until the job has ended
    origin: str  #: address with which links to the gateway begin; may be empty
    links: Links

    def address(self, path: str) -> str:
        """The address of a path of the gateway; the path alone if its address is not known."""
        return f"{self.origin}{path}"

    def output_views(self) -> list[OutputView]:
        """The first `MOST_LISTED` outputs of a job that has ended, with links that need no key."""
        outputs = () if self.result is None else self.result.outputs[:MOST_LISTED]
        return [
            OutputView.of(
                one, self.address(self.links.path(self.row.id, one.key.rpartition("/")[2]))
            )
            for one in outputs
        ]


def take_snapshot(client: Client, links: Links, record: JobRecord, webhook: Webhook) -> Snapshot:
    """The snapshot of a job; raises NotFound when its record has expired, and FarmUnreachable."""
    row = client.ledger.get(record.id)
    result = JobHandle(client, record.id).result if row.state.is_terminal else None
    origin = (client.settings.public_url or webhook.origin).rstrip("/")
    return Snapshot(record, row, result, origin, links)


def encode_message(snapshot: Snapshot, event: WebhookEvent, form: WebhookForm) -> bytes:
    """The body of the message about an event."""
    return json.dumps(FORMS[form](snapshot, event), separators=(",", ":")).encode()


def _native(snapshot: Snapshot, event: WebhookEvent) -> dict[str, Any]:
    """Our own form: the job as ``GET /v1/jobs/ID`` shows it, and its results."""
    data = JobView.of(snapshot.row, list(snapshot.record.warnings)).model_dump(
        mode="json", by_alias=True
    )
    if snapshot.result is not None:
        data["outputs"] = [one.model_dump(mode="json") for one in snapshot.output_views()]
        failures = map(FailureView.of, snapshot.result.failures[:MOST_LISTED])
        data["failures"] = [one.model_dump(mode="json") for one in failures]
        longest = max(len(snapshot.result.outputs), len(snapshot.result.failures))
        data["is_cut"] = longest > MOST_LISTED
    at = datetime.now(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
    return {"type": f"job.{event}", "timestamp": at, "data": data}


def _replicate(snapshot: Snapshot, event: WebhookEvent) -> dict[str, Any]:
    """Replicate's form: the prediction itself."""
    urls = [one.url for one in snapshot.output_views()]
    return whole_prediction(snapshot.row, snapshot.origin, snapshot.record, (), urls)


#: Form → the JSON of a message in it.
FORMS: Mapping[WebhookForm, Callable[[Snapshot, WebhookEvent], dict[str, Any]]] = {
    WebhookForm.NATIVE: _native,
    WebhookForm.REPLICATE: _replicate,
}
