"""Sound files as FFmpeg writes them: what plays is taken, with a decoder and without."""

from __future__ import annotations

import io
import random
import sys
import wave

import av
import numpy as np
import pytest

from winepress_shared.errors import InvalidJob
from winepress_shared.jobs.sound import Sound
from winepress_shared.jobs.sound_container import container_of, look
from winepress_shared.jobs.sound_decoder import heard, plays

Kind = tuple[str, str, dict[str, str]]  #: muxer, codec, options of the muxer
_FRAGMENTS = {"movflags": "frag_keyframe+empty_moov+default_base_moof"}
_PCM = ("s16le", "s24le", "s32le", "f32le", "f64le", "u8", "alaw", "mulaw")
KINDS: list[Kind] = [
    *(("wav", f"pcm_{layout}", {}) for layout in _PCM),
    *(("wav", codec, {}) for codec in ("adpcm_ms", "adpcm_ima_wav")),
    ("wav", "pcm_s16le", {"rf64": "always"}),
    ("flac", "flac", {}),
    ("ogg", "libopus", {}),
    ("mp3", "libmp3lame", {}),
    ("mp2", "mp2", {}),
    ("ipod", "aac", {}),
    ("mp4", "alac", {}),
    ("mov", "pcm_s16le", {}),
    ("mp4", "aac", _FRAGMENTS),
]
_DAMAGES = 60  #: of each kind, most of them within the head


def written(kind: Kind) -> bytes:
    """A fifth of a second of noise."""
    muxer, codec, options = kind
    buffer, rate = io.BytesIO(), 48_000
    noise = np.random.default_rng(1).integers(-20_000, 20_000, (1, rate // 5), "int16")
    frame = av.AudioFrame.from_ndarray(noise, format="s16", layout="mono")
    frame.rate = rate
    with av.open(buffer, "w", format=muxer, options=options) as file:
        stream = file.add_stream(codec, rate=rate)
        stream.layout = "mono"  # type: ignore[union-attr]
        for part in (frame, None):
            file.mux(stream.encode(part))  # type: ignore[arg-type, union-attr]
    return buffer.getvalue()


@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: "-".join((*kind[:2], *kind[2])))
def test_what_plays_is_taken_with_a_decoder_and_without(
    kind: Kind, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whole, in part, and with any of its bytes changed: the light check is never the stricter."""
    chance, good = random.Random(7), written(kind)
    assert Sound.load(good).warnings == ()
    refused = []
    for _ in range(_DAMAGES):
        damaged = bytearray(good)
        for _ in range(chance.randint(0, 4)):
            at = chance.randrange(chance.choice((100, len(good))))
            damaged[at : at + chance.randint(0, 6)] = chance.randbytes(chance.randint(0, 6))
        data = bytes(damaged[: chance.choice((len(good), chance.randrange(len(good))))])
        container = container_of(data)
        if container and plays(data, container) and look(container, data) is None:
            refused.append(data[:80])
    assert refused == []
    monkeypatch.setitem(sys.modules, "av", None)
    assert Sound.load(good)


def test_the_decoder_has_the_last_word() -> None:
    """A file whose structure is right and in which nothing can be heard is refused at once."""
    silent = b"fLaC\x00\x00\x00\x22" + bytes(10) + b"\x0a\xc4\x42" + bytes(40)
    assert look("flac", silent) is not None
    with pytest.raises(InvalidJob, match="damaged flac file: it has no playable sound"):
        Sound.load(silent)


def test_a_damaged_piece_is_left_out_and_the_rest_is_heard() -> None:
    """As in players: a film is not lost over one bad frame in the middle."""
    good = written(("ipod", "aac", {}))
    half = len(good) // 2
    frames = [
        sum(frame.samples for frame in heard(data, "m4a"))
        for data in (good, good[:half] + b"x" * 50 + good[half + 50 :])
    ]
    assert 0 < frames[1] <= frames[0]


def test_a_title_in_another_encoding_is_no_obstacle() -> None:
    """Old programs write tags as Latin-1."""
    data = written(("wav", "pcm_s16le", {}))
    title = b"INAM\x06\0\0\0caf\xe9!\0"
    extra = b"LIST" + (4 + len(title)).to_bytes(4, "little") + b"INFO" + title
    with wave.open(io.BytesIO(data)) as file:
        assert file.getnframes()
    assert plays(data[:12] + extra + data[12:], "wav")
