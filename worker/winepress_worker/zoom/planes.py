"""The planes that hold a picture while a film is made of it.

Films are made of brightness and two colour differences, the latter at half the size, by every
player's habit. Key frames are turned into such planes once, and only planes are resampled per film
frame, so the encoder has nothing to convert. A zoom is the same in all four quarters of the
picture; a plane is therefore folded about its centre into one image of four bands, whose
resampling computes its weights once for all of them: a third less work than on the whole plane.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
from PIL import Image

#: Pixels repeated beyond each edge, so that rounding never reads outside the plane.
PAD_PX = 2
#: Pixels kept beyond the centre, for the reach of the filter: 2 pixels of the film, which are 32
#: of a key frame where halved colours are seen eight times smaller.
MARGIN_PX = 32

#: A frame of a film: height × width × 3 for RGB, or Y, Cb and Cr below each other, (3/2 height) ×
#: width, the way FFmpeg keeps yuv420p.
Frame = npt.NDArray[np.uint8]
Plane = npt.NDArray[np.uint8]  #: height × width

#: Film pixels per sample of each plane. Halved samples lie in the middle of their four pixels.
RGB_STEPS = (1, 1, 1)
YUV420_STEPS = (1, 2, 2)

#: ITU-R BT.709: weights of R, G and B in brightness.
_LUMA = np.array([0.2126, 0.7152, 0.0722])
#: Y, Cb and Cr of full-scale R, G and B, to the 219 and 224 levels of video (BT.709, 4.5 and 4.6).
_TO_YUV = (
    np.stack(
        [
            219 * _LUMA,
            112 * (np.array([0, 0, 1]) - _LUMA) / (1 - _LUMA[2]),
            112 * (np.array([1, 0, 0]) - _LUMA) / (1 - _LUMA[0]),
        ],
        axis=1,
    ).astype(np.float32)
    / 255
)
_YUV_ZERO = np.array([16, 128, 128], np.float32)


def fold_rgb(picture: Image.Image) -> tuple[Image.Image, ...]:
    """Red, green and blue, folded."""
    pixels = np.asarray(picture.convert("RGB"))
    return tuple(_folded(pixels[:, :, band]) for band in range(3))


def fold_yuv(picture: Image.Image) -> tuple[Image.Image, ...]:
    """Y, Cb and Cr at full size, BT.709 in the range of video, folded."""
    pixels = np.asarray(picture.convert("RGB"), np.float32)
    values = np.rint(pixels @ _TO_YUV + _YUV_ZERO).astype(np.uint8)
    return tuple(_folded(values[:, :, band]) for band in range(3))


def _folded(plane: Plane) -> Image.Image:
    """The four quarters as bands, each with the centre towards its top left corner.

    Pixel (`margin`, `margin`) is the one right and below of the centre.
    """
    padded = np.pad(plane, PAD_PX, mode="edge")
    top, left = (side // 2 + PAD_PX - margin(side) for side in plane.shape)
    turned = (padded, padded[:, ::-1], padded[::-1], padded[::-1, ::-1])
    quarters = np.stack([quarter[top:, left:] for quarter in turned], axis=2)
    size = (quarters.shape[1], quarters.shape[0])
    # Of all modes with four bands this one is resampled as it is.
    return Image.frombytes("CMYK", size, quarters.tobytes())


def margin(side: int) -> int:
    """Pixels a folded plane of a picture of that side, which is even, keeps beyond its centre."""
    return min(MARGIN_PX, side // 2)


def unfold(quarters: Image.Image, plane: Plane) -> None:
    """Fill ``plane``, of any size, from its four quarters; an odd side shares its middle line."""
    width, height = quarters.size
    bands = np.asarray(quarters)
    plane[-height:, -width:] = bands[:, :, 0]
    plane[-height:, :width] = bands[:, ::-1, 1]
    plane[:height, -width:] = bands[::-1, :, 2]
    plane[:height, :width] = bands[::-1, ::-1, 3]


def empty_frame(size: tuple[int, int], *, rgb: bool) -> tuple[Frame, tuple[Plane, ...]]:
    """A frame and views of its planes."""
    width, height = size
    if rgb:
        frame = np.empty((height, width, 3), np.uint8)
        return frame, tuple(frame[:, :, band] for band in range(3))
    frame = np.empty((height * 3 // 2, width), np.uint8)
    halves = frame[height:].reshape(2, height // 2, width // 2)
    return frame, (frame[:height], halves[0], halves[1])
