"""Fits the linear map from vignette's latents to colours, used for its previews.

Run as a script, it prints ``latent_rgb`` for the catalogue: the least-squares solution over one
finished picture of every concept, each compared at the size of its latents.
"""

import sys
import tempfile
from pathlib import Path
from typing import Any, Final

import numpy as np

from training.concepts import CONCEPTS
from winepress_shared.catalogue import Catalogue
from winepress_shared.jobs.job import TextToImage
from winepress_shared.lane import Precision
from winepress_shared.settings import default_home
from winepress_worker.conversion.preparation import prepare
from winepress_worker.engines.base import Request
from winepress_worker.engines.openvino import OpenVinoEngine, OpenVinoPipeline
from winepress_worker.models.local_models import LocalModels

_STEPS: Final = 10
_PLACES: Final = ("on the grass", "on a red background", "at night", "on a white background")


def fit(pipeline: OpenVinoPipeline, catalogue: Catalogue) -> tuple[np.ndarray[Any, Any], float]:
    """The 5 x 3 matrix, and the root mean square of its residuals, 0 to 1."""
    rows, colours = [], []
    for seed, concept in enumerate(CONCEPTS):
        prompt = f"a {concept.names[0]} {_PLACES[seed % len(_PLACES)]}"
        job = catalogue.resolve(TextToImage(prompt=prompt, seed=seed, num_inference_steps=_STEPS))
        request = Request(job, (seed,))
        latents = pipeline.run_base(request, lambda done, total: None).numpy()[0]
        (picture,) = pipeline.render(request, lambda done, total: None)
        size = latents.shape[1:]
        small = picture.resize((size[1], size[0]), resample=4)  # box: the mean of each square
        rows.append(np.vstack([latents.reshape(latents.shape[0], -1), np.ones(small.size[0] ** 2)]))
        colours.append(np.asarray(small, np.float64).reshape(-1, 3) / 255)
    given, wanted = np.hstack(rows).T, np.vstack(colours)
    solution, *_ = np.linalg.lstsq(given, wanted, rcond=None)
    left = float(np.sqrt(((given @ solution - wanted) ** 2).mean()))
    return solution, left


def main() -> None:
    """Print the matrix in the catalogue's form."""
    catalogue = Catalogue.load()
    local_models = LocalModels(default_home(), catalogue)
    with tempfile.TemporaryDirectory() as blobs:
        engine = OpenVinoEngine(local_models, "CPU", Path(blobs), prepare=prepare)
        pipeline = engine.load(engine.prepare("vignette", Precision.FP16))
        solution, left = fit(pipeline, catalogue)
    rows = ", ".join(str([round(float(value), 4) for value in row]) for row in solution)
    sys.stdout.write(f"latent_rgb = [{rows}]  # leaves {left:.3f}\n")


if __name__ == "__main__":
    main()
