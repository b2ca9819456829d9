"""The lists that clients fill their menus with; what a farm lacks is an empty list."""

from __future__ import annotations

import os
from typing import Any

from fastapi import APIRouter, Request
from starlette.responses import Response

from winepress.gateway.checkpoints import served_checkpoints
from winepress.gateway.credentials import CallerOf
from winepress.gateway.gateway import gateway_of
from winepress_shared.jobs.schedulers import SCHEDULERS, SCHEDULES

RESIZERS = ("None", "Lanczos", "Nearest")  #: the upscalers of `extras`
_RESIZED_BY = 4  #: the scale that A1111 lists for both
#: Route → its answer on every farm.
_FIXED: dict[str, Any] = {
    "latent-upscale-modes": [],
    "sd-vae": [],
    "sd-modules": [],
    "loras": [],
    "embeddings": {"loaded": {}, "skipped": {}},
    "hypernetworks": [],
    "face-restorers": [],
    "realesrgan-models": [],
    "prompt-styles": [],
    "extensions": [],
    "scripts": {"txt2img": [], "img2img": []},
    "script-info": [],
    "cmd-flags": {"api": True, "nowebui": True, "listen": False, "api_auth": None},
    "samplers": [
        {
            "name": one.label,
            "aliases": [one.name, f"k_{one.name}"],
            "options": {"karras_schedules": True} if one.schedules else {},
        }
        for one in SCHEDULERS
    ],
    "schedulers": [
        {
            "name": name,
            "label": name.capitalize(),
            "aliases": None,
            "default_rho": -1,
            "need_inner_model": False,
        }
        for name in ("automatic", *(name for name in SCHEDULES if name != "normal"))
    ],
    "upscalers": [
        {
            "name": name,
            "model_name": None,
            "model_path": None,
            "model_url": None,
            "scale": 1 if name == "None" else _RESIZED_BY,
        }
        for name in RESIZERS
    ],
}
_REFRESHED = ("refresh-checkpoints", "refresh-loras", "refresh-vae", "refresh-embeddings")

router = APIRouter(prefix="/sdapi/v1", tags=["a1111"])


@router.get("/sd-models")
async def sd_models(request: Request, caller: CallerOf) -> list[dict[str, Any]]:
    """The models that live workers draw with; each precision but fp16 has an entry of its own."""
    gateway = gateway_of(request)
    served = await gateway.client.in_thread(served_checkpoints, gateway, caller)
    return [one.item() for one in served]


@router.get("/memory")
async def memory(caller: CallerOf) -> dict[str, dict[str, Any]]:
    """The memory of the gateway's machine in bytes; workers have machines of their own."""
    page = os.sysconf("SC_PAGE_SIZE")
    total, free = (page * os.sysconf(name) for name in ("SC_PHYS_PAGES", "SC_AVPHYS_PAGES"))
    return {
        "ram": {"free": free, "used": total - free, "total": total},
        "cuda": {"error": "no CUDA device"},
    }


def _add_list(name: str, answer: Any) -> None:
    async def route(caller: CallerOf) -> Any:
        return answer

    router.add_api_route(f"/{name}", route, name=name, operation_id=f"a1111_{name}")


def _add_refresh(name: str) -> None:
    async def route(caller: CallerOf) -> Response:
        return Response("null", media_type="application/json")

    router.add_api_route(
        f"/{name}", route, methods=["POST"], name=name, operation_id=f"a1111_{name}"
    )


for _name, _answer in _FIXED.items():
    _add_list(_name, _answer)
for _name in _REFRESHED:  # the lists are read anew each time
    _add_refresh(_name)
