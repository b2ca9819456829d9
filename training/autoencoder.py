"""The first autoencoder: 128 pixels, all concepts, from the analytic start; then its growth."""

import random
from typing import Final

import torch
from torch.nn import functional

from training.composer import Composer, Mix
from training.growth import add_outer_level, carry_colour, widen
from training.latents import as_array, as_batch, encode
from training.losses import picture_error
from training.networks import NARROW, Network, build_autoencoder
from training.progress import Budget, Clock, advance, make_optimizer, save_state
from training.starts import Place

_KL_WEIGHT: Final = 1e-5
_MEASURED: Final = 2000  # pictures whose latents set the scale
_SIDE: Final = 128  # pixels


def _centre_only(vae: Network) -> None:
    """Keep only the centre tap of the first convolution, so that a level can be added later."""
    kernel = vae.encoder.conv_in.weight
    with torch.no_grad():
        centre = kernel[..., 1, 1].clone()
        kernel.zero_()
        kernel[..., 1, 1] = centre


class _Pictures:
    """Composes batches of half-size pictures."""

    def __init__(self, place: Place, batch: int, seed: int) -> None:
        """Set up the composer with every concept."""
        self._composer = Composer(place.sprites, Mix(all_concepts=True))
        self._rng = random.Random(seed)  # noqa: S311  # pictures, not secrets
        self._batch = batch

    def draw(self) -> torch.Tensor:
        """Compose one batch."""
        pictures = [as_array(self._composer.draw(self._rng)[1]) for _ in range(self._batch)]
        half = functional.avg_pool2d(as_batch(pictures), 2)
        return half.contiguous(memory_format=torch.channels_last)


def train_autoencoder(place: Place, budget: Budget) -> None:
    """Train the narrow autoencoder, standardise its latents, grow it and save the wide one."""
    torch.manual_seed(budget.seed)
    vae = build_autoencoder(NARROW, _SIDE)
    carry_colour(vae)
    _centre_only(vae)
    vae.to(memory_format=torch.channels_last).train()
    optimizer, clock = make_optimizer(vae.parameters(), budget.rate), Clock(budget)
    pictures = _Pictures(place, budget.batch, budget.seed)
    while clock.passed < 1:
        truth = pictures.draw()
        mean, deviation = encode(vae, truth)
        made = vae.decoder(vae.post_quant_conv(mean + deviation * torch.randn_like(mean)))
        spread = 0.5 * (mean**2 + deviation**2 - 1 - 2 * deviation.log()).mean()
        error = picture_error(made, truth)
        advance(error + _KL_WEIGHT * spread, vae, optimizer, clock.learning_rate())
        _centre_only(vae)
        clock.step += 1
        clock.report("autoencoder", {"error": error.item()})
        if clock.due_to_save():
            save_state(place.state("autoencoder"), {"vae": vae.state_dict()})
    _standardise(vae, pictures)
    wide = widen(add_outer_level(vae).state_dict())
    save_state(place.state("decoder"), {"vae": wide.state_dict()})


@torch.no_grad()
def _standardise(vae: Network, pictures: _Pictures) -> None:
    """Fold zero mean and unit deviation per latent channel into the 1x1 convolutions.

    Then the scaling factor is 1 and all channels have equal weight in the denoiser's loss.
    """
    means: list[torch.Tensor] = []
    while sum(len(part) for part in means) < _MEASURED:
        means.append(encode(vae, pictures.draw())[0])
    values = torch.cat(means)
    centre, scale = values.mean((0, 2, 3)), values.std((0, 2, 3))
    before, after = vae.quant_conv, vae.post_quant_conv
    before.weight[:4] /= scale[:, None, None, None]
    before.bias[:4] = (before.bias[:4] - centre) / scale
    before.bias[4:] -= 2 * scale.log()
    after.bias += after.weight[:, :, 0, 0] @ centre
    after.weight *= scale[None, :, None, None]
