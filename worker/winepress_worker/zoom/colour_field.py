"""Spreads the difference of colour that is known along a ring over everything around it.

The differences found in the ring are interpolated by inverse distance (Shepard 1968). Close to the
ring that is nearly the membrane of gradient-domain cloning (Perez, Gangnet and Blake 2003), for
the price of a convolution instead of a system of equations. With distance the field fades to
nothing, so the picture keeps the colours it was drawn in where no edge depends on them.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
from PIL import Image

Pixels = npt.NDArray[np.float32]  #: height × width × channels
Ring = npt.NDArray[np.bool_]  #: height × width
_Grid = npt.NDArray[np.float64]  #: rows × columns of cells, or × channels
_Spectrum = npt.NDArray[np.complex128]

_CELL_PX = 8  #: side of a cell of one colour; a soft edge hides finer differences
_POWER = 4  #: of inverse distance; the larger, the more the nearest difference counts
_OWN = 0.1  #: added to squared distances, in cells², so that a cell of the ring counts most itself
#: Where the field has faded to 1/e, as a share of the shorter side. A shorter reach shows as a
#: halo; a longer one hands colours on from key frame to key frame.
_REACH = 0.25
_MAX_STEP = 64.0  #: in 8-bit levels; a larger one is another object, not another colour of the same


class ColourField:
    """Spreads differences within one ring over a picture of its size."""

    def __init__(self, ring: Ring) -> None:
        """``ring`` is true where differences are known."""
        self._size = (ring.shape[1], ring.shape[0])
        self._known = _cells(ring[:, :, None].astype(np.float32))
        rows, columns, _ = self._known.shape
        self._shape = (2 * rows, 2 * columns)  # twice, or opposite edges would touch
        distances = _squared_distances(rows)[:, None] + _squared_distances(columns)
        weights = (distances + _OWN) ** (-_POWER / 2)
        reach = _REACH * min(self._size) / _CELL_PX
        self._fading = self._spectrum((weights * np.exp(-distances / reach**2))[:, :, None])
        self._total = self._convolved(self._known, self._spectrum(weights[:, :, None]))

    def spread(self, difference: Pixels) -> Pixels:
        """The field that equals ``difference`` in the ring; outside the ring it must be 0."""
        known = np.maximum(self._known, np.finfo(np.float64).tiny)
        steps = np.clip(_cells(difference) / known, -_MAX_STEP, _MAX_STEP)
        field = self._convolved(steps * self._known, self._fading) / self._total
        return np.stack([self._enlarged(band) for band in np.moveaxis(field, 2, 0)], axis=2)

    def _spectrum(self, grid: _Grid) -> _Spectrum:
        return np.fft.rfft2(grid, s=self._shape, axes=(0, 1))

    def _convolved(self, grid: _Grid, kernel: _Spectrum) -> _Grid:
        product = self._spectrum(grid) * kernel
        rows, columns = grid.shape[:2]
        whole = np.fft.irfft2(product, s=self._shape, axes=(0, 1))
        return np.asarray(whole[:rows, :columns], np.float64)

    def _enlarged(self, band: _Grid) -> Pixels:
        width, height = self._size
        cells = Image.fromarray(band.astype(np.float32))
        box = (0.0, 0.0, width / _CELL_PX, height / _CELL_PX)
        return np.asarray(cells.resize((width, height), Image.Resampling.BILINEAR, box=box))


def _cells(pixels: Pixels) -> _Grid:
    """Means of the cells; those at the far edges are filled up with 0."""
    height, width, bands = pixels.shape
    padded = np.pad(pixels, ((0, -height % _CELL_PX), (0, -width % _CELL_PX), (0, 0)))
    rows, columns = (side // _CELL_PX for side in padded.shape[:2])
    lines = padded.reshape(rows, _CELL_PX, columns * _CELL_PX, bands).sum(axis=1)
    cells = lines.reshape(rows, columns, _CELL_PX, bands).sum(axis=2, dtype=np.float64)
    return np.asarray(cells / _CELL_PX**2, np.float64)


def _squared_distances(cells: int) -> npt.NDArray[np.float64]:
    """Squared distance from the first cell to each of twice that many cells on a circle."""
    steps = np.arange(2 * cells, dtype=np.float64)
    return np.minimum(steps, 2 * cells - steps) ** 2
