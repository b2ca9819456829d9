"""Sheets of the shipped models' pictures: a contact sheet, and one for blind naming."""

import random
from pathlib import Path
from typing import Any, Final

import torch
from PIL import Image, ImageDraw

from training.concepts import ACTIVE, COLOURS, SCENES, colour_phrase, with_article
from training.export import assemble, assemble_student
from training.networks import STUDENT_TIMES
from training.starts import Place

_STEPS, _GUIDANCE = 20, 3.0
_BLIND: Final = 20  # pictures to name
_COLUMNS: Final = 5
_CAPTION: Final = 18  # pixels
_CELL: Final = 176  # pixels per picture, to keep the file small


def blind_prompts(count: int, seed: int) -> list[str]:
    """Random prompts of all concepts (each at most once), colours and scenes."""
    rng = random.Random(seed)  # noqa: S311  # prompts, not secrets
    prompts = []
    for name in rng.sample(sorted(ACTIVE), count):
        if rng.random() < 0.5:
            tail = colour_phrase(rng.choice(list(COLOURS)), rng)
        else:
            tail = rng.choice(list(SCENES))
        joint = " " if tail.startswith(("on ", "in ", "at ", "under ")) else ", "
        prompts.append(with_article(name, rng) + joint + tail)
    return prompts


def render(place: Place, prompts: list[str], seed: int, by_student: bool) -> list[Image.Image]:
    """Render each prompt with its own seed."""
    pipe: Any = assemble_student(place) if by_student else assemble(place, inpaint=False)
    pipe.set_progress_bar_config(disable=True)
    steps, guidance = (len(STUDENT_TIMES), 1.0) if by_student else (_STEPS, _GUIDANCE)
    pictures = []
    for offset, prompt in enumerate(prompts):
        source = torch.Generator().manual_seed(seed + offset)
        made = pipe(prompt, num_inference_steps=steps, guidance_scale=guidance, generator=source)
        pictures.append(made.images[0])
    return pictures


def save_each(pictures: list[Image.Image], folder: Path) -> None:
    """Save pictures at full size under their numbers."""
    folder.mkdir(parents=True, exist_ok=True)
    for number, picture in enumerate(pictures, 1):
        picture.save(folder / f"{number:02}.png")


def lay_out(pictures: list[Image.Image], captions: list[str], path: Path) -> None:
    """Save pictures in rows, each above its caption."""
    rows = -(-len(pictures) // _COLUMNS)
    sheet = Image.new("RGB", (_COLUMNS * _CELL, rows * (_CELL + _CAPTION)), "white")
    draw = ImageDraw.Draw(sheet)
    for place, (picture, caption) in enumerate(zip(pictures, captions, strict=True)):
        x, y = place % _COLUMNS * _CELL, place // _COLUMNS * (_CELL + _CAPTION)
        sheet.paste(picture.resize((_CELL, _CELL), Image.Resampling.LANCZOS), (x, y))
        draw.text((x + 4, y + _CELL + 3), caption, fill="black")
    sheet.save(path, optimize=True)


def blind_sheet(place: Place, out: Path, seed: int, by_student: bool) -> None:
    """Save a numbered sheet without captions, a file of the prompts and each single picture."""
    prompts = blind_prompts(_BLIND, seed)
    numbers = [str(number) for number in range(1, _BLIND + 1)]
    pictures = render(place, prompts, seed, by_student)
    lay_out(pictures, numbers, out / "blind.png")
    save_each(pictures, out / "blind")
    lines = [f"{number}. {prompt}" for number, prompt in zip(numbers, prompts, strict=True)]
    (out / "blind-prompts.txt").write_text("\n".join(lines) + "\n")


def contact_sheet(place: Place, out: Path, seed: int, by_student: bool) -> None:
    """Save one picture of every concept, captioned."""
    prompts = blind_prompts(len(ACTIVE), seed)
    lay_out(render(place, prompts, seed, by_student), prompts, out / "samples.png")
