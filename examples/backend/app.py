"""A picture service of your own: sixty lines of FastAPI in front of a farm.

    uvicorn --app-dir examples/backend app:app --port 8200

The routes are `async`, so a thousand visitors can wait or watch without a thread each.
"""

import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from fastapi import FastAPI, Request
from fastapi.responses import JSONResponse, RedirectResponse, StreamingResponse
from pydantic import BaseModel

from winepress import (
    AsyncClient,
    FarmUnreachable,
    NotFound,
    Priority,
    QueueFull,
    TextToImage,
    WinepressError,
)


class Wish(BaseModel):
    """What a visitor of this service may choose."""

    visitor: str
    prompt: str
    seed: int | None = None


@asynccontextmanager
async def lifespan(app: FastAPI) -> AsyncIterator[None]:
    """One client for all requests; it keeps its connections open."""
    async with AsyncClient.from_env() as app.state.farm:
        yield


app = FastAPI(title="Our pictures", lifespan=lifespan)


@app.post("/pictures", status_code=202)
async def draw(wish: Wish, request: Request) -> dict[str, str]:
    """Queue a picture; visitors take turns."""
    farm: AsyncClient = request.app.state.farm
    job = TextToImage(prompt=wish.prompt, seed=wish.seed, priority=Priority.INTERACTIVE)
    handle = await farm.submit(job, user=wish.visitor, expires_in=600)
    return {"id": handle.id, "events": f"/pictures/{handle.id}/events"}


@app.get("/pictures/{job_id}/events")
async def events(job_id: str, request: Request) -> StreamingResponse:
    """What happens to a picture, as Server-Sent Events, until it is done."""
    handle = await request.app.state.farm.get(job_id)

    async def lines() -> AsyncIterator[str]:
        async with handle.events() as happenings:
            async for event in happenings:
                yield f"event: {event.name}\ndata: {json.dumps(event.fields)}\n\n"

    return StreamingResponse(lines(), media_type="text/event-stream")


@app.get("/pictures/{job_id}")
async def picture(job_id: str, request: Request) -> RedirectResponse:
    """The finished picture; waits for it for at most a minute."""
    handle = await request.app.state.farm.get(job_id)
    await handle.wait(timeout=60)
    return RedirectResponse((await handle.urls(expires_s=600))[0])


@app.delete("/pictures/{job_id}")
async def cancel(job_id: str, request: Request) -> dict[str, str]:
    """Draw it no further."""
    return {"state": await request.app.state.farm.cancel(job_id)}


@app.exception_handler(WinepressError)
async def told(_: Request, error: Exception) -> JSONResponse:
    """The farm's own sentence, with the status that fits its class."""
    statuses = {QueueFull: 429, NotFound: 404, FarmUnreachable: 503}
    status = next((code for kind, code in statuses.items() if isinstance(error, kind)), 422)
    return JSONResponse({"problem": str(error)}, status)
