"""The command line of the training: one resumable stage per call."""

import argparse
import logging
from collections.abc import Callable
from pathlib import Path
from typing import Final

import torch

from training.autoencoder import train_autoencoder
from training.composer import prepare_sprites
from training.decoder import train_decoder
from training.denoiser import train_denoiser
from training.export import export
from training.latents import make_latents
from training.progress import Budget
from training.sheets import blind_sheet, contact_sheet
from training.starts import Place
from training.student import train_student
from training.tokens import train_tokenizer

Stage = Callable[[argparse.Namespace, Place, Budget], None]

# Each stage's default minutes, learning rate and batch.
_BUDGETS: Final[dict[str, tuple[float, float, int]]] = {
    "autoencoder": (30, 2e-4, 4),
    "denoiser": (90, 6e-4, 32),
    "student": (150, 3e-4, 32),
    "decoder": (60, 5e-4, 4),
    "inpaint": (40, 6e-4, 32),
}

_STAGES: Final[dict[str, tuple[str, Stage]]] = {
    "sprites": (
        "crop the pictures of --assets",
        lambda args, place, _: prepare_sprites(args.assets, place.sprites),
    ),
    "tokenizer": (
        "learn the tokenizer",
        lambda _args, place, _: train_tokenizer(place.work / "tokenizer"),
    ),
    "autoencoder": (
        "train the narrow autoencoder and grow it",
        lambda _args, place, budget: train_autoencoder(place, budget),
    ),
    "latents": (
        "encode --count pictures",
        lambda args, place, budget: make_latents(place, args.count, False, budget.seed),
    ),
    "denoiser": (
        "train the text-to-image UNet",
        lambda args, place, budget: train_denoiser(place, budget, False, args.teach_text),
    ),
    "student": (
        "distil the text-to-image UNet to four steps; needs no pictures",
        lambda args, place, budget: train_student(place, budget, torch.device(args.device)),
    ),
    "decoder": (
        "refine the decoder",
        lambda args, place, budget: train_decoder(place, budget, args.count, args.critic),
    ),
    "inpaint-latents": (
        "encode --count pictures with masks",
        lambda args, place, budget: make_latents(place, args.count, True, budget.seed),
    ),
    "inpaint": (
        "train the inpainting UNet",
        lambda _args, place, budget: train_denoiser(place, budget, True, False),
    ),
    "export": (
        "write the model folders to --out",
        lambda args, place, _: export(place, args.out),
    ),
    "samples": (
        "render the contact sheet to --out",
        lambda args, place, budget: contact_sheet(place, args.out, budget.seed, args.student),
    ),
    "blind": (
        "render the sheet to name to --out",
        lambda args, place, budget: blind_sheet(place, args.out, budget.seed, args.student),
    ),
}


def _parser() -> argparse.ArgumentParser:
    """Build the parser."""
    stages = "\n".join(f"  {name:16} {words}" for name, (words, _) in _STAGES.items())
    parser = argparse.ArgumentParser(
        description=f"Train the bundled models, one stage per call:\n{stages}",
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("stage", choices=list(_STAGES))
    parser.add_argument("--work", type=Path, required=True, help="folder for the run's states")
    parser.add_argument("--init", type=Path, help="model folder to start from")
    parser.add_argument("--assets", type=Path, help="sprites: the folder of 3D emoji pictures")
    parser.add_argument("--out", type=Path, default=Path(), help="folder to write to")
    parser.add_argument("--count", type=int, default=25_000, help="pictures to encode")
    parser.add_argument("--minutes", type=float, help="time to train")
    parser.add_argument("--steps", type=int, default=0, help="most steps to train")
    parser.add_argument("--rate", type=float, help="highest learning rate")
    parser.add_argument("--batch", type=int, help="samples per step")
    parser.add_argument("--critic", type=float, default=0.0, help="weight of the critic")
    parser.add_argument("--teach-text", action="store_true", help="train the text encoder too")
    parser.add_argument("--student", action="store_true", help="draw the sheets with the student")
    parser.add_argument("--device", default="cpu", help="of the student: cpu, cuda or xpu")
    parser.add_argument("--threads", type=int, default=2, help="number of torch threads")
    parser.add_argument("--seed", type=int, default=0)
    return parser


def main() -> int:
    """Run one stage."""
    args = _parser().parse_args()
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(message)s")
    minutes, rate, batch = _BUDGETS.get(args.stage, (0.0, 0.0, 0))
    budget = Budget(
        args.minutes or minutes, args.rate or rate, args.batch or batch, args.steps, args.seed
    )
    torch.set_num_threads(args.threads)
    args.work.mkdir(parents=True, exist_ok=True)
    _, stage = _STAGES[args.stage]
    stage(args, Place(args.work, args.init), budget)
    return 0
