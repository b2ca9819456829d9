"""The metadata in picture files: written into our pictures, and read from any file.

A picture file contains three things: the ``parameters`` text of A1111, which galleries read; our
own JSON object, from which the same picture can be drawn again; and the IPTC mark of pictures made
by a machine. The metadata contains no time, no job id and no worker name, so the same job gives the
same bytes on every worker of a kind.
"""

from __future__ import annotations

import io
import json
import re
import struct
from dataclasses import asdict, dataclass
from typing import Any

from PIL import ExifTags, Image
from PIL.PngImagePlugin import PngInfo

from winepress_shared import __version__
from winepress_shared.errors import InvalidJob
from winepress_shared.exif_block import exif_of
from winepress_shared.jobs.job import Job, decode_job
from winepress_shared.jobs.picture import MAX_FILE_BYTES
from winepress_shared.jobs.picture_warnings import heard_warnings
from winepress_shared.jobs.schedulers import find_scheduler
from winepress_shared.jobs.shortcuts import StepCache

MAX_TEXT_BYTES = 2**16  #: longest text that is read; the longest text that is written has 40 kB

#: zlib level 1: a noisy 256x256 picture takes 5 ms and 117 KiB, level 4 11 ms and 101 KiB,
#: level 6 24 ms and 101 KiB. At 1024x1024 it is 137, 384 and 445 ms.
_PNG_LEVEL = 1
#: libwebp method 2 takes half the time of its default 4 for the same size (10 and 25 ms at 512).
_WEBP_METHOD = 2

_OURS = "winepress"  #: keyword of the PNG chunk, and of the maker's note in Exif
_NOTE_HEAD = f"{_OURS}\0".encode()
_COMMENT_HEAD = b"UNICODE\0"  #: Exif 2.32, table 9: the comment is UTF-16

_IPTC = "http://cv.iptc.org/newscodes/digitalsourcetype/"
_XMP = (
    '<?xpacket begin="\ufeff" id="W5M0MpCehiHzreSzNTczkc9d"?>'
    '<x:xmpmeta xmlns:x="adobe:ns:meta/">'
    '<rdf:RDF xmlns:rdf="http://www.w3.org/1999/02/22-rdf-syntax-ns#">'
    '<rdf:Description rdf:about=""'
    ' xmlns:Iptc4xmpExt="http://iptc.org/std/Iptc4xmpExt/2008-02-29/"'
    ' Iptc4xmpExt:DigitalSourceType="{source}"/>'
    '</rdf:RDF></x:xmpmeta><?xpacket end="w"?>'
)

_FORMATS = ("PNG", "JPEG", "WEBP")
#: Pillow's name of a format → ours; MPO is a camera's JPEG with a second picture in the file.
_KINDS = {"PNG": "png", "JPEG": "jpeg", "MPO": "jpeg", "WEBP": "webp"}
#: Control characters, which could change the terminal that shows a text.
_CONTROL = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f]")
#: The errors of Pillow for broken files and broken Exif data.
_BROKEN = (OSError, SyntaxError, ValueError, LookupError, TypeError, struct.error)


@dataclass(frozen=True)
class PictureFacts:
    """How a picture was made, in addition to its job."""

    engine: str  #: name and version of the renderer, for example ``openvino 2026.4.1``
    device: str  #: the device actually used
    arithmetic: str  #: type the device computed in, for example ``bf16``
    revision: str  #: hash of the prepared model
    scheduler: str  #: class of the scheduler


@dataclass(frozen=True)
class PictureInfo:
    """The metadata of a picture file. It comes from outside: do not trust it."""

    format: str  #: ``png``, ``jpeg`` or ``webp``
    size: tuple[int, int]  #: width and height in pixels
    parameters: str | None = None  #: the text of A1111
    details: dict[str, Any] | None = None  #: our JSON object; None for pictures of other programs

    def job(self) -> Job:
        """The job that draws this picture again; raises InvalidJob if the file contains none."""
        values = (self.details or {}).get("job")
        if not isinstance(values, dict):
            raise InvalidJob("the file contains no Winepress metadata")
        return decode_job(values)


def encode(image: Image.Image, job: Job, facts: PictureFacts) -> bytes:
    """The bytes of a picture file, in the format of the job.

    ``job`` is resolved and reduced to one unit; see `Job.for_unit`. Without ``embed_metadata`` the
    file contains pixels only.
    """
    image = image.convert("RGB")
    image.info = {}  # otherwise Pillow copies the metadata of the source picture
    buffer = io.BytesIO()
    if job.output_format == "png":
        chunks = _png_chunks(job, facts, image) if job.embed_metadata else None
        image.save(buffer, "PNG", compress_level=_PNG_LEVEL, pnginfo=chunks)
        return buffer.getvalue()
    options: dict[str, Any] = {"quality": job.output_quality}
    if job.output_format == "webp":
        options["method"] = _WEBP_METHOD
    if job.embed_metadata:
        options |= {"exif": _exif(job, facts, image), "xmp": _xmp(job).encode("utf-8")}
    image.save(buffer, job.output_format.upper(), **options)
    return buffer.getvalue()


def read(data: bytes) -> PictureInfo:
    """The metadata of a PNG, JPEG or WebP file; its pixels are not decoded.

    Raises InvalidJob for other files and for files over ``MAX_FILE_BYTES``. Texts over
    ``MAX_TEXT_BYTES`` and JSON that is not an object are ignored.
    """
    if len(data) > MAX_FILE_BYTES:
        raise InvalidJob(
            "the picture file is too large", allowed=f"up to {MAX_FILE_BYTES >> 20} MiB"
        )
    try:
        # Warnings about the broken Exif data of some cameras do not matter here.
        with heard_warnings(), Image.open(io.BytesIO(data), formats=_FORMATS) as image:
            kind = _KINDS[str(image.format)]
            parameters, details = _png_texts(image) if kind == "png" else _exif_texts(image)
            size = image.size
    except (*_BROKEN, Image.DecompressionBombError, Image.DecompressionBombWarning):
        raise InvalidJob("not a readable picture", allowed="a PNG, JPEG or WebP file") from None
    return PictureInfo(kind, size, _shown(parameters), _parsed(details))


def parameters_text(job: Job, facts: PictureFacts, size: tuple[int, int]) -> str:
    """The text of A1111 (Forge, ``create_infotext``): the prompts, then one line of settings."""
    values: dict[str, object] = {"Steps": job.num_inference_steps}
    if job.scheduler is not None:
        entry, _ = find_scheduler(job.scheduler)
        values["Sampler"] = entry.label
        values["Schedule type"] = (job.scheduler.partition(":")[2] or "automatic").capitalize()
    guidance = job.guidance_scale
    values |= {
        "CFG scale": None if guidance is None else f"{guidance:g}",
        "Seed": job.seed,
        "Size": "{}x{}".format(*size),
        "Model hash": facts.revision[:10],
        "Model": job.model,
        "Denoising strength": job.source_strength if job.source else None,
        **_option_texts(job),
        "Version": f"{_OURS} {__version__}",
    }
    settings = [f"{name}: {_quoted(value)}" for name, value in values.items() if value is not None]
    lines = [job.prompt]
    if job.negative_prompt:
        lines.append(f"Negative prompt: {job.negative_prompt}")
    return "\n".join([*lines, ", ".join(settings)])


def _option_texts(job: Job) -> dict[str, object]:
    """Those of `model_options` that change the picture, under A1111's names."""
    skip, second = job.clip_skip or 1, job.refinement
    return {
        "Clip skip": skip if skip > 1 else None,
        "CFG Rescale": f"{job.guidance_rescale:g}" if job.guidance_rescale else None,
        "Skip Early CFG": f"{job.guidance_start:g}" if job.guidance_start else None,
        "Guidance stop": None if job.guidance_stop is None else f"{job.guidance_stop:g}",
        "NGMS": f"{job.guidance_min_sigma:g}" if job.guidance_min_sigma else None,
        "NGMS all steps": "True" if job.guidance_min_sigma else None,
        "Step cache": None if job.step_cache is StepCache.OFF else job.step_cache,
        "Step cache interval": job.step_cache_interval,
        "VAE": job.vae,
        "Refiner": second and second.model,
        "Refiner switch at": second and second.denoising_end,
        "Refiner strength": second and second.strength,
    }


def _quoted(value: object) -> str:
    text = str(value)
    return json.dumps(text, ensure_ascii=False) if re.search(r"[,:\n]", text) else text


def _details(job: Job, facts: PictureFacts) -> str:
    values = {
        "job": job.model_dump(mode="json", exclude_none=True),
        "version": __version__,
        **asdict(facts),
    }
    return json.dumps(values, ensure_ascii=False, sort_keys=True, separators=(",", ":"))


def _xmp(job: Job) -> str:
    """The IPTC mark of pictures made by a machine; inpainted pictures have a mark of their own."""
    is_composite = job.is_composite
    mark = "compositeWithTrainedAlgorithmicMedia" if is_composite else "trainedAlgorithmicMedia"
    return _XMP.format(source=_IPTC + mark)


def _png_chunks(job: Job, facts: PictureFacts, image: Image.Image) -> PngInfo:
    chunks = PngInfo()
    chunks.add_text("parameters", parameters_text(job, facts, image.size))
    chunks.add_itxt(_OURS, _details(job, facts))
    chunks.add_itxt("XML:com.adobe.xmp", _xmp(job))
    return chunks


def _exif(job: Job, facts: PictureFacts, image: Image.Image) -> bytes:
    """The text in UserComment, as A1111 writes it, and our JSON in MakerNote.

    ImageDescription would be another place for it, but viewers show that as a caption.
    """
    text = parameters_text(job, facts, image.size)
    return exif_of(
        {
            ExifTags.Base.MakerNote: _NOTE_HEAD + _details(job, facts).encode("utf-8"),
            ExifTags.Base.UserComment: _COMMENT_HEAD + text.encode("utf-16-be"),
        }
    )


def _png_texts(image: Image.Image) -> tuple[str | None, str | None]:
    """The texts in chunks before the pixels; Pillow limits the size of a compressed one."""
    texts = [image.info.get(keyword) for keyword in ("parameters", _OURS)]
    parameters, details = (text if isinstance(text, str) else None for text in texts)
    return parameters, details


def _exif_texts(image: Image.Image) -> tuple[str | None, str | None]:
    private = image.getexif().get_ifd(ExifTags.IFD.Exif)
    comment = _after(_COMMENT_HEAD, private.get(ExifTags.Base.UserComment))
    note = _after(_NOTE_HEAD, private.get(ExifTags.Base.MakerNote))
    return (
        None if comment is None else comment.decode("utf-16-be", "replace"),
        None if note is None else note.decode("utf-8", "replace"),
    )


def _after(head: bytes, value: object) -> bytes | None:
    if not isinstance(value, bytes) or not value.startswith(head):
        return None
    return value[len(head) : len(head) + MAX_TEXT_BYTES + 1]


def _shown(text: str | None) -> str | None:
    if text is None or len(text) > MAX_TEXT_BYTES:
        return None
    return _CONTROL.sub("\N{REPLACEMENT CHARACTER}", text.replace("\r\n", "\n"))


def _parsed(text: str | None) -> dict[str, Any] | None:
    if text is None or len(text) > MAX_TEXT_BYTES:
        return None
    try:
        values = json.loads(text)
    except (ValueError, RecursionError):
        return None
    return values if isinstance(values, dict) else None
