"""Fetching weights from a model hub: only files without code, checked against their hashes.

The environment variable ``HF_ENDPOINT`` names the hub; ``HF_TOKEN`` gives access to models that
need an account.
"""

from __future__ import annotations

import logging
import os
import shutil
from dataclasses import dataclass
from pathlib import Path

import httpx
from huggingface_hub import HfApi, hf_hub_url, set_client_factory
from huggingface_hub.errors import GatedRepoError, HfHubHTTPError, RepositoryNotFoundError
from huggingface_hub.file_download import http_get
from huggingface_hub.utils._headers import build_hf_headers
from huggingface_hub.utils._http import hf_request_event_hook
from huggingface_hub.utils.tqdm import disable_progress_bars

from winepress_shared.errors import DiskFull, EnvironmentFault
from winepress_shared.stores.partial_file import open_alone
from winepress_worker.models.folder import wanted_names
from winepress_worker.models.manifest import digest
from winepress_worker.report import Report

_ANSWER_S = 20.0  #: longest wait for the hub to describe a repository
_HINT = "if you have a copy of it: winepress models prepare MODEL --from FOLDER"
#: A mirror on this machine is reached without the environment's proxy.
_DIRECT = dict.fromkeys(("all://localhost", "all://127.0.0.1", "all://[::1]"))
_SHARE = 0.1  #: share of fetching in the progress of a whole prepare


@dataclass(frozen=True)
class _File:
    """One file of a repository, as the hub describes it."""

    name: str
    size: int  #: in bytes
    sha256: str | None  #: of large files
    blob: str  #: changes with its content


def fetch(repository: str, folder: Path, report: Report) -> Path:
    """Fetch the files of ``ORGANISATION/REPOSITORY`` to below ``folder``; returns their folder.

    A broken connection and a killed call resume at the byte where they stopped. Raises
    EnvironmentFault if the hub does not answer, has no such repository or refuses access, the disk
    is too small or a file is damaged.
    """
    disable_progress_bars()
    set_client_factory(_client)
    logging.getLogger("huggingface_hub").setLevel(logging.ERROR)
    endpoint = os.environ.get("HF_ENDPOINT") or None
    place = folder / repository
    try:
        revision, files = _describe(repository, endpoint)
        _check_resources(files, place)
        at = {"revision": revision, "endpoint": endpoint}
        done, total = 0, sum(file.size for file in files)
        for file in files:
            report(f"fetching {repository}/{file.name}", _SHARE * done / max(total, 1))
            _download(file, place, hf_hub_url(repository, file.name, **at))
            done += file.size
    except GatedRepoError:
        raise EnvironmentFault(
            "the hub gives this model only to accounts that accepted its licence",
            value=repository,
            hint="accept it there, then set HF_TOKEN",
        ) from None
    except RepositoryNotFoundError:
        raise EnvironmentFault("the hub has no such model", value=repository, hint=_HINT) from None
    except (httpx.HTTPError, HfHubHTTPError) as error:
        raise EnvironmentFault(
            f"the hub cannot be reached: {_first_line(error)}", value=repository, hint=_HINT
        ) from None
    return place


def _describe(repository: str, endpoint: str | None) -> tuple[str, list[_File]]:
    """The newest revision, and its files that are needed."""
    info = HfApi(endpoint=endpoint).model_info(repository, files_metadata=True, timeout=_ANSWER_S)
    known = {
        one.rfilename: _File(
            one.rfilename,
            one.size or 0,
            one.lfs.sha256 if one.lfs else None,
            str(one.blob_id or info.sha),
        )
        for one in info.siblings or []
    }
    files = [known[name] for name in wanted_names(known)]
    if not files or info.sha is None:
        raise EnvironmentFault(
            "the hub's model has no weights in safetensors format", value=repository, hint=_HINT
        )
    return info.sha, files


def _check_resources(files: list[_File], place: Path) -> None:
    place.mkdir(parents=True, exist_ok=True)
    missing = sum(file.size for file in files if not (place / file.name).exists())
    free = shutil.disk_usage(place).free
    if missing > free:
        raise DiskFull(
            f"the disk is too small: {missing >> 20} MiB to fetch, {free >> 20} MiB free",
            value=str(place),
        )


def _download(file: _File, place: Path, url: str) -> None:
    """Fetch ``file`` to below ``place``, resuming an earlier process's download.

    The library's own function is not used: it restarts a file in every process.
    """
    target, partial = place / file.name, place / ".partial" / (file.sha256 or file.blob)
    if target.exists() and _is(file, target):
        return
    target.parent.mkdir(parents=True, exist_ok=True)
    partial.parent.mkdir(exist_ok=True)
    with open_alone(partial) as opened:
        if opened.tell() > file.size:
            opened.seek(0)
            opened.truncate()
        http_get(
            url,
            opened,
            resume_size=opened.tell(),
            headers=build_hf_headers(),
            expected_size=file.size,
        )
        opened.flush()
        if not _is(file, partial):
            partial.unlink()
            raise EnvironmentFault(
                "a fetched file's checksum differs from the hub's",
                value=file.name,
                hint="try again",
            )
        partial.replace(target)


def _is(file: _File, path: Path) -> bool:
    """True when ``path`` is as the hub described it; small files are compared by size alone."""
    is_whole = path.stat().st_size == file.size
    return is_whole and (file.sha256 is None or digest(path) == file.sha256)


def _client() -> httpx.Client:
    """The library's own client, with `_DIRECT` added."""
    return httpx.Client(
        event_hooks={"request": [hf_request_event_hook]},
        follow_redirects=True,
        timeout=_ANSWER_S,
        mounts=_DIRECT,
    )


def _first_line(error: Exception) -> str:
    return str(error).splitlines()[0] if str(error) else type(error).__name__
