"""``/sdapi/v1/options``: the settings of a caller; the chosen model is kept, others are fixed."""

from __future__ import annotations

import hashlib
import json
from dataclasses import asdict, dataclass
from typing import Any

from fastapi import APIRouter, Request
from pydantic import TypeAdapter, ValidationError
from starlette.responses import Response

from winepress.client import Client
from winepress.gateway.access import Caller
from winepress.gateway.body import read_object
from winepress.gateway.callers import SubmitterOf
from winepress.gateway.checkpoints import Checkpoint, default_checkpoint, find_checkpoint
from winepress.gateway.credentials import CallerOf
from winepress.gateway.gateway import Gateway, gateway_of
from winepress.gateway.request_body import OBJECT
from winepress.gateway.sent_names import named_as_sent
from winepress_shared.errors import InvalidJob, ObjectMissing
from winepress_shared.jobs.model_options import MAX_CLIP_SKIP

PREVIEW_EVERY = 5  #: steps between the pictures that ``progress`` shows
_FOLDER = "gateway/a1111/options"
_MAX_BYTES = 4096
#: Settings that clients read, and that are so on every farm.
_FIXED: dict[str, Any] = {
    "samples_format": "png",
    "enable_pnginfo": True,
    "sd_vae": "Automatic",
    "live_previews_enable": True,
    "show_progress_every_n_steps": PREVIEW_EVERY,
    "eta_noise_seed_delta": 0,
    "img2img_background_color": "#ffffff",
    "return_grid": False,
    "do_not_show_images": False,
}

router = APIRouter(prefix="/sdapi/v1", tags=["a1111"])


@dataclass(frozen=True)
class Options:
    """What a caller has chosen."""

    checkpoint: str = ""  #: name; empty: the first that a live worker draws with
    clip_skip: int = 1

    def chosen(self, gateway: Gateway, caller: Caller, kind: str = "text-to-image") -> Checkpoint:
        """The checkpoint for pictures of ``kind``; raises UnknownModel."""
        if self.checkpoint:
            return find_checkpoint(gateway.client.client, self.checkpoint)
        return default_checkpoint(gateway, caller, kind)


_OPTIONS = TypeAdapter(Options)


def read_options(client: Client, caller: Caller) -> Options:
    """The options of a caller; blocks its thread."""
    try:
        return _OPTIONS.validate_json(client.archive.store.get(_key(caller), most=_MAX_BYTES))
    except (ObjectMissing, ValidationError):
        return Options()


def _key(caller: Caller) -> str:
    """Each key has options of its own; without keys each user has."""
    name = f"key {caller.key_id}" if caller.key_id else f"user {caller.user}"
    return f"{_FOLDER}/{hashlib.sha256(name.encode()).hexdigest()[:32]}.json"


@router.get("/options")
async def get_options(request: Request, caller: CallerOf) -> dict[str, Any]:
    """The settings that are in effect for the caller."""
    gateway = gateway_of(request)
    return await gateway.client.in_thread(_shown, gateway, caller)


def _shown(gateway: Gateway, caller: Caller) -> dict[str, Any]:
    options = read_options(gateway.client.client, caller)
    checkpoint = options.chosen(gateway, caller)
    return _FIXED | {
        "sd_model_checkpoint": checkpoint.title,
        "sd_checkpoint_hash": checkpoint.sha256,
        "CLIP_stop_at_last_layers": options.clip_skip,
    }


@router.post("/options", response_class=Response, openapi_extra=OBJECT)
async def set_options(request: Request, caller: SubmitterOf) -> Response:
    """Keep ``sd_model_checkpoint`` and ``CLIP_stop_at_last_layers``; the rest stays as it is.

    Clients send the whole object back, or settings that only A1111 has.
    """
    body, client = await read_object(request), gateway_of(request).client
    with named_as_sent(body):
        await client.in_thread(_keep, client.client, caller, body)
    return Response("null", media_type="application/json")


def _keep(client: Client, caller: Caller, body: dict[str, Any]) -> None:
    kept = read_options(client, caller)
    name, skip = body.get("sd_model_checkpoint"), body.get("CLIP_stop_at_last_layers")
    checkpoint = find_checkpoint(client, name).name if name else kept.checkpoint
    clip_skip = kept.clip_skip if skip is None else _clip_skip(skip)
    chosen = Options(checkpoint, clip_skip)
    if chosen != kept:
        data = json.dumps(asdict(chosen)).encode()
        client.archive.store.put(_key(caller), data, content_type="application/json")


def _clip_skip(value: object) -> int:
    """Sliders send 2.0."""
    if isinstance(value, int | float) and 1 <= value <= MAX_CLIP_SKIP and value == int(value):
        return int(value)
    raise InvalidJob(
        "not a number of layers",
        field="CLIP_stop_at_last_layers",
        value=value,
        allowed=f"1 to {MAX_CLIP_SKIP}",
    )
