"""What is believed of files that others made: nothing, and never more than the bounds."""

from __future__ import annotations

import io
import json
import struct
import zlib
from typing import Literal

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image
from PIL.PngImagePlugin import PngInfo

from winepress_shared.errors import InvalidJob
from winepress_shared.jobs.job import TextToImage
from winepress_shared.jobs.picture import MAX_FILE_BYTES
from winepress_shared.metadata import MAX_TEXT_BYTES, PictureFacts, encode, read

FACTS = PictureFacts("openvino 2026.4.1", "CPU", "f32", "6ce0161689", "EulerDiscreteScheduler")


def _header(side: int) -> bytes:
    """The beginning of a PNG that claims to be that large, in pixels."""
    return b"\x89PNG\r\n\x1a\n" + _chunk(
        b"IHDR", struct.pack(">IIBBBBB", side, side, 8, 2, 0, 0, 0)
    )


def _png(**texts: str) -> bytes:
    chunks = PngInfo()
    for keyword, text in texts.items():
        chunks.add_itxt(keyword, text)
    buffer = io.BytesIO()
    Image.new("RGB", (8, 8)).save(buffer, "PNG", pnginfo=chunks)
    return buffer.getvalue()


def _chunk(kind: bytes, body: bytes) -> bytes:
    return struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))


def _with_chunk(chunk: bytes) -> bytes:
    """A PNG with one more chunk right after its header."""
    data = _png()
    return data[:33] + chunk + data[33:]


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"GIF89a" + bytes(100),
        b"%PDF-1.7",
        b"\x89PNG\r\n\x1a\n",
        _header(2**31 - 1),
        _header(60_000),
        b"\xff\xd8\xff\xe1",
        b"RIFF\x04\x00\x00\x00WEBP",
        b"RIFF\xff\xff\xff\xffWEBPVP8X" + bytes(30),
        _with_chunk(_chunk(b"iTXt", b"winepress\0\1\0\0\0" + zlib.compress(bytes(2**25), 9))),
        _with_chunk(_chunk(b"zTXt", b"parameters\0\0" + zlib.compress(b"x" * 2**25, 9))),
    ],
    ids=lambda data: ascii(data[:12]),
)
def test_what_is_no_picture_is_refused(data: bytes) -> None:
    """Other files, cut files, absurd sizes and text bombs end in one InvalidJob."""
    with pytest.raises(InvalidJob, match="not a readable picture"):
        read(data)


def test_a_file_over_the_limit_is_refused_unread() -> None:
    """Size is looked at first."""
    with pytest.raises(InvalidJob, match="too large"):
        read(bytes(MAX_FILE_BYTES + 1))


@pytest.mark.parametrize(
    "text",
    [
        "",
        "null",
        "[1]",
        "{",
        "[" * 50_000,
        '{"a":' * 10_000,
        '{"n": ' + "9" * 5000 + "}",
        "{}" + " " * MAX_TEXT_BYTES,
    ],
    ids=lambda text: text[:8],
)
def test_json_that_is_not_ours_counts_as_absent(text: str) -> None:
    """Broken, deep, oversized or of another shape: the picture itself is still described."""
    info = read(_png(winepress=text, parameters="a prompt"))
    assert info.details is None
    assert info.parameters == "a prompt"
    with pytest.raises(InvalidJob):
        info.job()


@pytest.mark.parametrize(
    "job",
    [
        None,
        [],
        "text",
        {},
        {"kind": "text-to-image"},
        {"kind": ["x"], "prompt": "x"},
        {"kind": "text-to-image", "prompt": "x", "n": 10**9},
        {"kind": "text-to-image", "prompt": "x", "unknown": 1},
        {"kind": "image-to-image", "prompt": "x", "image": "/etc/passwd"},
        {"kind": "inpaint", "prompt": "x", "image": "sha256:" + "1" * 64, "mask": None},
    ],
    ids=lambda job: str(job)[:40],
)
def test_a_planted_job_is_checked_like_any_other(job: object) -> None:
    """A file cannot order what a producer could not, nor make anybody read a path."""
    with pytest.raises(InvalidJob):
        read(_png(winepress=json.dumps({"job": job}))).job()


def test_planted_control_characters_do_not_reach_a_terminal() -> None:
    """Escape sequences are replaced; line ends become plain ones; tabs stay."""
    info = read(_png(parameters="a\x1b]0;title\x07b\x9bc\x7f\r\nd\te"))
    assert info.parameters == "a\N{REPLACEMENT CHARACTER}]0;title\N{REPLACEMENT CHARACTER}b" + (
        "\N{REPLACEMENT CHARACTER}c\N{REPLACEMENT CHARACTER}\nd\te"
    )


@pytest.mark.parametrize("output_format", ["png", "jpeg", "webp"])
@settings(max_examples=150, deadline=None)
@given(damage=st.lists(st.tuples(st.integers(0, 10**6), st.integers(0, 255)), max_size=8))
def test_damaged_files_are_read_or_refused(
    output_format: Literal["png", "jpeg", "webp"], damage: list[tuple[int, int]]
) -> None:
    """Whatever bytes change in the first part of a file, nothing but InvalidJob comes out."""
    job = TextToImage(prompt="a red apple", output_format=output_format)
    data = bytearray(encode(Image.new("RGB", (8, 8)), job, FACTS))
    for place, value in damage:
        data[place % min(len(data), 700)] = value
    try:
        read(bytes(data)).job()
    except InvalidJob:
        return
