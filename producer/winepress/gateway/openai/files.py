"""``/v1/files``: files of callers, for batches and as inputs of jobs."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Annotated, Any

from fastapi import APIRouter, Query, Request
from starlette.responses import JSONResponse, Response, StreamingResponse

from winepress.gateway.access import Caller
from winepress.gateway.body import read_form
from winepress.gateway.callers import ReaderOf, SubmitterOf
from winepress.gateway.gateway import Gateway, gateway_of
from winepress.gateway.openai.answer_schemas import DELETED, FILE, FILES, answers
from winepress.gateway.openai.file_form import file_json, uploaded
from winepress.gateway.openai.pages import MOST_ON_A_PAGE, page_json
from winepress.gateway.openai.result_files import ResultFile
from winepress.gateway.openai.user_files import MAX_FILE_BYTES, StoredFile, UserFiles
from winepress.gateway.refusals import BodyTooLarge
from winepress.gateway.temporary_file import copy_to, file_response, temporary_file
from winepress_shared.errors import NotFound
from winepress_shared.regular_file import size_text

_MAX_FIELD_BYTES = 16 * 2**10  #: of a form, except its file
#: A file may hold anything, so no browser may show it as a page of this gateway.
_HEADERS = {"Content-Disposition": "attachment", "X-Content-Type-Options": "nosniff"}
_BINARY = "application/octet-stream"
_FORM = {
    "requestBody": {
        "required": True,
        "content": {
            "multipart/form-data": {
                "schema": {
                    "type": "object",
                    "required": ["file", "purpose"],
                    "properties": {
                        "file": {"type": "string", "format": "binary"},
                        "purpose": {"type": "string"},
                        "expires_after[anchor]": {"enum": ["created_at"]},
                        "expires_after[seconds]": {"type": "integer"},
                    },
                }
            }
        },
    }
}

router = APIRouter(prefix="/v1/files", tags=["files"])


@router.post("", openapi_extra=_FORM, responses=answers(FILE, 200, 201))
async def upload_file(request: Request, caller: SubmitterOf) -> Response:
    """Store a file: `file` and `purpose` of OpenAI, or `content` of Replicate."""
    gateway = gateway_of(request)
    files = _files_of(gateway, caller)
    form = await read_form(request, _MAX_FIELD_BYTES)
    try:
        content, file = uploaded(form)
        if (content.size or 0) > MAX_FILE_BYTES:
            allowed = f"up to {size_text(MAX_FILE_BYTES)}"
            raise BodyTooLarge("the file is too large", allowed=allowed)

        def keep() -> StoredFile:
            with temporary_file() as path:
                copy_to(content.file, path)
                return files.add(path, file)

        found = await gateway.client.in_thread(keep)
    finally:
        await form.close()
    status = 201 if found.origin == "replicate" else 200
    return JSONResponse(_json(gateway, request)(found), status)


@router.get("", responses=answers(FILES))
async def list_files(
    request: Request,
    caller: ReaderOf,
    purpose: Annotated[str | None, Query(max_length=64)] = None,
    limit: Annotated[int, Query(ge=1, le=10_000)] = MOST_ON_A_PAGE,
    after: Annotated[str | None, Query(max_length=64)] = None,
    order: Annotated[str, Query(pattern="^(asc|desc)$")] = "desc",
) -> Response:
    """The caller's files, newest first, at most a hundred on a page."""
    gateway = gateway_of(request)
    files, shown = _files_of(gateway, caller), _json(gateway, request)

    def read(file_id: str) -> dict[str, Any] | None:
        try:
            file = files.get(file_id)
        except NotFound:
            return None
        return shown(file) if purpose in (None, file.purpose) else None

    def look() -> dict[str, Any]:
        ids = files.ids()
        if order == "asc":
            ids.reverse()
        return page_json(ids, after, min(limit, MOST_ON_A_PAGE), read)

    return JSONResponse(await gateway.client.in_thread(look))


@router.get("/{file_id}", responses=answers(FILE))
async def get_file(request: Request, caller: ReaderOf, file_id: str) -> Response:
    """What is known about one file."""
    gateway = gateway_of(request)
    client = gateway.client.client
    if ResultFile.is_id(file_id):
        result = await gateway.client.in_thread(ResultFile.get, client, caller.user, file_id)
        return JSONResponse(result.json())
    file = await gateway.client.in_thread(_files_of(gateway, caller).get, file_id)
    return JSONResponse(_json(gateway, request)(file))


@router.delete("/{file_id}", responses=answers(DELETED))
async def delete_file(request: Request, caller: SubmitterOf, file_id: str) -> Response:
    """Remove a file."""
    gateway = gateway_of(request)
    client, files = gateway.client.client, _files_of(gateway, caller)

    def drop() -> None:
        if ResultFile.is_id(file_id):
            ResultFile.get(client, caller.user, file_id).drop(client, caller.user)
        else:
            files.delete(files.get(file_id).id)

    await gateway.client.in_thread(drop)
    return JSONResponse({"id": file_id, "object": "file", "deleted": True})


@router.get(
    "/{file_id}/content",
    response_class=Response,
    responses={200: {"content": {_BINARY: {}, "application/jsonl": {}}}},
)
async def file_content(request: Request, caller: ReaderOf, file_id: str) -> Response:
    """The content of a file; that of a batch's results is written while it is sent."""
    gateway = gateway_of(request)
    client = gateway.client.client
    if ResultFile.is_id(file_id):
        result = await gateway.client.in_thread(ResultFile.get, client, caller.user, file_id)
        lines = result.content(client, lambda job, one: gateway.output_url(request, job, one))
        return StreamingResponse(lines, media_type="application/jsonl", headers=_HEADERS)
    files = _files_of(gateway, caller)
    file = await gateway.client.in_thread(files.get, file_id)
    return await file_response(gateway, partial(files.fetch, file), _BINARY, _HEADERS)


def _files_of(gateway: Gateway, caller: Caller) -> UserFiles:
    return UserFiles(gateway.client.client.archive.store, caller.user)


def _json(gateway: Gateway, request: Request) -> Callable[[StoredFile], dict[str, Any]]:
    def shown(file: StoredFile) -> dict[str, Any]:
        return file_json(file, gateway.address(request, f"/v1/files/{file.id}"))

    return shown
