"""Each text is encoded once while it is in use, by itself."""

from __future__ import annotations

from typing import Any

import numpy as np

from winepress_worker.engines.kept_texts import KeptTexts
from winepress_worker.engines.staged_model import StagedModel, Stages

WORDS = 4
TEXT_BYTES = 4 * (WORDS * 2 + 3)  #: of what the encoder below gives for one text


class Outputs:
    """As OpenVINO answers."""

    def __init__(self, *values: Any) -> None:
        self._values = values

    def to_tuple(self) -> tuple[Any, ...]:
        return self._values

    def names(self) -> tuple[set[str], ...]:
        return {"last_hidden_state", "hidden_states.1"}, {"pooler_output"}


class Encoder:
    """Gives words of two numbers and a summary of three; notes what it was asked for."""

    def __init__(self) -> None:
        self.asked: list[list[list[int]]] = []

    def __call__(self, inputs: dict[str, Any], share_inputs: bool = False) -> Outputs:
        ids = inputs["input_ids"]
        self.asked.append(ids.tolist())
        words = np.stack([ids, ids * len(ids)], axis=2).astype(np.float32)
        return Outputs(words, words.sum((1, 2))[:, None].repeat(3, 1))

    def get_property(self, name: str) -> str:
        return f"{name} of the encoder"


def ids(*texts: int) -> dict[str, Any]:
    """The tokens of texts, each of one word again and again."""
    return {"input_ids": np.array([[text] * WORDS for text in texts])}


def test_a_text_is_encoded_once_whoever_asks_for_it() -> None:
    """Ten thousand pictures of one negative prompt pay for it once."""
    encoder = Encoder()
    kept = KeptTexts(encoder)
    for prompt in (1, 2, 3, 1):
        kept(ids(prompt))
        kept(ids(9))
    assert encoder.asked == [[[text] * WORDS] for text in (1, 9, 2, 3)]
    assert kept.kept_bytes == 4 * TEXT_BYTES


def test_what_comes_of_a_text_depends_on_nothing_else_in_the_call() -> None:
    """This encoder gives other numbers for two texts at once, as kernels may."""
    together, alone = KeptTexts(Encoder())(ids(1, 2, 1)), KeptTexts(Encoder())
    for output in (0, 1, "last_hidden_state", "hidden_states.1", "pooler_output"):
        expected = np.concatenate([alone(ids(text))[output] for text in (1, 2, 1)])
        assert np.array_equal(together[output], expected)


def test_what_was_used_last_is_kept_within_the_bound() -> None:
    """Other prompts come and go; the negative prompt among them stays."""
    encoder = Encoder()
    kept = KeptTexts(encoder, 2 * TEXT_BYTES)
    for prompt in (1, 2, 3):
        kept(ids(prompt))
        kept(ids(9))
        assert kept.kept_bytes <= 2 * TEXT_BYTES
    kept(ids(1))
    assert encoder.asked == [[[text] * WORDS] for text in (1, 9, 2, 3, 1)]


def test_nothing_is_kept_without_room() -> None:
    """A text larger than the bound is encoded each time, and all the same."""
    encoder = Encoder()
    kept = KeptTexts(encoder, TEXT_BYTES - 1)
    assert np.array_equal(kept(ids(1))[0], kept(ids(1))[0])
    assert (len(encoder.asked), kept.kept_bytes) == (2, 0)


def test_nobody_can_change_what_is_kept() -> None:
    """Pipelines may write into what they are given."""
    kept = KeptTexts(Encoder())
    first = kept(ids(1))["pooler_output"].copy()
    kept(ids(1))["pooler_output"][:] = 0
    assert np.array_equal(kept(ids(1))["pooler_output"], first)


def test_it_answers_for_its_encoder() -> None:
    """What computes the texts is asked of the encoder."""
    assert KeptTexts(Encoder()).get_property("DEVICE") == "DEVICE of the encoder"


def test_a_kept_text_brings_no_encoder_back_into_memory() -> None:
    """Where one stage is in memory at a time, the denoiser stays for the next picture's texts."""
    compiled: list[str] = []

    def compile_model(name: str) -> Encoder:
        compiled.append(name)
        return Encoder()

    stages = Stages()
    kept = KeptTexts(StagedModel("texts", compile_model, stages, "text"))
    denoiser = StagedModel("denoiser", compile_model, stages, "denoise")
    for prompt in (1, 9, 1, 9):
        kept(ids(prompt))
    for _ in range(2):
        kept(ids(1, 9))
        denoiser(ids(1))
    assert compiled == ["texts", "denoiser"]
