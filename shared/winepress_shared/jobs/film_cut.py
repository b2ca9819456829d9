"""The fields of a film that can be changed without drawing its key frames again."""

from __future__ import annotations

import math
from enum import StrEnum
from typing import Annotated, Literal

from pydantic import BaseModel, Field

from winepress_shared.errors import InvalidJob
from winepress_shared.jobs.sound import Sound, SoundField

MAX_KEY_FRAMES = 500
MAX_FRAMES = 36_000  #: per film: ten minutes at 60 frames a second
MAX_DURATION_S = 3600.0
MAX_HOLD_S = 60.0
DEFAULT_SECONDS_PER_KEY_FRAME = 1.0
GIF_MAX_FPS = 50.0  #: players show a GIF's frame for at least two hundredths of a second
HALVED_COLOUR = ("mp4", "webm")  #: formats with colours at half the resolution, as players expect
FilmSide = Annotated[int, Field(ge=16, le=4096)]


class Direction(StrEnum):
    """The direction of the camera; key frame 0 is the innermost."""

    IN = "in"  #: from the widest key frame to the innermost
    OUT = "out"
    PING_PONG = "ping-pong"  #: out and back in
    LOOP = "loop"  #: in, endlessly: the innermost key frame contains the widest one


class Easing(StrEnum):
    """How the camera starts and stops; all are parts of a cosine."""

    LINEAR = "linear"  #: constant zoom
    IN = "ease-in"  #: starts softly
    OUT = "ease-out"  #: stops softly
    IN_OUT = "ease-in-out"

    def __call__(self, share: float) -> float:
        """Fraction of the way after a fraction of the time, both 0 to 1."""
        match self:
            case Easing.IN:
                return 1 - math.cos(share * math.pi / 2)
            case Easing.OUT:
                return math.sin(share * math.pi / 2)
            case Easing.IN_OUT:
                return (1 - math.cos(share * math.pi)) / 2
        return share


class FilmCut(BaseModel):
    """The fields of a film; a mixin for every job that makes one."""

    film_format: Literal["mp4", "webm", "gif", "webp", "frames"] = "mp4"
    film_width: FilmSide | None = None  #: pixels; None: that of the key frames
    film_height: FilmSide | None = None
    direction: Direction = Direction.OUT
    easing: Easing = Easing.LINEAR
    seconds_per_key_frame: Annotated[float, Field(ge=0.05, le=60)] | None = None
    duration: Annotated[float, Field(gt=0, le=MAX_DURATION_S)] | None = None  #: seconds in total
    hold: Annotated[float, Field(ge=0, le=MAX_HOLD_S)] = 0.0  #: seconds of standstill at each end
    fps: Annotated[float, Field(ge=1, le=120)] = 30.0
    audio: SoundField | None = None

    @property
    def sounds(self) -> tuple[Sound, ...]:
        """The film's sound, if it has one."""
        return () if self.audio is None else (self.audio,)

    def check_film(self, key_frames: int) -> None:
        """Raise InvalidJob unless these fields allow a film of that many key frames."""
        if self.direction is Direction.LOOP and self.hold:
            raise InvalidJob(
                "cannot be combined with direction=loop", field="hold", value=self.hold
            )
        if self.audio is not None and self.film_format not in HALVED_COLOUR:
            raise InvalidJob(
                f"{self.film_format} cannot contain sound", field="audio", allowed="mp4 or webm"
            )
        if self.film_format == "gif" and self.fps > GIF_MAX_FPS:
            raise InvalidJob(
                "too fast for a GIF", field="fps", value=self.fps, allowed=f"up to {GIF_MAX_FPS:g}"
            )
        if self.duration is not None and self.duration <= 2 * self.hold:
            raise InvalidJob(
                "leaves no time for the zoom",
                field="duration",
                value=self.duration,
                allowed=f"more than {2 * self.hold:g} seconds with this hold",
            )
        frames = self.frame_count(key_frames)
        if frames > MAX_FRAMES:
            raise InvalidJob(
                "the film is too long",
                field="duration",
                value=f"{frames} frames",
                allowed=f"up to {MAX_FRAMES} frames",
            )

    def key_frames_needed(self) -> int:
        """Key frames that fill `duration`, with `seconds_per_key_frame` or slightly less each."""
        pace = self.seconds_per_key_frame or DEFAULT_SECONDS_PER_KEY_FRAME
        seconds = (self.duration or 0) - 2 * self.hold
        legs = 2 if self.direction is Direction.PING_PONG else 1
        return max(2, math.ceil(seconds / legs / pace - 1e-9) + 1)

    def leg_frames(self, key_frames: int) -> int:
        """Film frames of one pass from end to end, including both ends."""
        pace = self.seconds_per_key_frame or DEFAULT_SECONDS_PER_KEY_FRAME
        legs = 2 if self.direction is Direction.PING_PONG else 1
        seconds = pace * max(key_frames - 1, 1)
        if self.duration is not None:
            seconds = (self.duration - 2 * self.hold) / legs
        return max(round(seconds * self.fps), 1 if key_frames == 1 else 2)

    @property
    def hold_frames(self) -> int:
        """Film frames of standstill at each end, after the one in which the camera arrives."""
        return round(self.hold * self.fps)

    def frame_count(self, key_frames: int) -> int:
        """The total number of film frames."""
        leg = self.leg_frames(key_frames)
        back = leg - 2 if self.direction is Direction.PING_PONG and key_frames > 1 else 0
        return leg + max(back, 0) + 2 * self.hold_frames

    def second_of(self, index: int, key_frames: int) -> float:
        """When the film first shows all of key frame ``index``, at constant speed, in seconds."""
        inward = self.direction in (Direction.IN, Direction.LOOP)
        steps = key_frames - 1 - index if inward else index
        leg_s = self.leg_frames(key_frames) / self.fps
        return self.hold + steps * leg_s / max(key_frames - 1, 1)
