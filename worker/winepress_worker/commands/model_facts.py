"""Describes for users what a model supports."""

from __future__ import annotations

from collections.abc import Mapping

from winepress_shared.lane import Precision
from winepress_shared.model import Model
from winepress_shared.option_checks import DEFAULT_STRENGTH


def model_facts(model: Model, needs: Mapping[Precision, int]) -> dict[str, str]:
    """Name → text: limits, defaults, and the options it takes.

    ``needs`` is the memory of each precision in bytes, measured if it is prepared here.
    """
    guidance = f"{model.guidance_scale:g} by default"
    if model.embedded_guidance:
        guidance += ", as an input of the model; negative prompts are ignored"
    elif model.guidance_scale <= 1:
        guidance += "; negative prompts are ignored up to 1"
    return {
        "model": f"{model.name}: {model.title}",
        "kinds": ", ".join(model.kinds),
        "precisions": ", ".join(model.precisions),
        "size": f"{model.width}x{model.height} by default; "
        f"multiples of {model.size_multiple} up to {model.max_side}",
        "steps": f"{model.num_inference_steps} by default, up to {model.max_steps}",
        "guidance": guidance,
        "strength": f"{model.strength or DEFAULT_STRENGTH:g} by default, for image-to-image",
        "scheduler": model.scheduler,
        "clip skip": f"1 to {model.max_clip_skip}" if model.max_clip_skip > 1 else "none",
        "vae": ", ".join(model.autoencoders),
        "previews": "yes" if model.has_previews else "no",
        "refiners": ", ".join(model.refiners) or "none",
        "memory": ", ".join(
            f"{needed >> 20} MiB at {precision.value}" for precision, needed in needs.items()
        ),
        "licence": model.licence,
        "notes": model.notes,
    }
