"""Caches latents of composed pictures, so that the denoisers need not run the autoencoder."""

import logging
import random
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import numpy as np
import numpy.typing as npt
import torch
from PIL import Image

from training.composer import Composer, Mix, bare, tail
from training.masks import Mask, kept_square, random_mask, set_into
from training.networks import LATENT_CHANNELS, LATENT_SIDE, TOKENS, Network, build_autoencoder
from training.progress import load_state, save_state
from training.starts import Place, autoencoder_weights, load_tokenizer

log = logging.getLogger("training")

_GROUP: Final = 24  # pictures encoded at a time
_LIMITS: Final = (-12.0, 8.0)  # of the posterior's log variance
Picture = npt.NDArray[np.float32]


@dataclass(frozen=True)
class Sample:
    """One training picture, its caption, and its masks (none for text-to-image)."""

    caption: str
    image: Image.Image
    masks: tuple[Mask, ...] = ()


@dataclass(frozen=True)
class Latents:
    """A cache of latents: means with deviations, prompts, and conditions for inpainting."""

    means: torch.Tensor  # [n, 8, 16, 16], mean and deviation
    tokens: torch.Tensor  # [n, 32]
    empty: torch.Tensor  # [32], the tokens of an empty prompt
    conditions: torch.Tensor | None  # [n, 5, 16, 16], mask and masked picture

    def save(self, path: Path) -> None:
        """Write the cache."""
        save_state(path, vars(self))

    @classmethod
    def load(cls, path: Path) -> "Latents":
        """Read a cache."""
        return cls(**load_state(path))

    def draw(self, rows: torch.Tensor) -> torch.Tensor:
        """Sample latents from the posterior of the given rows."""
        mean, deviation = self.means[rows].float().chunk(2, 1)
        return mean + deviation * torch.randn_like(mean)


def tokenize(tokenizer: Any, captions: list[str]) -> torch.Tensor:
    """Encode prompts to rows of equal length."""
    rows: torch.Tensor = tokenizer(
        captions, padding="max_length", max_length=TOKENS, truncation=True, return_tensors="pt"
    ).input_ids
    return rows


def as_array(image: Image.Image) -> Picture:
    """A picture's values from -1 to 1."""
    return np.asarray(image, np.float32) / 127.5 - 1


def as_batch(pictures: list[Picture]) -> torch.Tensor:
    """Stack pictures in the networks' layout."""
    batch = torch.from_numpy(np.stack(pictures)).permute(0, 3, 1, 2)
    return batch.contiguous(memory_format=torch.channels_last)


def encode(vae: Network, batch: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    """The posterior's mean and standard deviation."""
    mean, spread = vae.quant_conv(vae.encoder(batch)).chunk(2, 1)
    return mean, torch.exp(0.5 * spread.clamp(*_LIMITS))


class Supply:
    """Draws the samples of one of the models."""

    def __init__(self, place: Place, inpaint: bool, seed: int) -> None:
        """Set up the composers and the random generator."""
        self._near = Composer(place.sprites, Mix())
        self._wide = Composer(place.sprites, Mix(wide=True))
        self._rng = random.Random(seed)  # noqa: S311  # pictures, not secrets
        self._inpaint = inpaint

    def draw(self) -> Sample:
        """Draw one sample."""
        rng = self._rng
        if not self._inpaint:
            return Sample(*self._near.draw(rng))
        kind = rng.random()
        if kind < 0.2:
            return self._framed()
        composer = self._near if kind < 0.62 else self._wide
        return Sample(*composer.draw(rng), (random_mask(rng), random_mask(rng)))

    def _framed(self) -> Sample:
        """Put one picture into the background of another, as in a zoom with changing prompts."""
        rng, share = self._rng, self._rng.uniform(0.45, 0.75)
        inner, outer = self._near.background(rng), self._wide.background(rng)
        subject = self._near.subject(inner, rng)
        alone = outer.words and rng.random() < 0.4
        caption = bare(outer.words) if alone else subject + tail(outer.words)
        return Sample(caption, set_into(inner.image, outer.image, share), (kept_square(share),))


@torch.inference_mode()
def make_latents(place: Place, count: int, inpaint: bool, seed: int) -> None:
    """Compose pictures, encode them (and their masked versions) and save the cache."""
    vae = build_autoencoder()
    weights = autoencoder_weights(place)
    assert weights is not None, "train an autoencoder first, or give --init"
    vae.load_state_dict(weights)
    vae.to(memory_format=torch.channels_last).eval()
    supply, tokenizer = Supply(place, inpaint, seed), load_tokenizer(place)
    means: list[torch.Tensor] = []
    conditions: list[torch.Tensor] = []
    captions: list[str] = []
    while len(captions) < count:
        samples = [supply.draw() for _ in range(_GROUP)]
        rows = [n for n, sample in enumerate(samples) for _ in sample.masks or (None,)]
        pictures = [as_array(sample.image) for sample in samples]
        means.append(torch.cat(encode(vae, as_batch(pictures)), 1)[rows].half().contiguous())
        if inpaint:
            conditions.append(_conditions(vae, samples, pictures))
        captions += [samples[row].caption for row in rows]
        log.info("latents: %d of %d", len(captions), count)
    tokens = tokenize(tokenizer, [*captions, ""])
    joined = torch.cat(conditions) if inpaint else None
    cache = Latents(torch.cat(means), tokens[:-1], tokens[-1], joined)
    cache.save(place.state("inpaint-latents" if inpaint else "latents"))


def _conditions(vae: Network, samples: list[Sample], pictures: list[Picture]) -> torch.Tensor:
    """The five extra channels: the coarse mask and the masked picture's latents."""
    masks = [mask for sample in samples for mask in sample.masks]
    left = [
        picture * (mask < 0.5)[..., None]
        for sample, picture in zip(samples, pictures, strict=True)
        for mask in sample.masks
    ]
    stacked = torch.from_numpy(np.stack(masks))[:, None]
    coarse = torch.nn.functional.interpolate(stacked, size=(LATENT_SIDE, LATENT_SIDE))
    mean = encode(vae, as_batch(left))[0]
    assert mean.shape[1] == LATENT_CHANNELS
    return torch.cat([coarse, mean], 1).half().contiguous()
