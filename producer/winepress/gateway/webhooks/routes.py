"""``/v1/webhooks``: the deliveries of one's own jobs, and the secret that signs them."""

from __future__ import annotations

from dataclasses import asdict
from typing import Annotated

from fastapi import APIRouter, Query, Request
from pydantic import BaseModel, Field

from winepress.gateway.access import Scope
from winepress.gateway.callers import SubmitterOf
from winepress.gateway.credentials import CallerOf
from winepress.gateway.gateway import gateway_of
from winepress.gateway.refusals import Forbidden
from winepress.gateway.webhooks.signing import read_secrets

router = APIRouter(prefix="/v1/webhooks", tags=["webhooks"])


class TryView(BaseModel):
    """One try to deliver."""

    at: float = Field(description="Unix seconds")
    status: int | None = Field(description="of HTTP; null: there was no answer")
    ms: int = Field(description="that it took")
    error: str = Field(description="why it failed; empty: it did not")


class DeliveryView(BaseModel):
    """A message to a webhook."""

    id: str
    job: str
    user: str
    event: str
    created: float = Field(description="Unix seconds")
    state: str = Field(description="waiting, delivered, failed, or superseded by a newer one")
    tries: list[TryView] = Field(description="oldest first")


class DeliveryList(BaseModel):
    """Deliveries, newest first."""

    deliveries: list[DeliveryView]


class SecretView(BaseModel):
    """The secret that signs messages to the caller's webhooks."""

    key: str = Field(description="whsec_…, by Standard Webhooks")


@router.get("")
async def list_deliveries(
    request: Request,
    caller: CallerOf,
    job: Annotated[str | None, Query(max_length=64)] = None,
    failed: bool = False,
    limit: Annotated[int, Query(ge=1, le=1000)] = 50,
) -> DeliveryList:
    """The newest deliveries for the caller's own jobs."""
    if not caller.may(Scope.READ_OWN):
        raise Forbidden("this key may not see deliveries")
    client = gateway_of(request).client

    def look() -> DeliveryList:
        owner = caller.user.partition("@")[0]
        found = client.client.outbox.deliveries(limit, job_id=job, owner=owner, failed=failed)
        return DeliveryList(deliveries=[DeliveryView(**asdict(one)) for one in found])

    return await client.in_thread(look)


@router.get("/default/secret")
async def webhook_secret(request: Request, caller: SubmitterOf) -> SecretView:
    """The secret with which the caller's receivers verify messages; made at the first request."""
    client = gateway_of(request).client
    owner = caller.user.partition("@")[0]
    found = await client.in_thread(read_secrets, client.client.archive.store, owner)
    return SecretView(key=found.current)
