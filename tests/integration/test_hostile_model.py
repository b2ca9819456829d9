"""A model from the store or a home is data: nothing that lies beside it is run or followed."""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest
from transformers import CLIPTokenizer

from winepress_shared.catalogue import Catalogue
from winepress_shared.errors import EnvironmentFault
from winepress_shared.lane import Precision
from winepress_worker.conversion.preparation import prepare
from winepress_worker.engines.base import PipelineKey
from winepress_worker.engines.openvino import OpenVinoPipeline
from winepress_worker.engines.tokenizing import make_tokenizers
from winepress_worker.models.local_models import LocalModels
from winepress_worker.models.manifest import Manifest

FP16 = Precision.FP16


@pytest.fixture
def folder(local_models: LocalModels, tmp_path: Path) -> Path:
    """A copy of a prepared model, below the home ``tmp_path``."""
    prepared = prepare(local_models, "vignette", FP16, lambda message, share: None)
    target = tmp_path / "models" / "vignette" / "fp16"
    shutil.copytree(prepared.path, target)
    return target


def load(folder: Path) -> OpenVinoPipeline:
    """What a renderer does with a model whose folder it was given."""
    manifest = Manifest.read(folder)
    assert manifest
    prepared = manifest.prepared(folder)
    key = PipelineKey("vignette", prepared.revision, FP16, "CPU")
    return OpenVinoPipeline(key, prepared, "text-to-image")


def edit(path: Path, **changes: object) -> None:
    path.write_text(json.dumps(json.loads(path.read_bytes()) | changes))


def name_a_pipeline(folder: Path, trap: Path) -> None:
    """The index says that the scheduler is a pipeline, whose own folder holds its code."""
    edit(folder / "model_index.json", scheduler=["diffusers", "DiffusionPipeline"])
    (folder / "scheduler" / "evil.py").write_text(
        f"open({str(trap)!r}, 'w').close()\n"
        "from diffusers import DiffusionPipeline\nclass Evil(DiffusionPipeline): pass\n"
    )
    index = {"_class_name": ["evil", "Evil"], "_diffusers_version": "0.37.1"}
    (folder / "scheduler" / "model_index.json").write_text(json.dumps(index))


def name_a_module(folder: Path, trap: Path) -> None:
    """The index names a class of Python's own library."""
    edit(folder / "model_index.json", tokenizer=["os", "popen"], evil=["os", "system"])


def name_a_scheduler(folder: Path, trap: Path) -> None:
    """The scheduler's configuration names a class that is none."""
    edit(folder / "scheduler" / "scheduler_config.json", _class_name="DiffusionPipeline")


def ask_for_memory(folder: Path, trap: Path) -> None:
    edit(folder / "scheduler" / "scheduler_config.json", num_train_timesteps=10**12)


def name_a_file(folder: Path, trap: Path) -> None:
    """The tokenizer's words are a file of the worker's machine."""
    edit(folder / "tokenizer" / "tokenizer_config.json", vocab_file="/etc/passwd", auto_map={})
    edit(folder / "tokenizer" / "tokenizer.json", model={"type": "Unigram"})


def lay_code(folder: Path, trap: Path) -> None:
    (folder / "unet" / "modeling.py").write_text(f"open({str(trap)!r}, 'w').close()")


def lay_a_link(folder: Path, trap: Path) -> None:
    (folder / "unet" / "config.json").rename(trap.parent / "elsewhere.json")
    (folder / "unet" / "config.json").symlink_to(trap.parent / "elsewhere.json")


def lay_a_linked_folder(folder: Path, trap: Path) -> None:
    (folder / "unet").rename(trap.parent / "elsewhere")
    (folder / "unet").symlink_to(trap.parent / "elsewhere")


def lay_a_pipe(folder: Path, trap: Path) -> None:
    (folder / "unet" / "config.json").unlink()
    os.mkfifo(folder / "unet" / "config.json")


def nest_deeply(folder: Path, trap: Path) -> None:
    (folder / "scheduler" / "scheduler_config.json").write_text("[" * 100_000 + "]" * 100_000)


def grow(folder: Path, trap: Path) -> None:
    with (folder / "tokenizer" / "tokenizer_config.json").open("ab") as file:
        file.truncate(2**30)


def name_the_weights(folder: Path, trap: Path) -> None:
    """OpenVINO notes where weights lie; a graph may not say so itself."""
    path = folder / "unet" / "openvino_model.xml"
    text = path.read_text().replace("<rt_info>", '<rt_info><__weights_path value="/etc/passwd"/>')
    path.write_text(text)


ATTACKS = (
    *(name_a_pipeline, name_a_scheduler, ask_for_memory, name_a_file, nest_deeply, grow),
    *(lay_code, lay_a_link, lay_a_linked_folder, lay_a_pipe, name_the_weights),
)


@pytest.mark.filterwarnings("ignore")  # a library's warning must not be what ends the attack
@pytest.mark.parametrize("attack", ATTACKS)
def test_a_folder_that_is_more_than_a_model_is_not_loaded(
    attack: Callable[[Path, Path], None], folder: Path, tmp_path: Path
) -> None:
    """It is refused as a fault of the surroundings before anything of it is used."""
    trap = tmp_path / "trapped"
    attack(folder, trap)
    with pytest.raises(EnvironmentFault):
        load(folder)
    assert not trap.exists()


@pytest.mark.parametrize("pad", ["<|endoftext|>", "!"])
def test_our_tokenizer_is_the_one_that_was_exported(pad: str, folder: Path, tmp_path: Path) -> None:
    """Every number, of odd texts too, and the padding: the second of SDXL pads by another token."""
    theirs = CLIPTokenizer.from_pretrained(folder / "tokenizer", pad_token=pad)
    theirs.save_pretrained(folder / "tokenizer")
    ours = make_tokenizers(folder)["tokenizer"]
    assert ours.model_max_length == theirs.model_max_length
    for text in (
        "",
        "a Red  fox, 2 hills!",
        "<|endoftext|> x <|startoftext|>",
        "naïve 🦊 日本",
        "a " * 99,
    ):
        given = {"padding": "max_length", "truncation": True, "max_length": 32}
        assert ours(text, **given)["input_ids"] == theirs(text, **given)["input_ids"]


def test_what_an_index_names_is_not_imported(folder: Path, tmp_path: Path) -> None:
    """Parts come from our table: the index chooses a pipeline of it, and nothing else."""
    name_a_module(folder, tmp_path / "trapped")
    pipeline = load(folder)
    assert pipeline.device
    pipeline.close()


@pytest.mark.parametrize("attack", [lay_code, lay_a_link, lay_a_linked_folder, lay_a_pipe, grow])
def test_such_a_folder_counts_as_no_prepared_model(
    attack: Callable[[Path, Path], None], folder: Path, tmp_path: Path
) -> None:
    """A home that holds one from before has the model prepared or pulled again."""
    local_models = LocalModels(tmp_path, Catalogue.load())
    assert local_models.find("vignette", FP16)
    attack(folder, tmp_path / "trapped")
    assert local_models.find("vignette", FP16) is None
