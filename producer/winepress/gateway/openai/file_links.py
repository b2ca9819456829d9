"""Files that the inputs of a job name by their address on this gateway."""

from __future__ import annotations

from fastapi import Request

from winepress.gateway.access import Caller
from winepress.gateway.gateway import Gateway
from winepress.gateway.openai.user_files import FILE_ID, UserFiles
from winepress_shared.jobs.picture import MAX_FILE_BYTES


async def read_link(
    gateway: Gateway, request: Request, caller: Caller, url: str, most: int = MAX_FILE_BYTES
) -> bytes | None:
    """The content of the caller's file at ``url``, such as ``urls.get`` of an upload.

    None if it is no address of a file of this gateway; nothing is fetched over the network. Raises
    NotFound for a file that is not there, and InvalidJob for one of more than ``most`` bytes.
    """
    file_id = url.removeprefix(gateway.address(request, "/v1/files/"))
    if not FILE_ID.fullmatch(file_id):
        return None
    files = UserFiles(gateway.client.client.archive.store, caller.user)
    return await gateway.client.in_thread(files.read, file_id, most)
