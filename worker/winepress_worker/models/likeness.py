"""Measures how similar two pictures are."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray
from PIL import Image

_PEAK = 255.0  #: highest 8-bit level
_MOST_DB = 100.0  #: result for equal pictures, in place of infinity
_SIGMA, _RADIUS = 1.5, 5  #: of SSIM's window, in pixels
_C1, _C2 = (0.01 * _PEAK) ** 2, (0.03 * _PEAK) ** 2

_Plane = NDArray[np.float64]


def psnr_db(one: Image.Image, other: Image.Image) -> float:
    """Peak signal-to-noise ratio over all channels, in decibels; at most 100."""
    difference = np.asarray(one, np.float64) - np.asarray(other, np.float64)
    error = float((difference**2).mean())
    return min(10 * math.log10(_PEAK**2 / error), _MOST_DB) if error else _MOST_DB


def ssim(one: Image.Image, other: Image.Image) -> float:
    """Structural similarity of the luminances, -1 to 1; pictures of 11 pixels a side or more.

    Mean over a Gaussian window of 11 by 11 pixels (Wang, Bovik, Sheikh and Simoncelli 2004).
    """
    x, y = (np.asarray(picture.convert("L"), np.float64) for picture in (one, other))
    mean_x, mean_y = _blur(x), _blur(y)
    var_x, var_y = _blur(x * x) - mean_x**2, _blur(y * y) - mean_y**2
    shared = _blur(x * y) - mean_x * mean_y
    top = (2 * mean_x * mean_y + _C1) * (2 * shared + _C2)
    return float((top / ((mean_x**2 + mean_y**2 + _C1) * (var_x + var_y + _C2))).mean())


def _blur(plane: _Plane) -> _Plane:
    """Gaussian average wherever the whole window is inside the plane."""
    places = np.arange(-_RADIUS, _RADIUS + 1)
    window = np.exp(-(places**2) / (2 * _SIGMA**2))
    window /= window.sum()
    for axis in (0, 1):
        views = np.lib.stride_tricks.sliding_window_view(plane, len(window), axis)
        plane = views @ window
    return plane
