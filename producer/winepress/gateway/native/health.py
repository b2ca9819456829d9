"""``/healthz`` and ``/readyz``: whether the gateway runs, and whether it can reach the farm."""

from __future__ import annotations

from fastapi import APIRouter, Request
from pydantic import BaseModel

from winepress.client import Client
from winepress.gateway.gateway import gateway_of

router = APIRouter(tags=["health"])


class Health(BaseModel):
    """The answer of a probe."""

    status: str


@router.get("/healthz")
async def healthz() -> Health:
    """Whether this process answers; nothing else is looked at."""
    return Health(status="ok")


@router.get("/readyz")
async def readyz(request: Request) -> Health:
    """Whether broker and store can be used; 503 and the reason if not."""
    gateway = gateway_of(request)
    async with gateway.probing:
        await gateway.client.in_thread(_check, gateway.client.client)
    return Health(status="ok")


def _check(client: Client) -> None:
    client.ledger.ping()
    client.archive.store.check()
