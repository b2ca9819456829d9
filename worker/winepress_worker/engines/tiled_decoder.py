"""Decodes pictures of more than 1024 pixels a side in tiles, which need no more memory than one.

Tiles overlap and are blended over the overlap, as in diffusers' ``AutoencoderKL.tiled_decode``.
Only the size decides, never the memory of a worker: the same job gives the same bytes everywhere.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import numpy.typing as npt

_TILE = 128  #: latents, of 8 by 8 pixels each
_OVERLAP = 32  #: latents, at least
_INPUT = "latent_sample"

Array = npt.NDArray[np.float32]


class TiledDecoder:
    """Acts as the compiled decoder it is given."""

    def __init__(self, decoder: Any, tile: int = _TILE, overlap: int = _OVERLAP) -> None:
        """``tile`` and ``overlap`` are sides in latents."""
        self._decoder = decoder
        self._tile = tile
        self._overlap = overlap

    def __call__(self, inputs: Any, share_inputs: bool = False) -> Any:
        """Decode latents of shape (count, channels, height, width); see the whole decoder's."""
        latents = np.asarray(inputs[_INPUT])
        rows, columns = (self._starts(side) for side in latents.shape[2:])
        if len(rows) == len(columns) == 1:
            return self._decoder(inputs, share_inputs=share_inputs)
        return self._blended(latents, rows, columns)

    def get_property(self, name: str) -> Any:
        """A property of the compiled decoder."""
        return self._decoder.get_property(name)

    def _starts(self, side: int) -> list[int]:
        """Where tiles begin along a side, evenly spread."""
        count = max(1, math.ceil((side - self._overlap) / (self._tile - self._overlap)))
        if side <= self._tile:
            count = 1
        last = max(0, side - self._tile)
        return [round(last * number / max(1, count - 1)) for number in range(count)]

    def _blended(self, latents: Any, rows: list[int], columns: list[int]) -> _Outputs:
        height, width = latents.shape[2:]
        port: Any = None
        strips: list[Array] = []
        for top in rows:
            tiles: list[Array] = []
            for left in columns:
                part = latents[:, :, top : top + self._tile, left : left + self._tile]
                outputs = self._decoder({_INPUT: np.ascontiguousarray(part)}).to_dict()
                port, pixels = next(iter(outputs.items()))
                tiles.append(np.asarray(pixels, dtype=np.float32))
            scale = tiles[0].shape[3] // min(self._tile, width)
            strips.append(_joined(tiles, [left * scale for left in columns], 3))
        scale = strips[0].shape[2] // min(self._tile, height)
        return _Outputs({port: _joined(strips, [top * scale for top in rows], 2)})


class _Outputs:
    """What a call of a compiled model returns, as far as it is read."""

    def __init__(self, values: dict[Any, Array]) -> None:
        self._values = values

    def to_dict(self) -> dict[Any, Array]:
        """Port → array."""
        return self._values


def _joined(tiles: list[Array], starts: list[int], axis: int) -> Array:
    """``tiles`` that begin at ``starts`` along ``axis``, blended where two overlap."""
    whole = tiles[0]
    for tile, start in zip(tiles[1:], starts[1:], strict=True):
        end = whole.shape[axis]
        before, old = np.split(whole, [start], axis)
        new, rest = np.split(tile, [end - start], axis)
        shape = [1] * tile.ndim
        shape[axis] = end - start
        # Middles of pixels, so that both sides are treated alike.
        share = ((np.arange(end - start, dtype=np.float32) + 0.5) / (end - start)).reshape(shape)
        whole = np.concatenate([before, old + (new - old) * share, rest], axis)
    return whole
