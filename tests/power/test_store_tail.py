"""A power cut of the store's machine: the end of the newest volume is gone.

SeaweedFS tries for most of a minute to read an object that it has lost, so these take minutes.
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Sequence
from pathlib import Path

import pytest
from support.running_farm import assert_exactly_once

from winepress import Client, JobHandle, TextToImage
from winepress.recovery import Recovery, Repair
from winepress_deploy.farm import Farm
from winepress_deploy.farm_options import FarmOptions

pytestmark = [pytest.mark.slow, pytest.mark.timeout(900)]

_PATIENCE_S = 600
_ENTRY = 17  #: bytes of an entry of an index


def farm_in(state: Path, workers: int) -> Farm:
    engine = "fake:step_s=0.01"
    return Farm(
        FarmOptions(state=state, workers=workers, flower=False, gateway=False, engine=engine)
    )


def bytes_of(client: Client, handles: Sequence[JobHandle]) -> dict[str, str]:
    store = client.archive.store
    return {
        one.key: hashlib.sha256(store.get(one.key)).hexdigest()
        for handle in handles
        for one in store.list(f"jobs/{handle.id}/out/")
    }


def newest(state: Path, suffix: str) -> Path:
    """The file of the bucket's volume that was written last."""
    files = (state / "seaweedfs").glob(f"winepress_*{suffix}")
    return max(files, key=lambda file: file.stat().st_mtime_ns)


@pytest.mark.parametrize(
    ("suffix", "lost"), [(".dat", 3_000), (".idx", 3 * _ENTRY + 5)], ids=["bytes", "index"]
)
def test_counted_pictures_that_are_gone_are_drawn_again_with_the_same_bytes(
    tmp_path: Path, suffix: str, lost: int
) -> None:
    """Half an entry of the index is left too: without a remedy no object of the volume is read."""
    jobs = [TextToImage(prompt=f"job {n}", n=2, num_inference_steps=2, seed=n) for n in range(6)]
    with farm_in(tmp_path, workers=1) as farm, Client(farm.settings) as client:
        handles = client.submit_many(jobs)
        for handle in handles:
            handle.wait(timeout=_PATIENCE_S)
        before = bytes_of(client, handles)
    with newest(tmp_path, suffix).open("r+b") as file:
        os.truncate(file.fileno(), file.seek(0, os.SEEK_END) - lost)
    with farm_in(tmp_path, workers=1) as farm, Client(farm.settings) as client:
        found = list(Recovery(client).run())
        assert found
        assert {one.repair for one in found} <= {Repair.REDRAWN, Repair.RESULT}
        again = [client.get(handle.id) for handle in handles]
        for handle in again:
            handle.wait(timeout=_PATIENCE_S)
        assert_exactly_once(client, again)
        assert bytes_of(client, again) == before
        assert list(Recovery(client).run()) == []
