"""The autoencoder's losses: edges at three scales, and a small critic."""

from typing import Final

import torch
from torch import nn
from torch.nn import functional

_EDGE_GAIN: Final = 3.0  # extra weight of a pixel beside a hard edge
_MATCH_SHARE: Final = 0.3  # of the critic's feature distance
_CRITIC_WAIT: Final = 150  # steps in which only the critic learns
_CRITIC_RISE: Final = 200  # steps until it has its full weight


def _slopes(picture: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    """The differences to the next pixel, horizontally and vertically."""
    return picture[..., 1:] - picture[..., :-1], picture[..., 1:, :] - picture[..., :-1, :]


def _edge_weight(truth: torch.Tensor) -> torch.Tensor:
    """Higher weights for pixels near edges, which flat backgrounds would outweigh."""
    across, down = _slopes(truth)
    edges = functional.pad(across.abs().amax(1, True), (0, 1, 0, 0))
    edges = edges + functional.pad(down.abs().amax(1, True), (0, 0, 0, 1))
    near = functional.avg_pool2d(functional.max_pool2d(edges, 7, 1, 3), 5, 1, 2)
    return 1 + _EDGE_GAIN * near.clamp(max=1)


def _slope_error(made: torch.Tensor, truth: torch.Tensor, weight: torch.Tensor) -> torch.Tensor:
    """Compare the slopes of two pictures."""
    across, down = _slopes(made - truth)
    return (across.abs() * weight[..., 1:]).mean() + (down.abs() * weight[..., 1:, :]).mean()


def picture_error(made: torch.Tensor, truth: torch.Tensor) -> torch.Tensor:
    """Compare two pictures in value and slope, at full, half and quarter size."""
    weight = _edge_weight(truth)
    error = ((made - truth).abs() * weight).mean() + _slope_error(made, truth, weight)
    for _ in range(2):
        made, truth, weight = (functional.avg_pool2d(x, 2) for x in (made, truth, weight))
        error = error + 0.5 * _slope_error(made, truth, weight)
        error = error + 0.25 * ((made - truth).abs() * weight).mean()
    return error


class Critic(nn.Module):
    """Judges patches of about 30 pixels, which makes the decoder draw sharp edges."""

    def __init__(self) -> None:
        """Build five convolutions of bounded gain."""
        super().__init__()
        widths = ((3, 16, 2), (16, 32, 2), (32, 64, 2), (64, 64, 1), (64, 1, 1))
        self.layers = nn.ModuleList(
            nn.utils.spectral_norm(nn.Conv2d(source, target, 4 if step == 2 else 3, step, 1))
            for source, target, step in widths
        )

    def forward(self, picture: torch.Tensor) -> list[torch.Tensor]:
        """Every layer's output, the verdict last."""
        outputs = []
        with torch.autocast("cpu", torch.bfloat16):
            for layer in self.layers:
                picture = layer(picture)
                outputs.append(picture)
                picture = functional.leaky_relu(picture, 0.2)
        return [output.float() for output in outputs]

    def own_loss(self, made: torch.Tensor, truth: torch.Tensor) -> torch.Tensor:
        """The hinge loss of telling decoded pictures from true ones."""
        real, false = self(truth)[-1], self(made.detach())[-1]
        loss: torch.Tensor = functional.relu(1 - real).mean() + functional.relu(1 + false).mean()
        return loss

    def verdict(self, made: torch.Tensor, truth: torch.Tensor, weight: float) -> torch.Tensor:
        """The decoder's loss: how false its pictures look, and their distance in features."""
        seen, wanted = self(made), self(truth)
        pairs = zip(seen[:-1], wanted[:-1], strict=True)
        missed = torch.stack([(ours - theirs.detach()).abs().mean() for ours, theirs in pairs])
        verdict: torch.Tensor = _MATCH_SHARE * missed.sum() - weight * seen[-1].mean()
        return verdict


def critic_share(step: int) -> float:
    """The critic's weight at a step: zero at first, then rising."""
    return min(1.0, max(0.0, (step - _CRITIC_WAIT) / _CRITIC_RISE))
