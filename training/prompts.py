"""Random prompts in the grammar of the captions, for training without pictures."""

import random
from typing import Final

from training.composer import BIG, JOINTS, SMALL, bare, tail
from training.concepts import ACTIVE, COLOURS, CONCEPTS, SCENES, STYLES, colour_phrase, plural
from training.concepts import with_article as named

_SIZES: Final = (*SMALL, *BIG)


class Prompter:
    """Draws prompts; the same seed gives the same ones."""

    def __init__(self, seed: int) -> None:
        """Choose the names that the UNet has learned."""
        self._rng = random.Random(seed)  # noqa: S311  # prompts, not secrets
        self._names = [one.names for one in CONCEPTS if one.names[0] in ACTIVE]

    def draw(self) -> str:
        """One prompt: one object mostly, else two, several, or only a background."""
        rng, draw = self._rng, self._rng.random()
        words = self._background()
        if draw < 0.05 and words:
            return bare(words)
        if draw < 0.72:
            subject = named(self._name(), rng)
        elif draw < 0.80:
            subject = rng.choice(["a ", "a ", ""]) + rng.choice(_SIZES) + self._name()
        elif draw < 0.90:
            subject = named(self._name(), rng) + rng.choice(JOINTS) + named(self._name(), rng)
        else:
            subject = rng.choice(["two ", "three "]) + plural(self._name())
        style = rng.choice(STYLES) if rng.random() < 0.2 else ""
        return style + subject + tail(words)

    def _name(self) -> str:
        names = self._rng.choice(self._names)
        return self._rng.choice((names[0], names[0], *names))

    def _background(self) -> str:
        rng, draw = self._rng, self._rng.random()
        if draw < 0.2:
            return ""
        if draw < 0.55:
            return colour_phrase(rng.choice(list(COLOURS)), rng)
        scene = rng.choice(list(SCENES))
        return SCENES[scene] if rng.random() < 0.3 else scene
