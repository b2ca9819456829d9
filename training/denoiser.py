"""Trains the UNets: text-to-image from scratch or a saved state, inpainting from text-to-image."""

from dataclasses import dataclass
from typing import Final

import torch

from training.latents import Latents
from training.networks import (
    INPAINT_CHANNELS,
    LATENT_CHANNELS,
    Network,
    Weights,
    build_denoiser,
    mix_noise,
    signal_shares,
    widen_input,
)
from training.progress import (
    Averages,
    Budget,
    Clock,
    advance,
    load_state,
    make_optimizer,
    save_state,
)
from training.starts import Place, denoiser_weights, load_text_encoder, load_tokenizer

_UNPROMPTED: Final = 0.1  # share of samples without a prompt, for guidance
_CLEAN_SHARE: Final = 0.35  # share of samples with little noise
_CLEAN_END: Final = 400  # timestep up to which noise is little
_LAST: Final = 960  # leading spacing never starts above this timestep
_MOST_WEIGHT: Final = 6.0  # of a sample's error in the clean latents
_ENCODED_AT_ONCE: Final = 256


class Prompts:
    """Embeds prompts: from a table if the text encoder is frozen, else through it."""

    def __init__(self, encoder: Network, cache: Latents, teach: bool) -> None:
        """Fill the table, unless the encoder is trained."""
        self._encoder, self._tokens, self._empty = encoder, cache.tokens, cache.empty
        self._table: torch.Tensor | None = None
        if teach:
            return
        known, self._rows = torch.unique(
            torch.cat([cache.tokens, cache.empty[None]]), dim=0, return_inverse=True
        )
        encoder.eval().requires_grad_(False)
        parts = [encoder(part)[0].half() for part in known.split(_ENCODED_AT_ONCE)]
        self._table = torch.cat(parts)

    def embed(self, rows: torch.Tensor) -> torch.Tensor:
        """Embed the prompts of some samples, a share of them as empty prompts."""
        drop = torch.rand(len(rows)) < _UNPROMPTED
        if self._table is not None:
            places = torch.where(drop, self._rows[-1], self._rows[rows])
            return self._table[places].float()
        tokens = torch.where(drop[:, None], self._empty, self._tokens[rows])
        embedded: torch.Tensor = self._encoder(tokens)[0]
        return embedded


@dataclass(frozen=True)
class Lesson:
    """One batch: the UNet's inputs, its target, and the weight of each sample."""

    seen: torch.Tensor
    times: torch.Tensor
    prompts: torch.Tensor
    target: torch.Tensor
    weight: torch.Tensor


def _timesteps(batch: int) -> torch.Tensor:
    """Spread the timesteps evenly over the batch, mostly where noise is strong."""
    place = (torch.arange(batch) + torch.rand(batch)) / batch
    late = (place - _CLEAN_SHARE) / (1 - _CLEAN_SHARE) * (_LAST - _CLEAN_END) + _CLEAN_END
    times = torch.where(place < _CLEAN_SHARE, place / _CLEAN_SHARE * _CLEAN_END, late)
    return times.long().clamp(0, _LAST - 1)


class Teacher:
    """Makes lessons from a cache."""

    def __init__(self, cache: Latents, prompts: Prompts, batch: int) -> None:
        """Prepare the schedule and the weights of the loss."""
        self._cache, self._prompts, self._batch = cache, prompts, batch
        self._shares = signal_shares()
        ratio = self._shares / (1 - self._shares)
        self._weights = torch.clamp(ratio + 1, max=_MOST_WEIGHT) / (ratio + 1)

    def lesson(self) -> Lesson:
        """Draw a batch, add noise and the conditions of inpainting."""
        rows = torch.randint(len(self._cache.means), (self._batch,))
        clean = self._cache.draw(rows)
        times = _timesteps(self._batch)
        seen, target = mix_noise(clean, torch.randn_like(clean), self._shares[times])
        if self._cache.conditions is not None:
            seen = torch.cat([seen, self._cache.conditions[rows].float()], 1)
        seen = seen.contiguous(memory_format=torch.channels_last)
        return Lesson(seen, times, self._prompts.embed(rows), target, self._weights[times])


def _loss(unet: Network, lesson: Lesson) -> torch.Tensor:
    """The weighted error of the predicted velocity."""
    with torch.autocast("cpu", torch.bfloat16):
        said = unet(lesson.seen, lesson.times, encoder_hidden_states=lesson.prompts).sample
    errors = ((said.float() - lesson.target) ** 2).mean((1, 2, 3))
    loss: torch.Tensor = (errors * lesson.weight).mean()
    return loss


def _start(place: Place, inpaint: bool) -> Network:
    """Build the UNet with its newest weights."""
    unet = build_denoiser(INPAINT_CHANNELS if inpaint else LATENT_CHANNELS)
    own = place.state("inpaint")
    weights = denoiser_weights(place)
    if inpaint and own.exists():
        weights = load_state(own)["average"]
    if weights is not None:
        weights = widen_input(weights) if inpaint else weights
        unet.load_state_dict(weights)
    return unet.to(memory_format=torch.channels_last).train()


def train_denoiser(place: Place, budget: Budget, inpaint: bool, teach_text: bool) -> None:
    """Train one of the UNets until the budget is spent, saving on the way."""
    torch.manual_seed(budget.seed)
    cache = Latents.load(place.state("inpaint-latents" if inpaint else "latents"))
    encoder = load_text_encoder(place, load_tokenizer(place))
    teacher = Teacher(cache, Prompts(encoder, cache, teach_text), budget.batch)
    unet = _start(place, inpaint)
    learners = torch.nn.ModuleList([unet, encoder] if teach_text else [unet])
    optimizer, averages = make_optimizer(learners.parameters(), budget.rate), Averages(learners)
    clock, target = Clock(budget), place.state("inpaint" if inpaint else "denoiser")

    def save() -> None:
        """Save the averaged weights, by network."""
        kept = averages.weights()
        parts = [_part(kept, f"{n}.") for n in range(len(learners))]
        text = parts[1] if teach_text else encoder.state_dict()
        save_state(target, {"average": parts[0], "text_encoder": text, "step": clock.step})

    while clock.passed < 1:
        loss = _loss(unet, teacher.lesson())
        advance(loss, learners, optimizer, clock.learning_rate())
        averages.update()
        clock.step += 1
        clock.report(target.stem, {"loss": loss.item()})
        if clock.due_to_save():
            save()
    save()


def _part(weights: Weights, prefix: str) -> Weights:
    """Select one network's weights from those of several."""
    return {
        name.removeprefix(prefix): tensor
        for name, tensor in weights.items()
        if name.startswith(prefix)
    }
