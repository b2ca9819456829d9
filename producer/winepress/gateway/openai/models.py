"""``/v1/models``: the models of the farm, and the names by which clients of OpenAI call them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from fastapi import APIRouter, Request
from starlette.responses import JSONResponse, Response

from winepress.client import Client
from winepress.gateway.access import Caller
from winepress.gateway.credentials import CallerOf
from winepress.gateway.gateway import gateway_of
from winepress.gateway.openai.answer_schemas import MODEL, MODELS, answers
from winepress.gateway.openai.model_names import LISTED_NAMES, model_of
from winepress_shared.errors import UnknownModel
from winepress_shared.lane import Lane
from winepress_shared.ledger.records import Worker
from winepress_shared.option_checks import DEFAULT_STRENGTH

_CREATED = 1_700_000_000  #: models have no date; clients sort by it
_FACTS = (
    *("title", "family", "kinds", "precisions", "width", "height", "size_multiple", "max_side"),
    *("num_inference_steps", "max_steps", "guidance_scale", "scheduler", "licence", "notes"),
    "embedded_guidance",
)

router = APIRouter(prefix="/v1/models", tags=["models"])


@router.get("", responses=answers(MODELS))
async def list_models(request: Request, caller: CallerOf) -> Response:
    """Every model that the caller may use; ``workers`` counts those that serve it now.

    A name of OpenAI, or an alias of the settings, has the model that it means in ``root``.
    """
    gateway = gateway_of(request)
    data = await gateway.client.in_thread(_models, gateway.client.client, caller)
    return JSONResponse({"object": "list", "data": list(data.values())})


@router.get("/{model_id:path}", responses=answers(MODEL))
async def get_model(request: Request, caller: CallerOf, model_id: str) -> Response:
    """One model, by its name or by an alias."""
    gateway = gateway_of(request)
    client = gateway.client.client
    found = await gateway.client.in_thread(_models, client, caller)
    name = model_id if model_id in found else model_of(client.settings, model_id)
    if name not in found:
        raise UnknownModel("unknown model", field="model", value=model_id, allowed=", ".join(found))
    return JSONResponse(found[name] | {"id": model_id})


def _models(client: Client, caller: Caller) -> dict[str, dict[str, Any]]:
    """Name → model, as a client sees it; blocks its thread."""
    workers = client.workers()
    allowed = caller.models
    found = {
        name: _model(client, name, workers)
        for name in client.catalogue.names
        if allowed is None or name in allowed
    }
    for name in dict.fromkeys((*client.settings.model_aliases, *LISTED_NAMES)):
        root = found.get(model_of(client.settings, name))
        if root is not None and name not in found:
            found[name] = root | {"id": name, "root": root["id"]}
    return found


def _model(client: Client, name: str, workers: Sequence[Worker]) -> dict[str, Any]:
    model = client.catalogue.get(name)
    facts = model.model_dump(mode="json", include=set(_FACTS))
    live = {
        precision: sum(worker.serves(str(Lane(name, precision))) for worker in workers)
        for precision in model.precisions
    }
    base = {"id": name, "object": "model", "created": _CREATED, "owned_by": "winepress"}
    facts |= {"workers": live, "has_previews": model.has_previews}
    return base | {"root": name} | facts | {"strength": model.strength or DEFAULT_STRENGTH}
