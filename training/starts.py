"""Initial weights of a stage: its own saved state, else a shipped model folder."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from safetensors.torch import load_file
from transformers import CLIPTokenizer

from training.networks import TOKENS, Network, Weights, build_text_encoder
from training.progress import load_state

_FILES: Final = {
    "unet": "diffusion_pytorch_model.safetensors",
    "vae": "diffusion_pytorch_model.safetensors",
    "text_encoder": "model.safetensors",
}


@dataclass(frozen=True)
class Place:
    """The working folder of a run, and the model folder it starts from, if any."""

    work: Path
    init: Path | None = None

    @property
    def sprites(self) -> Path:
        """The array of cropped sprites."""
        return self.work / "sprites.npy"

    def state(self, name: str) -> Path:
        """The saved state of one stage."""
        return self.work / f"{name}.pt"

    def shipped(self, part: str) -> Weights | None:
        """Read one part of the model folder, in full precision."""
        if self.init is None:
            return None
        path = self.init / part / _FILES[part]
        if not path.exists():
            return None
        return {name: tensor.float() for name, tensor in load_file(path).items()}


def load_tokenizer(place: Place) -> Any:
    """Load the tokenizer of the run, else that of the model folder."""
    folder = place.work / "tokenizer"
    if not folder.exists() and place.init is not None:
        folder = place.init / "tokenizer"
    return CLIPTokenizer.from_pretrained(folder, model_max_length=TOKENS)


def load_text_encoder(place: Place, tokenizer: Any) -> Network:
    """Load the text encoder; without any saved weights it starts untrained."""
    encoder = build_text_encoder(tokenizer)
    weights = place.shipped("text_encoder")
    saved = place.state("denoiser")
    if saved.exists() and "text_encoder" in (state := load_state(saved)):
        weights = state["text_encoder"]
    if weights is not None:
        encoder.load_state_dict(weights)
    return encoder


def denoiser_weights(place: Place) -> Weights | None:
    """Find the text-to-image UNet's weights."""
    saved = place.state("denoiser")
    if saved.exists():
        weights: Weights = load_state(saved)["average"]
        return weights
    return place.shipped("unet")


def autoencoder_weights(place: Place) -> Weights | None:
    """Find the newest weights of the 256-pixel autoencoder."""
    saved = place.state("decoder")
    if saved.exists():
        weights: Weights = load_state(saved)["vae"]
        return weights
    return place.shipped("vae")
