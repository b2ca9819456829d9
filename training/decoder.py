"""Refines only the decoder: the encoder is unchanged, so existing latents stay valid."""

import random
from dataclasses import dataclass
from typing import Final

import torch

from training.composer import Composer, Mix
from training.denoiser import Prompts
from training.latents import Latents, as_array, as_batch, encode, tokenize
from training.losses import Critic, critic_share, picture_error
from training.networks import (
    Network,
    build_autoencoder,
    build_denoiser,
    mix_noise,
    recover,
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
from training.starts import (
    Place,
    autoencoder_weights,
    denoiser_weights,
    load_text_encoder,
    load_tokenizer,
)

_POOL: Final = 5000  # pictures kept in memory with their latents, at most
_GROUP: Final = 24  # pictures encoded at a time
_DENOISED_SHARE: Final = 0.25  # share of a batch with the UNet's own errors
_FIRST, _LAST = 20, 260  # timesteps at which their denoising starts
_BLUR: Final = 0.03  # standard deviation of noise on the other latents
_CRITIC_RATE: Final = 4e-4


@dataclass(frozen=True)
class Pool:
    """Composed pictures as bytes, with their latents and prompts."""

    pictures: torch.Tensor
    cache: Latents


@torch.inference_mode()
def _fill(place: Place, vae: Network, count: int, seed: int) -> Pool:
    """Compose and encode the decoder's training pictures."""
    composer = Composer(place.sprites, Mix())
    rng = random.Random(seed)  # noqa: S311  # pictures, not secrets
    pictures: list[torch.Tensor] = []
    means: list[torch.Tensor] = []
    captions: list[str] = []
    while len(captions) < count:
        drawn = [composer.draw(rng) for _ in range(min(_GROUP, count - len(captions)))]
        batch = as_batch([as_array(image) for _, image in drawn])
        means.append(torch.cat(encode(vae, batch), 1))
        pictures.append(((batch + 1) * 127.5).round().to(torch.uint8))
        captions += [caption for caption, _ in drawn]
    tokens = tokenize(load_tokenizer(place), [*captions, ""])
    return Pool(torch.cat(pictures), Latents(torch.cat(means), tokens[:-1], tokens[-1], None))


class _Lessons:
    """Makes batches of latents, some denoised by the UNet, with their pictures."""

    def __init__(self, place: Place, pool: Pool, batch: int) -> None:
        """Load the UNet if it exists."""
        self._pool, self._batch, self._shares = pool, batch, signal_shares()
        weights = denoiser_weights(place)
        self._unet = build_denoiser() if weights is not None else None
        if self._unet is None:
            return
        self._unet.load_state_dict(weights)
        self._unet.to(memory_format=torch.channels_last).eval()
        encoder = load_text_encoder(place, load_tokenizer(place))
        self._prompts = Prompts(encoder, pool.cache, teach=False)

    @torch.no_grad()
    def draw(self) -> tuple[torch.Tensor, torch.Tensor]:
        """Draw one batch: latents, pictures."""
        rows = torch.randint(len(self._pool.pictures), (self._batch,))
        latents = self._pool.cache.draw(rows)
        latents = latents + _BLUR * torch.randn_like(latents)
        count = round(self._batch * _DENOISED_SHARE)
        if self._unet is not None and count:
            latents[:count] = self._denoised(latents[:count], rows[:count])
        truth = self._pool.pictures[rows].float().div(127.5).sub(1)
        lasting = torch.channels_last
        return latents.contiguous(memory_format=lasting), truth.contiguous(memory_format=lasting)

    def _denoised(self, clean: torch.Tensor, rows: torch.Tensor) -> torch.Tensor:
        """Add noise to latents and denoise them with the UNet in one step."""
        times = torch.randint(_FIRST, _LAST, (len(rows),))
        noised, _ = mix_noise(clean, torch.randn_like(clean), self._shares[times])
        assert self._unet is not None
        prompts = self._prompts.embed(rows)
        with torch.autocast("cpu", torch.bfloat16):
            said = self._unet(noised, times, encoder_hidden_states=prompts).sample
        return recover(noised, said.float(), self._shares[times])


class _Judge:
    """The critic with its optimizer, or none if its weight is zero."""

    def __init__(self, weight: float, state: dict[str, torch.Tensor] | None) -> None:
        """Restore the critic's last state, if any."""
        self.critic, self._weight = Critic(), weight
        if state is not None:
            self.critic.load_state_dict(state)
        self._optimizer = make_optimizer(self.critic.parameters(), _CRITIC_RATE)

    def say(self, made: torch.Tensor, truth: torch.Tensor, step: int) -> torch.Tensor:
        """Train the critic one step, then return its part of the decoder's loss."""
        if not self._weight:
            return made.new_zeros(())
        advance(self.critic.own_loss(made, truth), self.critic, self._optimizer, _CRITIC_RATE)
        self.critic.requires_grad_(False)
        said = critic_share(step) * self.critic.verdict(made, truth, self._weight)
        self.critic.requires_grad_(True)
        return said


def train_decoder(place: Place, budget: Budget, count: int, critic_weight: float) -> None:
    """Refine the decoder until the budget is spent, saving on the way."""
    torch.manual_seed(budget.seed)
    vae, target = build_autoencoder(), place.state("decoder")
    weights = autoencoder_weights(place)
    assert weights is not None, "train an autoencoder first, or give --init"
    vae.load_state_dict(weights)
    vae.to(memory_format=torch.channels_last)
    pool = _fill(place, vae, min(count, _POOL), budget.seed)
    lessons = _Lessons(place, pool, budget.batch)
    learner = torch.nn.ModuleDict({"post_quant_conv": vae.post_quant_conv, "decoder": vae.decoder})
    optimizer, averages = make_optimizer(learner.parameters(), budget.rate), Averages(learner)
    judge = _Judge(critic_weight, load_state(target).get("critic") if target.exists() else None)
    clock = Clock(budget)

    def save() -> None:
        """Save the unchanged encoder with the averaged decoder."""
        state = {"vae": weights | averages.weights(), "critic": judge.critic.state_dict()}
        save_state(target, state)

    while clock.passed < 1:
        latents, truth = lessons.draw()
        with torch.autocast("cpu", torch.bfloat16):
            made = vae.decoder(vae.post_quant_conv(latents)).float()
        error = picture_error(made, truth)
        loss = error + judge.say(made, truth, clock.step)
        advance(loss, learner, optimizer, clock.learning_rate())
        averages.update()
        clock.step += 1
        clock.report("decoder", {"error": error.item()})
        if clock.due_to_save():
            save()
    save()
