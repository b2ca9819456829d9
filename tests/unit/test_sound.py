"""Without a decoder, sound files are known by their structure, and foreign ones are refused."""

from __future__ import annotations

import contextlib
import io
import sys
import wave
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from winepress_shared.errors import InvalidJob
from winepress_shared.jobs.sound import MAX_SOUND_BYTES, Sound
from winepress_shared.jobs.zoom import ZoomVideo


def wav(seconds: float = 0.1) -> bytes:
    """Silence."""
    buffer = io.BytesIO()
    with wave.open(buffer, "wb") as file:
        file.setnchannels(1)
        file.setsampwidth(2)
        file.setframerate(8000)
        file.writeframes(bytes(2 * round(8000 * seconds)))
    return buffer.getvalue()


#: MPEG 1 layer III at 128 kbit/s and 44.1 kHz: frames of 144 · 128000 / 44100 = 417 bytes.
MP3_FRAME = b"\xff\xfb\x90\x00" + bytes(413)
FLAC = b"fLaC\x00\x00\x00\x22" + bytes(10) + b"\x0a\xc4\x42" + bytes(40)


def page(body: bytes) -> bytes:
    """One page of an Ogg stream, with one segment."""
    return b"OggS" + bytes(22) + b"\x01" + bytes([len(body)]) + body


def box(name: bytes, size: int = 8) -> bytes:
    """One box of an MP4 file."""
    return size.to_bytes(4, "big") + name + bytes(size - 8)


OGG = page(b"OpusHead" + bytes(11)) + page(bytes(200))
M4A = box(b"ftyp", 24) + box(b"moov") + box(b"stbl", 100) + box(b"mdat", 300)
GOOD = {"wav": wav(), "mp3": MP3_FRAME * 4, "flac": FLAC, "ogg": OGG, "m4a": M4A}


@pytest.fixture(autouse=True)
def _no_decoder(monkeypatch: pytest.MonkeyPatch) -> None:
    """As in a light producer, which has no PyAV."""
    monkeypatch.setitem(sys.modules, "av", None)


@pytest.mark.parametrize("container", GOOD)
def test_every_container_is_known_by_its_bytes(container: str) -> None:
    """The name of the file plays no part, and the reference can be read back."""
    sound = Sound.load(GOOD[container])
    assert sound.container == container
    assert Sound.parse(sound.reference) == sound
    assert sound.key.startswith("inputs/")


def test_an_mp3_may_begin_with_a_tag() -> None:
    """The length of the tag is written seven bits to the byte."""
    assert Sound.load(b"ID3\x04\x00\x00\x00\x00\x01\x00" + bytes(128) + MP3_FRAME * 4)


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"a text, not a sound",
        wav()[:40],
        wav()[:12] + wav()[36:],
        MP3_FRAME,
        FLAC[:20],
        box(b"ftyp", 24) + box(b"mdat", 100),
        page(b"theora" + bytes(20)) * 2,
        b"RIFF\xff\xff\xff\xffWAVEjunk",
        bytes(MAX_SOUND_BYTES + 1),
    ],
    ids=lambda data: f"{len(data)} bytes",
)
def test_broken_and_foreign_files_are_refused(data: bytes) -> None:
    """The reason is a sentence, not a traceback."""
    with pytest.raises(InvalidJob):
        Sound.load(data)


@pytest.mark.parametrize("data", [wav()[:60], OGG[:-1], M4A[:-1]])
def test_a_file_that_is_cut_off_is_taken_and_said_to_be(data: bytes) -> None:
    """What is there plays; the film would be silent behind it, and nobody had said so."""
    (said,) = Sound.load(data).warnings
    assert said.startswith("is cut off")
    job = ZoomVideo(prompt="a valley", audio=data)
    assert job.input_warnings == (f"audio {said}",)


@pytest.mark.parametrize("data", GOOD.values(), ids=GOOD)
def test_of_a_whole_file_nothing_is_said(data: bytes) -> None:
    """Nor of one that was written into a pipe, and knows its length not."""
    assert Sound.load(data).warnings == ()
    assert Sound.load(wav()[:40] + b"\xff\xff\xff\xff" + wav()[44:]).warnings == ()


@given(st.sampled_from(sorted(GOOD)), st.data())
def test_no_damage_raises_anything_else(container: str, data: st.DataObject) -> None:
    """Files from outside are hostile: any byte may be changed, any tail cut off."""
    good = GOOD[container]
    at = data.draw(st.integers(0, len(good) - 1))
    damaged = (
        good[:at] + data.draw(st.binary(max_size=4)) + good[at + data.draw(st.integers(0, 9)) :]
    )
    with contextlib.suppress(InvalidJob):
        Sound.load(damaged)


def test_a_long_sound_and_a_cover_before_it_are_no_obstacle() -> None:
    """Samples beyond what is read of the head, and megabytes of other things in front of them."""
    long = wav(300)
    cover = b"LIST" + (3 * 2**20).to_bytes(4, "little") + bytes(3 * 2**20)
    for data in (long, long[:12] + cover + long[12:]):
        assert Sound.load(data).container == "wav"


def test_a_file_of_countless_empty_parts_is_not_read_to_its_end() -> None:
    """A gateway would be kept busy for half a minute by one upload."""
    with pytest.raises(InvalidJob, match="damaged"):
        Sound.load(b"RIFF\xff\xff\xff\x00WAVE" + (b"junk" + bytes(4)) * 600_000 + wav()[12:])


def test_a_missing_file_is_a_sentence(tmp_path: Path) -> None:
    """As for pictures."""
    with pytest.raises(InvalidJob, match="cannot read the sound"):
        Sound.load(tmp_path / "none.wav")


@pytest.mark.parametrize("text", ["", "sha256:00", "sha256:" + "0" * 64, "../../x.wav"])
def test_a_reference_names_a_digest_and_a_container(text: str) -> None:
    """Text from outside can never name a file."""
    with pytest.raises(InvalidJob):
        Sound.parse(text)
