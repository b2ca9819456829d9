"""Distils the text-to-image UNet: the student draws in four steps what took twenty guided ones.

Progressive distillation (Salimans and Ho, arXiv:2202.00512) with the guidance built in (Meng et
al., arXiv:2210.03142). Half of the places from which the student learns to go on are on its own
path, so that it learns to correct its own errors. Noise and prompts are enough; no pictures.
"""

import itertools
from dataclasses import dataclass
from typing import Final

import torch

from training.latents import tokenize
from training.networks import (
    LATENT_CHANNELS,
    LATENT_SIDE,
    STUDENT_TIMES,
    Network,
    build_denoiser,
    signal_shares,
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
from training.prompts import Prompter
from training.starts import Place, denoiser_weights, load_text_encoder, load_tokenizer

_GUIDANCE: Final = 2.5
_TEACHER_STEPS: Final = 5  # in each of the student's
_FIRST: Final = 951  # where the teacher's twenty steps begin, in pure noise
_OWN_PATH: Final = 0.5  # share of places that the student itself has come to


def _shape(shares: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    """Amplitudes of signal and noise, to multiply latents with."""
    return shares.sqrt()[:, None, None, None], (1 - shares).sqrt()[:, None, None, None]


def _step(
    noised: torch.Tensor, velocity: torch.Tensor, now: torch.Tensor, then: torch.Tensor
) -> torch.Tensor:
    """One step of DDIM between two shares of signal (Song, Meng and Ermon, arXiv:2010.02502)."""
    signal, rest = _shape(now)
    to_signal, to_rest = _shape(then)
    clean = signal * noised - rest * velocity
    noise = rest * noised + signal * velocity
    return to_signal * clean + to_rest * noise


def wanted_velocity(
    noised: torch.Tensor, reached: torch.Tensor, now: torch.Tensor, then: torch.Tensor
) -> torch.Tensor:
    """The velocity with which one step of DDIM leads from ``noised`` to ``reached``.

    Solves `_step` for the velocity; ``now`` and ``then`` are shares of signal.
    """
    signal, rest = _shape(now)
    to_signal, to_rest = _shape(then)
    kept = to_signal * signal + to_rest * rest
    gain = to_rest * signal - to_signal * rest
    return (reached - kept * noised) / gain


@dataclass(frozen=True)
class _Texts:
    """Embedded prompts of a batch, and as many times the empty prompt."""

    prompts: torch.Tensor
    empty: torch.Tensor


class Teacher:
    """The trained UNet, which takes guided steps."""

    def __init__(self, unet: Network, shares: torch.Tensor) -> None:
        """``shares`` is the share of signal at each timestep, and 1 as its last element."""
        self._unet, self._shares = unet.eval().requires_grad_(False), shares

    @torch.no_grad()
    def walk(self, noised: torch.Tensor, first: int, last: int, texts: _Texts) -> torch.Tensor:
        """Go from one timestep to another, -1 being the clean latents."""
        places = torch.linspace(first, last, _TEACHER_STEPS + 1).round().long().tolist()
        both = torch.cat([texts.empty, texts.prompts])
        for now, then in itertools.pairwise(places):
            times = torch.full((2 * len(noised),), now, device=noised.device)
            said = predict(self._unet, torch.cat([noised, noised]), times, both)
            without, prompted = said.chunk(2)
            guided = without + _GUIDANCE * (prompted - without)
            noised = _step(noised, guided, *(self._shares[[one]] for one in (now, then)))
        return noised


def predict(
    unet: Network, noised: torch.Tensor, times: torch.Tensor, prompts: torch.Tensor
) -> torch.Tensor:
    """The velocities a UNet predicts, in full precision."""
    seen = noised.contiguous(memory_format=torch.channels_last)
    with torch.autocast(noised.device.type, torch.bfloat16):
        said: torch.Tensor = unet(seen, times, encoder_hidden_states=prompts).sample
    return said.float()


class Lessons:
    """Takes a batch from noise to pictures, and compares the student with its teacher."""

    def __init__(self, place: Place, budget: Budget, device: torch.device) -> None:
        """Load the teacher and the text encoder."""
        self._device, self._batch = device, budget.batch
        clean = torch.ones(1)  # found by the timestep -1
        self._shares = torch.cat([signal_shares(), clean]).to(device)
        self._tokenizer = load_tokenizer(place)
        self._encoder = load_text_encoder(place, self._tokenizer).to(device)
        self._encoder.eval().requires_grad_(False)
        self._prompter = Prompter(budget.seed)
        self._teacher = Teacher(loaded(place).to(device), self._shares)

    def loss(self, student: Network) -> torch.Tensor:
        """The mean squared error of the velocities over all of the student's steps."""
        texts = self._texts()
        shape = (self._batch, LATENT_CHANNELS, LATENT_SIDE, LATENT_SIDE)
        place = torch.randn(shape, device=self._device)
        errors = place.new_zeros(())
        for now, then in zip(STUDENT_TIMES, (*STUDENT_TIMES[1:], -1), strict=True):
            shares = (self._shares[[now]], self._shares[[then]])
            reached = self._teacher.walk(place, min(now, _FIRST), then, texts)
            times = torch.full((self._batch,), now, device=self._device)
            said = predict(student, place, times, texts.prompts)
            errors = errors + ((said - wanted_velocity(place, reached, *shares)) ** 2).mean()
            own = torch.rand(self._batch, 1, 1, 1, device=self._device) < _OWN_PATH
            place = torch.where(own, _step(place, said.detach(), *shares), reached)
        return errors / len(STUDENT_TIMES)

    def _texts(self) -> _Texts:
        captions = [self._prompter.draw() for _ in range(self._batch)]
        tokens = tokenize(self._tokenizer, [*captions, ""]).to(self._device)
        embedded = self._encoder(tokens)[0]
        return _Texts(embedded[:-1], embedded[-1:].expand(self._batch, -1, -1))


def loaded(place: Place) -> Network:
    """The text-to-image UNet with its newest weights."""
    unet, weights = build_denoiser(), denoiser_weights(place)
    assert weights is not None, "train the UNet first, or give --init"
    unet.load_state_dict(weights)
    return unet.to(memory_format=torch.channels_last)


def train_student(place: Place, budget: Budget, device: torch.device) -> None:
    """Train the student until the budget is spent, saving on the way."""
    torch.manual_seed(budget.seed)
    lessons, student = Lessons(place, budget, device), loaded(place).to(device)
    saved = place.state("student")
    if saved.exists():
        student.load_state_dict(load_state(saved)["average"])
    optimizer = make_optimizer(student.train().parameters(), budget.rate)
    averages = Averages(student)
    clock = Clock(budget)

    def save() -> None:
        """Save the averaged weights."""
        kept = {name: weight.cpu() for name, weight in averages.weights().items()}
        save_state(saved, {"average": kept, "step": clock.step})

    while clock.passed < 1:
        loss = lessons.loss(student)
        advance(loss, student, optimizer, clock.learning_rate())
        averages.update()
        clock.step += 1
        clock.report("student", {"loss": loss.item()})
        if clock.due_to_save():
            save()
    save()
