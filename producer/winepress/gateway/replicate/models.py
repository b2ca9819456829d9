"""``/v1/models/winepress/NAME``: the farm's models, whose versions are their precisions."""

from __future__ import annotations

from typing import Any

from fastapi import APIRouter, Request

from winepress.client import Client
from winepress.gateway.checkpoints import Checkpoint, find_checkpoint
from winepress.gateway.credentials import CallerOf
from winepress.gateway.gateway import gateway_of
from winepress.gateway.refusals import WrongMethod
from winepress.gateway.replicate.prediction_view import OWNER
from winepress_shared import __version__
from winepress_shared.errors import NotFound, UnknownModel

#: Versions have no date: a model is as old as the farm's catalogue.
_CREATED = "2026-01-01T00:00:00Z"
_OUTPUT = {"type": "array", "items": {"type": "string", "format": "uri"}, "title": "Output"}

router = APIRouter(prefix=f"/v1/models/{OWNER}", tags=["replicate"])
foreign = APIRouter(prefix="/v1/models", tags=["replicate"])  #: models of other owners


@foreign.post("/{owner}/{name}/predictions", include_in_schema=False)
async def refuse_foreign_model(owner: str, name: str, caller: CallerOf) -> None:
    """Say that this farm has its own models only."""
    raise NotFound(
        "no such model",
        value=f"{owner}/{name}",
        allowed=f"{OWNER}/NAME",
        hint=f"GET /v1/models lists the names; for example {OWNER}/sdxl-turbo",
    )


def find_model(client: Client, name: str) -> Checkpoint:
    """The checkpoint that a name or a version means; raises NotFound."""
    try:
        return find_checkpoint(client, name)
    except UnknownModel as error:
        raise NotFound(
            "no such model or version", value=name, allowed=error.allowed, hint=error.hint
        ) from None


def find_version(client: Client, text: str) -> Checkpoint:
    """The checkpoint of ``NAME``, ``VERSION`` or ``NAME:VERSION``; raises NotFound."""
    name, _, version = text.partition(":")
    try:
        return find_model(client, version or name)
    except NotFound:
        if not version:
            raise
    return _version_of(client, name, version)


@router.get("/{name}/predictions", include_in_schema=False)
async def refuse_predictions_of_model(name: str, caller: CallerOf) -> None:
    """Say what the route of OpenAI, whose names of models may have slashes, would not."""
    raise WrongMethod("this route has no such method", value="GET", allowed="POST")


@router.get("/{name}")
async def get_model(request: Request, caller: CallerOf, name: str) -> dict[str, Any]:
    """One model, and its version in the usual precision."""
    gateway = gateway_of(request)
    found = find_model(gateway.client.client, name)
    model = gateway.client.client.catalogue.get(found.model)
    return {
        "url": gateway.address(request, f"/v1/models/{OWNER}/{found.name}"),
        "owner": OWNER,
        "name": found.name,
        "description": model.title,
        "visibility": "public",
        "github_url": None,
        "paper_url": None,
        "license_url": None,
        "run_count": 0,
        "cover_image_url": None,
        "default_example": None,
        "latest_version": _version(found),
    }


@router.get("/{name}/versions")
async def list_versions(request: Request, caller: CallerOf, name: str) -> dict[str, Any]:
    """The versions of a model: one for each precision."""
    versions = [_version(one) for one in _versions(gateway_of(request).client.client, name)]
    return {"results": versions, "next": None, "previous": None}


@router.get("/{name}/versions/{version}")
async def get_version(
    request: Request, caller: CallerOf, name: str, version: str
) -> dict[str, Any]:
    """One version."""
    return _version(_version_of(gateway_of(request).client.client, name, version))


def _version_of(client: Client, name: str, version: str) -> Checkpoint:
    """A model in the precision of this name or digest; raises NotFound."""
    known = _versions(client, name)
    for one in known:
        if version in (one.precision.value, one.sha256, one.hash):
            return one
    allowed = ", ".join(one.precision.value for one in known)
    raise NotFound("the model has no such version", value=version, allowed=allowed)


def _versions(client: Client, name: str) -> list[Checkpoint]:
    model = find_model(client, name).model
    return [Checkpoint(model, one) for one in client.catalogue.get(model).precisions]


def _version(checkpoint: Checkpoint) -> dict[str, Any]:
    return {
        "id": checkpoint.sha256,
        "created_at": _CREATED,
        "cog_version": f"winepress {__version__}",
        "openapi_schema": {"components": {"schemas": {"Output": _OUTPUT}}},
    }
