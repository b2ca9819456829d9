"""Films and their sound in files, by PyAV (FFmpeg's libraries).

Every writer takes frames one by one and keeps no more of them than its codec does.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from fractions import Fraction
from pathlib import Path
from typing import Any, Self, cast

import av
from av.audio.resampler import AudioResampler
from av.container import OutputContainer
from av.filter import Graph
from av.video.reformatter import ColorRange, Colorspace
from av.video.stream import VideoStream
from PIL import Image

from winepress_shared.errors import EnvironmentFault, FailForGood, RetryElsewhere
from winepress_shared.jobs.sound import Sound
from winepress_shared.jobs.sound_decoder import NothingToHear, heard
from winepress_worker.os_fault import os_fault
from winepress_worker.zoom.planes import Frame

_MAX_RATE_DENOMINATOR = 1001  #: 30000/1001 is television's 29.97
_SOUND_HZ = 48_000
_SOUND_BITS = 160_000  #: a second; more cannot be heard with either codec
_BT709 = 1  #: ITU-T H.273, tables 2 and 3: primaries and transfer of BT.709


@dataclass(frozen=True)
class _Codec:
    """How one film format is written, by FFmpeg's names."""

    video: str
    pixels: str
    options: dict[str, str]
    muxer_options: dict[str, str] = field(default_factory=dict)
    sound: str | None = None


_CODECS = {
    "mp4": _Codec(
        "libx264",
        "yuv420p",
        # Half the time of veryfast for twice the file. Colours lie as in JPEG, see `planes`.
        {"crf": "18", "preset": "superfast", "x264-params": "chromaloc=1"},
        {"movflags": "+faststart"},
        "aac",
    ),
    "webm": _Codec(
        "libvpx-vp9",
        "yuv420p",
        {"crf": "24", "b": "0", "deadline": "good", "cpu-used": "5", "row-mt": "1"},
        sound="libopus",
    ),
    # Coarse colours and large files; these two are for places without a film player.
    "gif": _Codec("gif", "pal8", {}, {"loop": "0"}),
    "webp": _Codec("libwebp", "bgra", {"quality": "85"}, {"loop": "0"}),
}


class FilmFile:
    """One film being written to a file; use as a context manager, then call `write` per frame.

    Raises EnvironmentFault when the file cannot be written, FailForGood for unreadable sound, and
    RetryElsewhere when FFmpeg fails over anything else.
    """

    def __init__(
        self,
        path: Path,
        film_format: str,
        size: tuple[int, int],
        fps: float,
        sound: Sound | None = None,
    ) -> None:
        codec = _CODECS[film_format]
        self._rate = Fraction(fps).limit_denominator(_MAX_RATE_DENOMINATOR)
        self._written = 0
        self._file = av.open(
            str(path),
            "w",
            format=film_format,
            options={"fflags": "+bitexact"} | codec.muxer_options,
        )
        #: True when frames must be RGB; of any size, then.
        self.wants_rgb = codec.pixels != "yuv420p"
        self._stream = _video_stream(self._file, codec, size, self._rate)
        self._palette = _Palette(size, self._rate) if codec.pixels == "pal8" else None
        self._track: _Track | None = None
        if sound is not None and codec.sound is not None:
            self._add_track(sound, codec.sound)

    def _add_track(self, sound: Sound, codec: str) -> None:
        try:
            self._track = _Track(self._file, sound, codec)
        except FailForGood:
            self._file.close()
            raise

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
        with _writing():
            try:
                if kind is None:
                    self._finish()
            finally:
                self._file.close()

    def write(self, samples: Frame) -> None:
        """Append one frame, RGB or yuv420p."""
        frame = _frame(samples)
        frame.pts, frame.time_base = self._written, 1 / self._rate
        self._written += 1
        with _writing():
            for ready in self._palette.pull(frame) if self._palette else (self._converted(frame),):
                self._mux(ready)
            if self._track is not None:
                self._track.play_to(self._written / self._rate)

    def _converted(self, frame: av.VideoFrame) -> av.VideoFrame:
        if frame.format.name == self._stream.pix_fmt:
            return frame
        return frame.reformat(
            format=self._stream.pix_fmt,
            dst_colorspace=Colorspace.ITU709,
            dst_color_range=ColorRange.MPEG,
        )

    def _finish(self) -> None:
        for ready in self._palette.pull(None) if self._palette else ():
            self._mux(ready)
        self._mux(None)
        if self._track is not None:
            self._track.finish()

    def _mux(self, frame: av.VideoFrame | None) -> None:
        for packet in self._stream.encode(frame):
            self._file.mux(packet)


@contextmanager
def _writing() -> Iterator[None]:
    """What the system refuses FFmpeg is the machine's fault; any other error is the film's."""
    try:
        yield
    except OSError as error:
        raise os_fault("cannot write the film", error) from None
    except av.FFmpegError as error:
        raise RetryElsewhere(f"FFmpeg cannot make this film: {error.strerror}") from None


def _video_stream(
    file: OutputContainer, codec: _Codec, size: tuple[int, int], rate: Fraction
) -> VideoStream:
    stream = cast("VideoStream", file.add_stream(codec.video, rate=rate))
    stream.width, stream.height = size
    stream.pix_fmt = codec.pixels
    stream.codec_context.options = codec.options
    if codec.pixels == "yuv420p":
        # Without these marks players guess, by the size of the picture.
        context = stream.codec_context
        context.colorspace = int(Colorspace.ITU709)
        context.color_range = int(ColorRange.MPEG)
        context.color_primaries = context.color_trc = _BT709
    return stream


def _frame(samples: Frame) -> av.VideoFrame:
    if samples.ndim == 3:
        return av.VideoFrame.from_ndarray(samples, format="rgb24")
    frame = av.VideoFrame.from_ndarray(samples, format="yuv420p")
    frame.colorspace, frame.color_range = Colorspace.ITU709, ColorRange.MPEG
    return frame


class _Palette:
    """Chooses 256 colours for each frame by itself, without waiting for the last one."""

    def __init__(self, size: tuple[int, int], rate: Fraction) -> None:
        self._graph = Graph()
        width, height = size
        self._entrance = self._graph.add_buffer(
            width=width, height=height, format=av.VideoFormat("rgb24"), time_base=1 / rate
        )
        fork = self._graph.add("split")
        choice = self._graph.add("palettegen", "stats_mode=single")
        use = self._graph.add("paletteuse", "new=1")
        exit_ = self._graph.add("buffersink")
        self._entrance.link_to(fork)
        fork.link_to(choice, 0, 0)
        fork.link_to(use, 1, 0)
        choice.link_to(use, 0, 1)
        use.link_to(exit_)
        self._graph.configure()

    def pull(self, frame: av.VideoFrame | None) -> Iterator[av.VideoFrame]:
        """Put one frame in, None at the end; yields those that are ready."""
        self._entrance.push(frame)
        while True:
            try:
                yield self._graph.vpull()
            except (av.BlockingIOError, av.EOFError):
                return


class _Track:
    """The sound of a film: decoded and written as far as its pictures are, and cut to its end."""

    def __init__(self, file: Any, sound: Sound, codec: str) -> None:
        self._file = file
        self._stream = file.add_stream(codec, rate=_SOUND_HZ)
        self._stream.layout = "stereo"
        self._stream.bit_rate = _SOUND_BITS
        self._source = self._frames(sound)
        self._pending: av.AudioFrame | None = next(self._source, None)
        if self._pending is None:
            raise FailForGood("there is nothing to hear in the sound file", field="audio")

    def play_to(self, second: Fraction) -> None:
        """Write everything that begins before that time."""
        while self._pending is not None and self._begins(self._pending) < second:
            self._mux(self._pending)
            self._pending = next(self._source, None)

    def finish(self) -> None:
        """Write what the codec still holds."""
        self._mux(None)

    @staticmethod
    def _begins(frame: av.AudioFrame) -> Fraction:
        return Fraction(frame.pts or 0, _SOUND_HZ)

    def _mux(self, frame: av.AudioFrame | None) -> None:
        for packet in self._stream.encode(frame):
            self._file.mux(packet)

    def _frames(self, sound: Sound) -> Iterator[av.AudioFrame]:
        """The sound from its start, in the codec's own form, with times that begin at 0."""
        resampler = AudioResampler(
            format=self._stream.codec_context.format, layout="stereo", rate=_SOUND_HZ
        )
        at = 0
        try:
            for played in heard(sound.data or b"", sound.container):
                played.pts = None
                for frame in resampler.resample(played):
                    frame.pts, frame.time_base = at, Fraction(1, _SOUND_HZ)
                    at += frame.samples
                    yield frame
        except (NothingToHear, av.FFmpegError) as error:
            raise FailForGood(f"the sound cannot be read: {error}", field="audio") from None


def sampled(path: Path, count: int) -> list[tuple[float, Image.Image]]:
    """``count`` pictures of a film from its first to its last one, each with its second.

    Raises EnvironmentFault when the file cannot be read.
    """
    try:
        with av.open(str(path), "r") as film:
            stream = film.streams.video[0]
            last = max(stream.frames - 1, 1)
            wanted = {round(index * last / max(count - 1, 1)) for index in range(count)}
            return [
                (float(frame.time or 0), frame.to_image())  # type: ignore[no-untyped-call]
                for index, frame in enumerate(film.decode(stream))
                if index in wanted
            ]
    except (OSError, av.FFmpegError) as error:
        raise EnvironmentFault(f"cannot read the film: {error}") from None
