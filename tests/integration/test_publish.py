"""Models in the store: what one machine pushed, another has whole, or not at all."""

from __future__ import annotations

import os
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from support.servers import scrubbed_environment
from support.throwaway_models import (
    FP16,
    SMALL,
    Killed,
    ProgressRecorder,
    files,
    machine,
    manifest_of,
    place,
    push,
    record,
)

from winepress_shared.catalogue import Catalogue
from winepress_shared.errors import EnvironmentFault
from winepress_shared.settings import Settings
from winepress_shared.stores.base import Store
from winepress_shared.stores.s3_multipart import PART_BYTES
from winepress_worker.conversion.preparation import prepare
from winepress_worker.models.registry import ModelRegistry
from winepress_worker.report import ignore_progress

if TYPE_CHECKING:
    from support.servers import S3Server

_LARGE = {"unet/openvino_model.xml": 1000, "unet/openvino_model.bin": 3 * PART_BYTES + 7}
_BIN = "unet/openvino_model.bin"


def test_what_was_pushed_is_pulled_whole_and_once(
    store: Store, catalogue: Catalogue, guest: str, here: Path, there: Path
) -> None:
    """Every byte and the manifest; a second push or pull moves nothing."""
    folder = place(here, guest)
    assert push(store, folder) == sum(SMALL.values())
    assert push(store, folder) == 0
    local_models, progress = machine(there, catalogue, store), ProgressRecorder()
    found = prepare(local_models, guest, FP16, progress)
    assert files(found.path) == files(folder)
    assert len(progress.files) == len(SMALL)
    again = ProgressRecorder()
    assert (
        local_models.pull(guest, FP16, again) == found == prepare(local_models, guest, FP16, again)
    )
    assert again.files == {}
    assert list(there.rglob(".pull-*")) == []


def test_another_revision_replaces_the_old_and_shares_what_is_equal(
    store: Store, catalogue: Catalogue, guest: str, here: Path, there: Path
) -> None:
    """Only the file that changed is fetched, and the old one is gone."""
    folder, local_models = place(here, guest), machine(there, catalogue, store)
    push(store, folder)
    local_models.pull(guest, FP16, ignore_progress)
    (folder / "manifest.json").unlink()
    (folder / _BIN).write_bytes(b"another")
    (folder / "unet" / "config.json").write_bytes(b"{}")
    record(folder, guest)
    assert push(store, folder) == len(b"another") + len(b"{}")
    progress = ProgressRecorder()
    found = local_models.pull(guest, FP16, progress)
    assert found
    assert files(found.path) == files(folder)
    assert not any("openvino_model.xml" in message for message in progress.files)


def test_half_a_push_offers_nothing_and_goes_on(
    store: Store, catalogue: Catalogue, guest: str, here: Path, there: Path
) -> None:
    """The manifest comes last; the parts of a large file that were sent stay sent."""
    folder = place(here, guest, _LARGE)
    with pytest.raises(Killed):
        push(store, folder, ProgressRecorder(end=0.5))
    assert machine(there, catalogue, store).pull(guest, FP16, ignore_progress) is None
    assert (guest, FP16) not in ModelRegistry(store).names()
    push(store, folder)
    found = machine(there, catalogue, store).pull(guest, FP16, ignore_progress)
    assert found
    assert files(found.path) == files(folder)


def test_a_killed_pull_is_gone_on_with_at_the_byte(
    s3_server: S3Server, store: Store, catalogue: Catalogue, guest: str, here: Path, there: Path
) -> None:
    """A process that died leaves nothing that looks finished, and its successor the rest."""
    folder = place(here, guest, _LARGE)
    push(store, folder)
    script = (
        "import os, sys; from pathlib import Path\n"
        "from support.throwaway_models import *; from winepress_shared.stores import open_store\n"
        "from winepress_shared.settings import Settings\n"
        "from winepress_worker.conversion.preparation import prepare\n"
        "local_models = machine(Path(sys.argv[1]), Catalogue.load(Path(sys.argv[2])), "
        "open_store(Settings.load()))\n"
        "end = lambda message, fraction: fraction >= 0.5 and os.kill(os.getpid(), 9)\n"
        "prepare(local_models, sys.argv[3], FP16, end)\n"
    )
    arguments = (str(there), str(here.parent / "guests.toml"), guest)
    environment = scrubbed_environment() | _told(s3_server.settings())
    command = [sys.executable, "-c", script, *arguments]
    ended = subprocess.run(command, env=environment, check=False, timeout=60)
    assert ended.returncode == -9
    local_models, progress = machine(there, catalogue, store), ProgressRecorder()
    assert local_models.find(guest, FP16) is None
    found = prepare(local_models, guest, FP16, progress)
    assert files(found.path) == files(folder)
    assert progress.files[f"fetching {_BIN} from the store"] >= 0.45


def _told(settings: Settings) -> dict[str, str]:
    secret = settings.s3_secret_access_key
    assert secret
    return {
        "WINEPRESS_S3_ENDPOINT": str(settings.s3_endpoint),
        "WINEPRESS_S3_BUCKET": settings.s3_bucket,
        "WINEPRESS_S3_ACCESS_KEY_ID": "test",
        "WINEPRESS_S3_SECRET_ACCESS_KEY": secret.get_secret_value(),
        "PYTHONPATH": os.pathsep.join(sys.path),
    }


def test_a_corrupt_file_is_found_and_fetched_again(
    store: Store, catalogue: Catalogue, guest: str, here: Path, there: Path
) -> None:
    """Even by a process that had found it right before; the good files are not fetched."""
    folder, local_models = place(here, guest), machine(there, catalogue, store)
    push(store, folder)
    found = prepare(local_models, guest, FP16, ignore_progress)
    with (found.path / _BIN).open("r+b") as file:
        file.write(b"rotten")
    assert local_models.find(guest, FP16) is None
    progress = ProgressRecorder()
    assert files(prepare(local_models, guest, FP16, progress).path) == files(folder)
    assert [message.split()[1] for message in progress.files] == [_BIN]


def test_a_file_damaged_in_the_store_is_refused_until_it_is_replaced(
    store: Store, catalogue: Catalogue, guest: str, here: Path, there: Path
) -> None:
    """Nothing of it can be loaded; the message says how to heal the store."""
    folder, local_models = place(here, guest), machine(there, catalogue, store)
    push(store, folder)
    manifest = manifest_of(folder)
    file = manifest.files[_BIN]
    store.put(f"models/files/{file.sha256}", bytes(file.size))
    with pytest.raises(EnvironmentFault, match=r"damaged in the store.*--replace"):
        prepare(local_models, guest, FP16, ignore_progress)
    assert local_models.find(guest, FP16) is None
    push(store, folder, replace=True)
    assert files(prepare(local_models, guest, FP16, ignore_progress).path) == files(folder)


def test_of_two_processes_one_pulls_and_the_other_waits(
    store: Store, catalogue: Catalogue, guest: str, here: Path, there: Path
) -> None:
    """Both have the model, and each file was fetched once."""
    push(store, place(here, guest))
    recorders = [ProgressRecorder(), ProgressRecorder()]
    with ThreadPoolExecutor(2) as pool:
        found = list(
            pool.map(
                lambda ear: prepare(machine(there, catalogue, store), guest, FP16, ear), recorders
            )
        )
    assert found[0] == found[1]
    fetched = [message for ear in recorders for message in ear.files if "fetching" in message]
    assert len(fetched) == len(SMALL)


def test_what_another_version_made_is_not_pulled(
    store: Store, catalogue: Catalogue, guest: str, here: Path, there: Path
) -> None:
    """It would be taken for outdated as soon as it was here."""
    text = (place(here, guest) / "manifest.json").read_text().replace('"fp16"\n', '"older"\n')
    assert "older" in text
    store.put(f"models/manifests/{guest}.fp16.json", text.encode())
    with pytest.raises(EnvironmentFault, match=r"another version.*push it again"):
        prepare(machine(there, catalogue, store), guest, FP16, ignore_progress)


@pytest.mark.parametrize(
    "name",
    [
        *("../evil", "/evil", "a/../../evil", "unet/../config.json", ".hidden", "Manifest.json"),
        *("unet/modeling.py", "scheduler/model_index.json", "unet/libextension.so"),
    ],
)
def test_a_hostile_manifest_is_refused_and_named(
    store: Store, catalogue: Catalogue, guest: str, here: Path, there: Path, name: str
) -> None:
    """No file but those that a prepared model has, and no manifest of any length."""
    text = (place(here, guest) / "manifest.json").read_text().replace(_BIN, name)
    store.put(f"models/manifests/{guest}.fp16.json", text.encode())
    with pytest.raises(EnvironmentFault, match="manifest of the model is not usable"):
        machine(there, catalogue, store).pull(guest, FP16, ignore_progress)
    store.put(f"models/manifests/{guest}.fp16.json", b"x" * (2**20 + 1))
    with pytest.raises(EnvironmentFault, match="too large"):
        machine(there, catalogue, store).pull(guest, FP16, ignore_progress)
    assert not [path for path in there.rglob("*") if path.is_file()]


def test_a_pull_writes_no_more_than_the_manifest_says(
    store: Store, catalogue: Catalogue, guest: str, here: Path, there: Path
) -> None:
    """An object that is larger than its record is refused before any of it is on the disk."""
    folder = place(here, guest)
    push(store, folder)
    record = manifest_of(folder).files[_BIN]
    store.put(f"models/files/{record.sha256}", bytes(20 * record.size))
    with pytest.raises(EnvironmentFault, match="damaged in the store"):
        machine(there, catalogue, store).pull(guest, FP16, ignore_progress)
    assert all(path.stat().st_size <= record.size for path in there.rglob("*") if path.is_file())
