"""Large bodies and answers in files of this machine, for as long as a request takes."""

from __future__ import annotations

import hashlib
import shutil
import tempfile
from collections.abc import AsyncIterator, Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO

from fastapi import Request
from starlette.background import BackgroundTask
from starlette.responses import FileResponse

from winepress.gateway.body import read_chunks
from winepress.gateway.gateway import Gateway
from winepress.gateway.refusals import BodyTooLarge
from winepress_shared.regular_file import size_text

_PREFIX = "winepress-gateway-"
_BLOCK_BYTES = 2**20


@contextmanager
def temporary_file() -> Iterator[Path]:
    """A path for one file, in a folder of its own."""
    with tempfile.TemporaryDirectory(prefix=_PREFIX) as folder:
        yield Path(folder) / "content"


async def file_response(
    gateway: Gateway, fetch: Callable[[Path], object], media_type: str, headers: Mapping[str, str]
) -> FileResponse:
    """The response with what ``fetch`` writes to an empty file, which is removed after it."""
    folder = tempfile.TemporaryDirectory(prefix=_PREFIX)
    path = Path(folder.name) / "content"
    try:
        path.touch()
        await gateway.client.in_thread(fetch, path)
    except BaseException:
        folder.cleanup()
        raise
    after = BackgroundTask(folder.cleanup)
    return FileResponse(path, media_type=media_type, headers=dict(headers), background=after)


async def receive(gateway: Gateway, request: Request, path: Path, most: int) -> str:
    """Write the body of a request to ``path``; returns its SHA-256.

    Raises BodyTooLarge for more than ``most`` bytes.
    """
    digest, taken = hashlib.sha256(), 0
    with path.open("wb") as file:
        async for chunk in _whole_blocks(read_chunks(request)):
            taken += len(chunk)
            if taken > most:
                raise BodyTooLarge("the file is too large", allowed=f"up to {size_text(most)}")
            digest.update(chunk)
            await gateway.client.in_thread(file.write, chunk)
    return digest.hexdigest()


async def _whole_blocks(chunks: AsyncIterator[bytes]) -> AsyncIterator[bytes]:
    """The same bytes in larger pieces: each is written by a thread."""
    held = bytearray()
    async for chunk in chunks:
        held += chunk
        if len(held) >= _BLOCK_BYTES:
            yield bytes(held)
            held.clear()
    if held:
        yield bytes(held)


def copy_to(source: BinaryIO, path: Path) -> None:
    """Write what ``source`` holds to ``path``; blocks its thread."""
    source.seek(0)
    with path.open("wb") as file:
        shutil.copyfileobj(source, file, _BLOCK_BYTES)
