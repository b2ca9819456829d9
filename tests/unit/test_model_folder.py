"""Folders of weights from outside: what is taken from them, and what is refused."""

from __future__ import annotations

import json
import tomllib
from pathlib import Path
from typing import Any

import pytest

from winepress_shared.catalogue import Catalogue
from winepress_shared.errors import EnvironmentFault, WrongUsage
from winepress_shared.lane import Precision
from winepress_shared.model import Model
from winepress_worker.conversion.preparation import prepare
from winepress_worker.models.folder import pipeline_files, plain_index
from winepress_worker.models.infer_entry import describe, entry_text
from winepress_worker.models.local_models import LocalModels
from winepress_worker.models.source import find_source

SD = "StableDiffusionPipeline"
PARTS = {
    "unet": ("config.json", "diffusion_pytorch_model"),
    "vae": ("config.json", "diffusion_pytorch_model"),
    "text_encoder": ("config.json", "model"),
}


def safetensors(count: int = 6, cut: int = 0) -> bytes:
    """A file with one tensor of ``count`` half numbers, ``cut`` bytes short."""
    tensor = {"dtype": "F16", "shape": [count], "data_offsets": [0, 2 * count]}
    text = json.dumps({"__metadata__": {"format": "pt"}, "x": tensor}).encode()
    data = len(text).to_bytes(8, "little") + text + bytes(2 * count)
    return data[: len(data) - cut]


def write(path: Path, content: bytes | dict[str, Any]) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content if isinstance(content, bytes) else json.dumps(content).encode())


def make_folder(folder: Path, cls: str = SD, **unet: Any) -> Path:
    """The smallest folder that looks like a model."""
    config = {"sample_size": 64, "block_out_channels": [1, 2, 3, 4], "in_channels": 4} | unet
    for part, (name, stem) in PARTS.items():
        write(folder / part / name, config if part == "unet" else {})
        write(folder / part / f"{stem}.safetensors", safetensors())
    write(folder / "tokenizer" / "vocab.json", {})
    write(folder / "tokenizer" / "merges.txt", b"")
    write(folder / "scheduler" / "scheduler_config.json", {"_class_name": "PNDMScheduler"})
    parts = {part: ["diffusers", "X"] for part in [*PARTS, "tokenizer", "scheduler"]}
    write(folder / "model_index.json", {"_class_name": cls} | parts)
    return folder


def entry(folder: Path, **changes: Any) -> Model:
    return describe("mine", folder).model_copy(update=changes)


def test_only_what_cannot_run_is_taken(tmp_path: Path) -> None:
    """Scripts, pickles and pictures stay behind; of two weight files the smaller one is taken."""
    folder = make_folder(tmp_path)
    for name in ("unet/evil.py", "pipeline.py", "unet/diffusion_pytorch_model.bin", "x.png"):
        write(folder / name, b"x")
    half = folder / "unet" / "diffusion_pytorch_model.fp16.safetensors"
    write(half, safetensors(2))
    files = pipeline_files(folder)
    assert {path.suffix for path in files.values()} == {".json", ".txt", ".safetensors"}
    assert files["unet/diffusion_pytorch_model.safetensors"] == half


def test_weights_in_pieces_are_taken_whole(tmp_path: Path) -> None:
    """Each piece that the table names, under its own name, and none from elsewhere."""
    folder = make_folder(tmp_path)
    unet = folder / "unet"
    (unet / "diffusion_pytorch_model.safetensors").rename(unet / "part-1.safetensors")
    table = {"weight_map": {"x": "part-1.safetensors"}}
    write(unet / "diffusion_pytorch_model.safetensors.index.json", table)
    files = pipeline_files(folder)
    assert files["unet/part-1.safetensors"] == unet / "part-1.safetensors"
    write(unet / "diffusion_pytorch_model.safetensors.index.json", {"weight_map": {"x": "../../y"}})
    with pytest.raises((EnvironmentFault, FileNotFoundError)):
        pipeline_files(folder)


@pytest.mark.parametrize("cut", [1, 11, 80, 10**6])
def test_file_that_ends_early_is_refused(tmp_path: Path, cut: int) -> None:
    """Whether it lacks its last byte or its head, and before anything is exported."""
    folder = make_folder(tmp_path)
    whole = safetensors()
    write(folder / "vae" / "diffusion_pytorch_model.safetensors", whole[: max(len(whole) - cut, 0)])
    with pytest.raises(EnvironmentFault, match="damaged or incomplete"):
        pipeline_files(folder)


@pytest.mark.parametrize(
    "head", [b"{}", b"[1]", b'{"x": 1}', b'{"x": {"data_offsets": []}}', b"\xff\xfe", b"{" * 50]
)
def test_head_that_makes_no_sense_is_refused(tmp_path: Path, head: bytes) -> None:
    """Hostile heads end in the same sentence."""
    folder = make_folder(tmp_path)
    data = len(head).to_bytes(8, "little") + head + b"more"
    write(folder / "vae" / "diffusion_pytorch_model.safetensors", data)
    with pytest.raises(EnvironmentFault, match="damaged or incomplete"):
        pipeline_files(folder)


def test_folder_of_pickles_is_refused(tmp_path: Path) -> None:
    """The message says why, and what would help."""
    folder = make_folder(tmp_path)
    weights = folder / "unet" / "diffusion_pytorch_model.safetensors"
    weights.rename(weights.with_suffix(".bin"))
    with pytest.raises(
        EnvironmentFault, match=r"unet has no weights in safetensors.*Pickle files can"
    ):
        pipeline_files(folder)


@pytest.mark.parametrize("part", ["unet", "vae", "scheduler", "text_encoder"])
def test_missing_part_is_named(tmp_path: Path, part: str) -> None:
    """A half-copied folder is noticed at once."""
    folder = make_folder(tmp_path)
    (folder / part).rename(folder / "elsewhere")
    with pytest.raises(EnvironmentFault, match=part):
        pipeline_files(folder)


@pytest.mark.parametrize(
    ("index", "problem"),
    [
        (b"", "not a JSON object"),
        (b"[]", "not a JSON object"),
        (b"{}", "family"),
        ({"_class_name": "FluxPipeline"}, "FluxPipeline.*StableDiffusionXLPipeline"),
        ({"_class_name": ["x"]}, "family"),
        (None, "cannot read model_index.json"),
    ],
)
def test_folder_of_no_known_family_is_refused(tmp_path: Path, index: Any, problem: str) -> None:
    """Lists the families there are."""
    folder = make_folder(tmp_path)
    (folder / "model_index.json").unlink()
    if index is not None:
        write(folder / "model_index.json", index)
    with pytest.raises(EnvironmentFault, match=problem):
        pipeline_files(folder)


def test_classes_are_ours_whatever_the_folder_says(tmp_path: Path) -> None:
    """A module of the folder's own is never named to the library that would import it."""
    folder = make_folder(tmp_path, "DeciDiffusionPipeline")
    write(
        folder / "model_index.json",
        {
            "_class_name": "DeciDiffusionPipeline",
            "unet": ["evil", "X"],
            "safety_checker": ["a", "B"],
        },
    )
    index = plain_index(folder)
    assert index["_class_name"] == SD
    assert index["unet"] == ["diffusers", "UNet2DConditionModel"]
    assert index["safety_checker"] == [None, None]
    write(folder / "scheduler" / "scheduler_config.json", {"_class_name": "os.system"})
    with pytest.raises(EnvironmentFault, match="scheduler"):
        plain_index(folder)


def test_model_of_another_family_is_refused(tmp_path: Path) -> None:
    """Weights of SDXL under the name of a smaller model would draw nothing."""
    make_folder(tmp_path, "StableDiffusionXLPipeline")
    with pytest.raises(EnvironmentFault, match="not tiny-sd"):
        find_source(Catalogue.load().get("tiny-sd"), tmp_path)


def test_refused_folder_leaves_nothing_behind(tmp_path: Path) -> None:
    """No folder and no lock; the local models are as they were."""
    folder = make_folder(tmp_path / "weights")
    local_models = LocalModels(tmp_path / "home", Catalogue.load().plus(entry(folder)))
    (folder / "vae" / "diffusion_pytorch_model.safetensors").write_bytes(b"")
    with pytest.raises(EnvironmentFault, match="damaged"):
        prepare(local_models, "mine", Precision.FP16, lambda message, fraction: None)
    assert not (tmp_path / "home").exists()


def test_model_of_a_hub_is_looked_for_in_the_mirror(tmp_path: Path) -> None:
    """As ORGANISATION/REPOSITORY, as REPOSITORY, or the folder itself; else the hub is needed."""
    model = Catalogue.load().get("tiny-sd")
    for place in ("a/segmind/tiny-sd", "b/tiny-sd", "c"):
        made = make_folder(tmp_path / place)
        files = find_source(model, tmp_path / place[0]).files
        assert files["unet/config.json"] == made / "unet" / "config.json"
    with pytest.raises(EnvironmentFault, match=r"hub.*--from"):
        find_source(model)


def test_parts_of_several_repositories_are_put_together(tmp_path: Path) -> None:
    """The UNet of one, all else of another; low-rank weights and a tiny autoencoder beside them."""
    make_folder(tmp_path / "segmind" / "SSD-1B", "StableDiffusionXLPipeline")
    unet = tmp_path / "latent-consistency" / "lcm-ssd-1b"
    write(unet / "config.json", {})
    write(unet / "diffusion_pytorch_model.safetensors", safetensors(3))
    catalogue = Catalogue.load()
    files = find_source(catalogue.get("lcm-ssd-1b"), tmp_path).files
    assert files["unet/config.json"] == unet / "config.json"
    assert files["vae/config.json"].is_relative_to(tmp_path / "segmind")
    make_folder(tmp_path / "segmind" / "Segmind-Vega", "StableDiffusionXLPipeline")
    lora = tmp_path / "segmind" / "Segmind-VegaRT" / "pytorch_lora_weights.safetensors"
    write(lora, safetensors())
    assert lora in find_source(catalogue.get("vega-rt"), tmp_path).files.values()


@pytest.mark.parametrize(
    ("cls", "unet", "expected"),
    [
        (SD, {}, {"size_multiple": 64, "guidance_scale": 7.5, "embedded_guidance": False}),
        (SD, {}, {"width": 512, "max_side": 1024}),
        (SD, {"in_channels": 9}, {"kinds": ("inpaint",)}),
        (SD, {"sample_size": 96}, {"width": 768, "max_side": 1536}),
        (SD, {"block_out_channels": [1, 2, 3]}, {"size_multiple": 32}),
        (SD, {"time_cond_proj_dim": 256}, {"num_inference_steps": 4, "embedded_guidance": True}),
        ("StableDiffusionXLImg2ImgPipeline", {}, {"kinds": ("image-to-image",)}),
        ("StableDiffusionXLPipeline", {}, {"family": "stable-diffusion-xl", "guidance_scale": 5.0}),
    ],
)
def test_unknown_folder_is_described_by_its_own_files(
    tmp_path: Path, cls: str, unet: dict[str, Any], expected: dict[str, Any]
) -> None:
    """Defaults and limits come from its configurations; the entry can be pasted as it is."""
    model = describe("mine", make_folder(tmp_path, cls, **unet))
    assert {name: getattr(model, name) for name in expected} == expected
    assert model.scheduler == "pndm"
    assert Model(name="mine", **tomllib.loads(entry_text(model))["mine"]) == model


def test_description_that_is_impossible_is_refused(tmp_path: Path) -> None:
    """Nonsense in the files is a sentence, and so is a name that is none."""
    with pytest.raises(WrongUsage, match="name"):
        describe("No Name", make_folder(tmp_path / "a"))
    with pytest.raises(EnvironmentFault, match="width"):
        describe("mine", make_folder(tmp_path / "b", sample_size=100_000))
    with pytest.raises(EnvironmentFault, match="invalid value"):
        describe("mine", make_folder(tmp_path / "d", sample_size=[1]))
    with pytest.raises(EnvironmentFault, match="invalid value"):
        describe("mine", make_folder(tmp_path / "e", block_out_channels=7))
    folder = make_folder(tmp_path / "c")
    write(folder / "scheduler" / "scheduler_config.json", {"_class_name": "NoneScheduler"})
    with pytest.raises(EnvironmentFault, match="scheduler"):
        describe("mine", folder)
