"""The models of a farm: their limits, their defaults, and what a job becomes."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from winepress_shared.catalogue import Catalogue
from winepress_shared.errors import InvalidJob, UnknownModel, WrongUsage
from winepress_shared.jobs.job import (
    MAX_SEED,
    ImageToImage,
    Job,
    TextToImage,
    decode_job,
    parse_job,
)
from winepress_shared.jobs.schedulers import canonical_scheduler
from winepress_shared.lane import Lane, Precision
from winepress_shared.model import Model

ENTRY: dict[str, Any] = {
    "name": "big",
    "title": "a large model",
    "source": "hub:somebody/big",
    "family": "stable-diffusion",
    "kinds": ["text-to-image", "image-to-image"],
    "precisions": ["fp16", "int8"],
    "width": 512,
    "height": 768,
    "size_multiple": 8,
    "max_side": 1024,
    "num_inference_steps": 30,
    "max_steps": 100,
    "guidance_scale": 7.5,
    "scheduler": "DPM++ 2M Karras",
    "licence": "MIT",
    "memory_mib": 4000,
    "int8": {"method": "hybrid", "pictures": 30},
}


@pytest.fixture
def catalogue() -> Catalogue:
    """One model with limits of its own."""
    return Catalogue({"big": Model(**ENTRY)})


def ask(**values: Any) -> Job:
    """A job for the large model."""
    return parse_job({"prompt": "a", "model": "big"} | values)


def toml(entry: dict[str, Any], name: str = "big") -> str:
    """An entry as a farm would write it; texts, numbers, lists of texts and tables of these."""
    lines = []
    for key, value in entry.items():
        given = value if isinstance(value, dict) else {"": value}
        lines += [f"{key}.{name}".strip(".") + f" = {part!r}" for name, part in given.items()]
    lines = [line for line in lines if not line.startswith("name ")]
    return "\n".join([f"[{name}]", *lines]) + "\n"


def test_open_values_become_the_models_defaults(catalogue: Catalogue) -> None:
    """A resolved job names every value it will be rendered with."""
    job = catalogue.resolve(ask(seed=7))
    assert (job.width, job.height, job.num_inference_steps) == (512, 768, 30)
    assert (job.guidance_scale, job.scheduler, job.seed) == (7.5, "dpmpp_2m:karras", 7)


def test_given_values_are_kept(catalogue: Catalogue) -> None:
    """Zero guidance and seed 0 are values, not gaps."""
    numbers = {"width": 256, "height": 264, "steps": 3, "seed": 0}
    asked = ask(**numbers, guidance_scale=0, guidance_rescale=0, scheduler="ddim", quality="exact")
    assert catalogue.resolve(asked) == asked


def test_resolving_twice_changes_nothing(catalogue: Catalogue) -> None:
    """A resolved job may be submitted again and gives the same pictures."""
    once = catalogue.resolve(ask())
    assert catalogue.resolve(once) == once


@pytest.mark.parametrize("seed", [None, -1])
def test_random_seed_is_drawn_once_and_kept(catalogue: Catalogue, seed: int | None) -> None:
    """Two random jobs differ; each one's seed is short enough to read aloud."""
    seeds = [catalogue.resolve(ask(seed=seed)).seed for _ in range(8)]
    assert len(set(seeds)) > 1
    assert all(drawn is not None and 0 <= drawn < 2**32 for drawn in seeds)


def test_seeds_of_all_pictures_stay_within_the_bound(catalogue: Catalogue) -> None:
    """The last picture's seed is the seed plus n - 1."""
    assert catalogue.resolve(ask(seed=MAX_SEED - 9, n=10))
    with pytest.raises(InvalidJob, match="seed"):
        catalogue.resolve(ask(seed=MAX_SEED - 8, n=10))


@pytest.mark.parametrize("field", ["width", "height"])
def test_sides_are_multiples_up_to_the_models_limit(catalogue: Catalogue, field: str) -> None:
    """The refusal names a size that works."""
    for pixels in (64, 72, 1024):
        assert getattr(catalogue.resolve(ask(**{field: pixels})), field) == pixels
    for pixels in (65, 1016 + 4, 1025, 1032, 4096):
        with pytest.raises(InvalidJob, match=f"^{field}: big does not support this size") as caught:
            catalogue.resolve(ask(**{field: pixels}))
        offered = re.search(r"Try (\d+)", str(caught.value))
        assert offered
        assert catalogue.resolve(ask(**{field: int(offered[1])}))


def test_steps_are_bounded_by_the_model(catalogue: Catalogue) -> None:
    """The bound is inclusive."""
    assert catalogue.resolve(ask(steps=100))
    with pytest.raises(InvalidJob, match=r"num_inference_steps: too many.*1 to 100"):
        catalogue.resolve(ask(steps=101))


def test_kind_the_model_cannot_do_is_refused(catalogue: Catalogue) -> None:
    """The refusal lists what it can do."""
    image = Image.new("RGB", (64, 64))
    with pytest.raises(InvalidJob, match=r"big does not support inpaint.*text-to-image"):
        catalogue.resolve(ask(kind="inpaint", image=image, mask=image))


def test_precision_the_model_lacks_is_refused(catalogue: Catalogue) -> None:
    """The refusal lists the ones it has."""
    with pytest.raises(UnknownModel, match=r"precision: .*allowed: fp16, int8"):
        catalogue.resolve(ask(precision="int4-weights"))


def test_unknown_model_is_refused_with_the_nearest_name() -> None:
    """A typo gets a suggestion, anything else the list."""
    builtin = Catalogue.load()
    with pytest.raises(UnknownModel, match="Did you mean 'vignette'"):
        builtin.resolve(TextToImage(prompt="a", model="vinete"))
    with pytest.raises(UnknownModel, match="allowed: vignette, vignette-inpaint"):
        builtin.get("zzz")


@pytest.mark.parametrize(
    ("size", "drawn"),
    [((512, 512), (512, 512)), ((515, 517), (512, 520)), ((3000, 1), (1024, 64))],
)
def test_size_comes_from_the_picture_when_none_is_asked_for(
    catalogue: Catalogue, size: tuple[int, int], drawn: tuple[int, int]
) -> None:
    """Snapped to the model's grid and within its limit, so that a worker takes it too."""
    job = catalogue.resolve(ask(kind="image-to-image", image=Image.new("RGB", size)))
    assert (job.width, job.height) == drawn
    assert decode_job(job.model_dump(mode="json")).width == job.width


def test_asked_size_beats_the_pictures(catalogue: Catalogue) -> None:
    """One given side is enough to leave the picture's size."""
    image = Image.new("RGB", (64, 64))
    job = catalogue.resolve(ask(kind="image-to-image", image=image, width=256))
    assert (job.width, job.height) == (256, 768)


@pytest.mark.parametrize("steps", range(1, 101))
def test_strength_must_leave_a_step_to_run(catalogue: Catalogue, steps: int) -> None:
    """The least strength that the refusal offers is accepted, a little less is refused."""
    image = Image.new("RGB", (64, 64))
    asked = {"kind": "image-to-image", "image": image, "steps": steps}
    with pytest.raises(InvalidJob, match="strength") as caught:
        catalogue.resolve(ask(**asked, strength=0.99 / steps))
    offered = re.search(r"at least ([\d.]+)", str(caught.value))
    assert offered
    job = catalogue.resolve(ask(**asked, strength=float(offered[1])))
    assert isinstance(job, ImageToImage)
    assert int(steps * (job.strength or 0)) == 1


def test_default_steps_leave_one_to_run_at_any_usual_strength() -> None:
    """A model of one step takes as many as the strength asks for; a number that is given stays."""
    image = Image.new("RGB", (512, 512))
    asked = {"kind": "image-to-image", "prompt": "a", "model": "sdxl-turbo", "image": image}
    steps = [
        BUILT_IN.resolve(parse_job(asked | {"strength": strength})).num_inference_steps
        for strength in (1.0, 0.6, 0.5, 0.3)
    ]
    assert steps == [1, 2, 2, 4]
    with pytest.raises(InvalidJob, match="strength"):
        BUILT_IN.resolve(parse_job(asked | {"strength": 0.5, "steps": 1}))


@pytest.mark.parametrize(
    "source", ["nowhere", "hub:only-a-name", "hub:a/../b", "folder:relative", "bundled:../x", ""]
)
def test_place_of_weights_that_is_none_is_refused(tmp_path: Path, source: str) -> None:
    """Each of the places has one form, and none of them climbs out of its folder."""
    file = tmp_path / "models.toml"
    for field in ("source", "unet", "lora", "tiny_vae"):
        file.write_text(toml(ENTRY | {field: source}))
        with pytest.raises(WrongUsage, match=rf"\[big\] {field}"):
            Catalogue.load(file)


def test_lane_is_model_precision_and_device() -> None:
    """The lane a job waits in follows from the job alone."""
    assert ask().lane == Lane("big", Precision.FP16)
    assert ask(precision="int8", device="NPU").lane == Lane("big", Precision.INT8, "NPU")


def test_farm_adds_and_replaces_models(tmp_path: Path) -> None:
    """A farm's own file wins over the built-in table."""
    file = tmp_path / "models.toml"
    file.write_text(toml(ENTRY) + toml(ENTRY | {"title": "ours"}, "vignette"))
    catalogue = Catalogue.load(file)
    assert set(catalogue.names) == {*Catalogue.load().names, "big"}
    assert catalogue.get("big") == Model(**ENTRY)
    assert catalogue.get("vignette").title == "ours"


@pytest.mark.parametrize(
    ("change", "problem"),
    [
        ({"widht": 512}, "widht"),
        ({"kinds": ["text-to-imgae"]}, "kinds.*text-to-imgae"),
        ({"precisions": ["fp32"]}, "precisions"),
        ({"family": "unknown"}, "family"),
        ({"scheduler": "nonesuch"}, "scheduler: unknown scheduler"),
        ({"scheduler": 5}, "scheduler: unknown scheduler"),
        ({"width": 500}, "multiples of size_multiple"),
        ({"max_side": 1020}, "multiples of size_multiple"),
        ({"width": 1032}, "must not exceed max_side"),
        ({"height": 1032}, "must not exceed max_side"),
        ({"num_inference_steps": 101}, "must not exceed max_steps"),
        ({"num_inference_steps": 0}, "num_inference_steps"),
        ({"guidance_scale": -1}, "guidance_scale"),
        ({"guidance_scale": 51}, "guidance_scale"),
        ({"memory_mib": 0}, "memory_mib"),
        ({"size_multiple": 7}, "size_multiple"),
        ({"int8": {"method": "both", "pictures": 30}}, r"int8\.method"),
        ({"int8": {"method": "full", "picture": 30}}, r"int8\.picture"),
        ({"int4": {"group_size": 0}}, r"int4\.group_size"),
    ],
)
def test_mistake_in_an_entry_is_refused_by_name(
    tmp_path: Path, change: dict[str, Any], problem: str
) -> None:
    """The message names the file, the entry and the field; nothing is ignored."""
    file = tmp_path / "models.toml"
    file.write_text(toml(ENTRY | change))
    with pytest.raises(WrongUsage, match=rf"models\.toml: \[big\].*{problem}"):
        Catalogue.load(file)


@pytest.mark.parametrize(
    ("content", "problem"),
    [
        (b"big = 1\n", "is not a table"),
        (b"[Big]\n", "name"),
        (b'["a b"]\n', "name"),
        (b"[big\n", "not valid TOML"),
        (b"big = " + b"9" * 5000, "a number has too many digits"),
        (b"big = " + b"[" * 10_000, "too deeply"),
        (b"\xff", "not valid TOML"),
        (None, "cannot read the catalogue"),
    ],
)
def test_mistake_in_the_file_is_a_sentence(
    tmp_path: Path, content: bytes | None, problem: str
) -> None:
    """Not a table, not a name, not TOML, not there: WrongUsage every time."""
    file = tmp_path / "models.toml"
    if content is not None:
        file.write_bytes(content)
    with pytest.raises(WrongUsage, match=problem) as caught:
        Catalogue.load(file)
    assert "models.toml" in str(caught.value)


BUILT_IN = Catalogue.load()


@pytest.mark.parametrize("name", BUILT_IN.names)
def test_built_in_model_can_do_what_it_promises(name: str) -> None:
    """Its defaults make a job that it accepts itself, for every kind and precision."""
    model = BUILT_IN.get(name)
    image = Image.new("RGB", (model.width, model.height))
    pictures = {"inpaint": ["image", "mask"], "image-to-image": ["image"]}
    for kind in model.kinds:
        inputs = dict.fromkeys(pictures.get(kind, []), image)
        for precision in model.precisions:
            job = parse_job({"kind": kind, "prompt": "a", "model": name} | inputs)
            job = BUILT_IN.resolve(job.model_copy(update={"precision": precision}))
            assert (job.width, job.height) == (model.width, model.height)
            assert canonical_scheduler(job.scheduler) == job.scheduler
