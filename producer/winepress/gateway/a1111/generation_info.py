"""What A1111 tells about finished pictures: ``info``, a JSON text inside the answer."""

from __future__ import annotations

import base64
import json
import time
from typing import Any

from winepress.client import Client
from winepress.gateway.a1111.drawing_request import DrawingRequest
from winepress.gateway.checkpoints import Checkpoint
from winepress.gateway.refusals import BodyTooLarge
from winepress.handle import JobHandle
from winepress_shared import __version__
from winepress_shared.archive import Output
from winepress_shared.jobs.job import Job
from winepress_shared.jobs.schedulers import find_scheduler
from winepress_shared.metadata import read
from winepress_shared.regular_file import size_text

MAX_ANSWER_BYTES = 128 * 2**20  #: of pictures, before they are written in base64


def answer_of(client: Client, handle: JobHandle, asked: DrawingRequest) -> bytes:
    """The body of the answer for a job that has ended; fetches its pictures.

    Raises BodyTooLarge if they are too many bytes for one answer.
    """
    pictures = [output for output in handle.result.outputs if not output.is_film]
    total = sum(output.size for output in pictures)
    if asked.sends_images and total > MAX_ANSWER_BYTES:
        raise BodyTooLarge(
            "the pictures are too large for one answer",
            value=f"{total} bytes",
            allowed=f"up to {size_text(MAX_ANSWER_BYTES)}",
            hint=f"GET /v1/jobs/{handle.id}/results has their addresses",
        )
    images, texts = [], []
    for data in map(handle.read, pictures):
        texts.append(read(data).parameters or "")
        if asked.sends_images:
            images.append(base64.b64encode(data).decode())
    record = client.archive.read_job(handle.id)
    info = _info(record.job, pictures, texts) | {
        "job_id": handle.id,
        "warnings": list(record.warnings),
    }
    answer = {"images": images, "parameters": asked.parameters, "info": json.dumps(info)}
    return json.dumps(answer).encode()


def _info(job: Job, pictures: list[Output], texts: list[str]) -> dict[str, Any]:
    seeds = [output.seed for output in pictures]
    checkpoint = Checkpoint(job.model, job.precision)
    count = len(pictures)
    return {
        "prompt": job.prompt,
        "all_prompts": [job.prompt] * count,
        "negative_prompt": job.negative_prompt,
        "all_negative_prompts": [job.negative_prompt] * count,
        "seed": seeds[0] if seeds else job.seed,
        "all_seeds": seeds,
        "subseed": -1,
        "all_subseeds": [-1] * count,
        "subseed_strength": 0,
        "width": pictures[0].width if pictures else job.width,
        "height": pictures[0].height if pictures else job.height,
        "sampler_name": find_scheduler(job.scheduler)[0].label if job.scheduler else None,
        "cfg_scale": job.guidance_scale,
        "steps": job.num_inference_steps,
        "batch_size": 1,
        "restore_faces": False,
        "face_restoration_model": None,
        "sd_model_name": checkpoint.name,
        "sd_model_hash": checkpoint.hash,
        "sd_vae_name": job.vae,
        "sd_vae_hash": None,
        "seed_resize_from_w": -1,
        "seed_resize_from_h": -1,
        "denoising_strength": job.source_strength if job.source else None,
        "extra_generation_params": {},
        "index_of_first_image": 0,
        "infotexts": texts,
        "styles": [],
        "job_timestamp": time.strftime("%Y%m%d%H%M%S"),
        "clip_skip": job.clip_skip or 1,
        "is_using_inpainting_conditioning": job.is_composite,
        "version": f"winepress {__version__}",
    }
