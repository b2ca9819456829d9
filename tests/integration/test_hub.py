"""Fetching from a model hub: what is taken, gone on with, checked, and refused."""

from __future__ import annotations

import json
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from support.hub_server import HubServer
from support.servers import free_ports

from winepress_shared.errors import EnvironmentFault
from winepress_worker.models import hub

REPOSITORY = "somebody/model"
WEIGHTS = "diffusion_pytorch_model"
BIG = bytes(range(256)) * 800
TAKEN = {
    "model_index.json": b"{}",
    "unet/config.json": b"{}",
    f"unet/{WEIGHTS}.fp16.safetensors": BIG,
    "vae/config.json": b"{}",
    f"vae/{WEIGHTS}.safetensors": BIG[::-1],
    "text_encoder/model-00001-of-00002.safetensors": BIG[5:],
    "text_encoder/model-00002-of-00002.safetensors": BIG[6:],
    "text_encoder/model.safetensors.index.json": b"{}",
    "tokenizer/vocab.json": b"{}",
    "tokenizer/merges.txt": b"x",
    "scheduler/scheduler_config.json": b"{}",
}
LEFT = (
    "whole-model.safetensors",
    "README.md",
    "pipeline.py",
    f"unet/{WEIGHTS}.safetensors",
    f"unet/{WEIGHTS}.bin",
    f"vae/{WEIGHTS}.non_ema.safetensors",
    "vae/model.onnx",
    "safety_checker/model.safetensors",
)


@pytest.fixture
def server(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[HubServer]:
    for name, data in (TAKEN | dict.fromkeys(LEFT, BIG)).items():
        path = tmp_path / "served" / REPOSITORY / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(data)
    with HubServer(tmp_path / "served").running() as running:
        monkeypatch.setenv("HF_ENDPOINT", running.endpoint)
        yield running


def fetch(folder: Path, repository: str = REPOSITORY) -> Path:
    return hub.fetch(repository, folder, lambda message, fraction: None)


def test_a_mirror_on_this_machine_needs_no_proxy(
    server: HubServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whatever the environment names for the hub itself."""
    (port,) = free_ports(1)
    for name in ("http_proxy", "HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY"):
        monkeypatch.setenv(name, f"http://127.0.0.1:{port}")
    assert (fetch(tmp_path / "taken") / "vae/config.json").read_bytes() == b"{}"


def files_in(folder: Path) -> dict[str, bytes]:
    paths = [path for path in folder.rglob("*") if path.is_file() and ".partial" not in path.parts]
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in paths}


@pytest.mark.usefixtures("server")
def test_what_makes_the_model_is_fetched_and_nothing_else(tmp_path: Path) -> None:
    """Of two sizes the smaller; no script, no pickle, no part that is not used."""
    place = fetch(tmp_path / "hub")
    assert place == tmp_path / "hub" / REPOSITORY
    assert files_in(place) == TAKEN


def test_repository_without_an_index_is_taken_from_its_top(
    tmp_path: Path, server: HubServer
) -> None:
    """That is how UNets, low-rank weights and tiny autoencoders are published alone."""
    top = server.root / "somebody" / "unet"
    top.mkdir()
    for name in (f"{WEIGHTS}.fp16.safetensors", "config.json", f"{WEIGHTS}.safetensors", "x.py"):
        (top / name).write_bytes(BIG)
    fetched = files_in(fetch(tmp_path / "hub", "somebody/unet"))
    assert set(fetched) == {"config.json", f"{WEIGHTS}.fp16.safetensors"}


def test_connection_that_breaks_is_taken_up_at_the_byte(
    tmp_path: Path, server: HubServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A long download over a poor line is not begun again."""
    # What is written to the disk at once; by default more than all files here together.
    monkeypatch.setattr("huggingface_hub.constants.DOWNLOAD_CHUNK_SIZE", 1000)
    monkeypatch.setattr("time.sleep", lambda seconds: None)
    server.cut_after = 50_000
    assert files_in(fetch(tmp_path / "hub")) == TAKEN
    assert {first for _, first in server.sent} == {0, 50_000, 100_000, 150_000, 200_000}


def test_a_killed_process_is_gone_on_with_at_the_byte(tmp_path: Path, server: HubServer) -> None:
    """Another process has the beginning already, and fetches no byte of it again."""
    server.stall_after = 100_000
    script = (
        "import sys, huggingface_hub.constants as constants; from pathlib import Path\n"
        "constants.DOWNLOAD_CHUNK_SIZE = 1000  # written at once; more than a file here otherwise\n"
        "from winepress_worker.models.hub import fetch\n"
        f"fetch({REPOSITORY!r}, Path(sys.argv[1]), lambda message, fraction: None)\n"
    )
    process = subprocess.Popen([sys.executable, "-c", script, str(tmp_path / "hub")])
    try:
        while not any(path.stat().st_size > 50_000 for path in tmp_path.glob("hub/**/.partial/*")):
            assert process.poll() is None
            time.sleep(0.02)
    finally:
        process.kill()
        process.wait()
        server.go_on.set()
    server.stall_after = None
    server.sent.clear()
    assert files_in(fetch(tmp_path / "hub")) == TAKEN
    assert max(first for _, first in server.sent) > 50_000
    assert list(tmp_path.rglob(".partial/*")) == []


def test_fetching_that_was_ended_goes_on_with_the_next_file(
    tmp_path: Path, server: HubServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The first call ends in a sentence; the second one fetches what is missing alone."""
    monkeypatch.setattr("time.sleep", lambda seconds: None)
    server.cut_after = 10_000
    with pytest.raises(EnvironmentFault, match="hub cannot be reached"):
        fetch(tmp_path / "hub")
    before = files_in(tmp_path / "hub" / REPOSITORY)
    server.cut_after = None
    server.sent.clear()
    assert files_in(fetch(tmp_path / "hub")) == TAKEN
    assert before
    assert len(server.sent) == len(TAKEN) - len(before)


def test_second_call_fetches_nothing_again(tmp_path: Path, server: HubServer) -> None:
    """Files that are there and right stay."""
    fetch(tmp_path / "hub")
    server.sent.clear()
    fetch(tmp_path / "hub")
    assert server.sent == []


def test_file_with_another_checksum_is_refused_and_removed(
    tmp_path: Path, server: HubServer
) -> None:
    """Nobody uses it later by mistake; the rest stays for the next try."""
    name = f"vae/{WEIGHTS}.safetensors"
    server.lies_about = {f"{WEIGHTS}.safetensors"}
    with pytest.raises(EnvironmentFault, match=rf"checksum differs.*{name}"):
        fetch(tmp_path / "hub")
    assert not (tmp_path / "hub" / REPOSITORY / name).exists()
    server.lies_about = set()
    assert files_in(fetch(tmp_path / "hub")) == TAKEN


def test_gated_repository_says_what_to_do(tmp_path: Path, server: HubServer) -> None:
    """Accept the licence there, name a token here."""
    server.gated = {REPOSITORY}
    with pytest.raises(EnvironmentFault, match=r"licence.*HF_TOKEN"):
        fetch(tmp_path / "hub")


@pytest.mark.usefixtures("server")
def test_missing_repository_is_named(tmp_path: Path) -> None:
    """And the way without a hub is offered."""
    with pytest.raises(EnvironmentFault, match=r"no such model.*somebody/else.*--from"):
        fetch(tmp_path / "hub", "somebody/else")


def test_repository_of_pickles_is_refused(tmp_path: Path, server: HubServer) -> None:
    """Before a byte of it is fetched."""
    folder = server.root / "somebody" / "pickled"
    folder.mkdir()
    (folder / "model.bin").write_bytes(BIG)
    with pytest.raises(EnvironmentFault, match="no weights in safetensors"):
        fetch(tmp_path / "hub", "somebody/pickled")
    assert server.sent == []


def test_hub_that_does_not_answer_is_said_at_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """With the way that needs no hub."""
    (port,) = free_ports(1)
    monkeypatch.setenv("HF_ENDPOINT", f"http://127.0.0.1:{port}")
    with pytest.raises(EnvironmentFault, match=r"cannot be reached.*--from"):
        fetch(tmp_path / "hub")


def test_hostile_file_names_stay_outside(tmp_path: Path, server: HubServer) -> None:
    """A hub cannot have anything written outside the repository's folder."""
    described = server.describe(REPOSITORY)
    assert described
    names = ["unet/../../../x.json", "/x.json", "unet/a/b.json", "unet/.hidden.json"]
    described["siblings"] += [{"rfilename": name, "size": 1} for name in names]
    server.describe = lambda repository: json.loads(json.dumps(described))  # type: ignore[method-assign]
    assert files_in(fetch(tmp_path / "hub")) == TAKEN


@pytest.mark.usefixtures("server")
def test_disk_too_small_is_said_before_fetching(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """With what is needed and what there is."""
    monkeypatch.setattr("shutil.disk_usage", lambda path: type("Usage", (), {"free": 1000})())
    with pytest.raises(EnvironmentFault, match=r"disk is too small: \d+ MiB to fetch, 0 MiB free"):
        fetch(tmp_path / "hub")
