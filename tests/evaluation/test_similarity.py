"""Similarity is the cosine of what the encoder gives, asked for all at once and for each text once."""

from collections.abc import Sequence

import numpy as np
import pytest
from numpy.typing import NDArray

from fedprompt.errors import ModelError
from fedprompt.evaluation.scorers import Resources, Sample, Similarity
from fedprompt.evaluation.scorers.scorer import BatchScorer
from tests.coded import coded

VECTORS = {"north": (0.0, 1.0), "north-east": (0.6, 0.8), "east": (1.0, 0.0), "south": (0.0, -1.0)}


class Compass:
    """An encoder that knows four texts."""

    width = 2

    def __init__(self) -> None:
        self.asked: list[tuple[str, ...]] = []

    def encode(self, texts: Sequence[str]) -> NDArray[np.float32]:
        self.asked.append(tuple(texts))
        return np.array([VECTORS[text] for text in texts], np.float32)


def test_the_cosine_by_hand_and_never_below_zero() -> None:
    encoder = Compass()
    scorer = Similarity().prepared(Resources(encoder=lambda: encoder))
    assert isinstance(scorer, BatchScorer)
    samples = [
        Sample("north-east", "north"),
        Sample("north-east", "east"),
        Sample("north", "north"),
        Sample("south", "north"),
        Sample(" ", "north"),
        Sample("north", ""),
    ]
    found = [each.value for each in scorer.score_all(samples)]
    assert found[:5] == pytest.approx([0.8, 0.6, 1.0, 0.0, 0.0])
    assert found[5] is None
    assert encoder.asked == [("east", "north", "north-east", "south")]


def test_nothing_to_compare_asks_nothing() -> None:
    encoder = Compass()
    assert Similarity().prepared(Resources(encoder=lambda: encoder)).score("", "north").value == 0.0
    assert encoder.asked == []


def test_without_an_encoder_it_says_what_to_do() -> None:
    with pytest.raises(ModelError, check=coded("assets-not-ready")):
        Similarity().prepared(Resources())
    assert Similarity().score("north", "north").value is None
