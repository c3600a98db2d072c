"""One soft prompt learns to answer as a mixture does, and what is lost is told."""

import math

import numpy as np
import pytest

from fedprompt.adapting.combining import combined
from fedprompt.adapting.distilling import distil, faithfulness, nearest_member
from fedprompt.adapting.fitting import Fitted
from fedprompt.adapting.log_probabilities import normalised
from fedprompt.models.protocols import SoftObjective
from fedprompt.models.scripted import WIDTH, ScriptedModel
from fedprompt.prompts.soft import SoftPrompt
from fedprompt.tuning.metered import prepare
from fedprompt.tuning.settings import TuningSettings
from tests.scripted_sites import STUDY, cases

MODEL = ScriptedModel()
SETTINGS = TuningSettings(steps=60, batch=16, lr=0.05)


def members() -> list[SoftPrompt]:
    drawn = np.random.default_rng(0).normal(0, 0.3, (3, STUDY.soft.tokens if STUDY.soft else 1, WIDTH))
    return [SoftPrompt(vectors.astype(np.float32), MODEL.info.digest) for vectors in drawn]


def tables(objective: SoftObjective) -> np.ndarray:
    return np.stack([normalised(objective.loglikelihoods(one.vectors)) for one in members()])


def test_the_prompt_answers_as_the_mixture_does_on_texts_it_was_tuned_on_and_on_others() -> None:
    home, away = (prepare(MODEL, STUDY, cases(name, 24)) for name in ("a", "b"))
    labels = len(STUDY.answer.labels)
    mixture = Fitted(np.array([0.5, 0.3, 0.2]), np.linspace(0.4, -0.4, labels), "mixture")
    start = members()[nearest_member(tables(home), mixture)]

    def tuned() -> tuple[SoftPrompt, np.ndarray, float | None]:
        found = distil(home, start, SETTINGS, mixture, tables(home), precision=10.0, rng=np.random.default_rng(1))
        return found.soft, found.bias, found.on_texts.divergence

    soft, bias, divergence = tuned()
    wanted = combined(tables(home), mixture.weights, mixture.bias)
    before = faithfulness(wanted, normalised(home.loglikelihoods(start.vectors)))
    assert divergence is not None and before.divergence is not None and divergence < before.divergence / 3
    further = faithfulness(
        combined(tables(away), mixture.weights, mixture.bias), normalised(away.loglikelihoods(soft.vectors) + bias)
    )
    assert further.cases == 24 and further.alike is not None and further.alike >= 22 / 24
    again = tuned()
    assert np.array_equal(again[0].vectors, soft.vectors) and np.array_equal(again[1], bias)


def test_a_mixture_of_one_prompt_is_that_prompt() -> None:
    home = prepare(MODEL, STUDY, cases("a", 6))
    bias = np.zeros(len(STUDY.answer.labels))
    mixture = Fitted(np.array([0.0, 1.0, 0.0]), bias, "mixture")
    assert nearest_member(tables(home), mixture) == 1
    none = TuningSettings(steps=0, batch=16, lr=0.05)
    found = distil(home, members()[1], none, mixture, tables(home), precision=1.0, rng=np.random.default_rng(0))
    assert np.array_equal(found.soft.vectors, members()[1].vectors) and np.allclose(found.bias, bias, atol=1e-6)
    assert found.on_texts.alike == 1.0 and found.on_texts.divergence == pytest.approx(0.0, abs=1e-9)


def test_without_texts_the_heaviest_member_is_nearest_and_nothing_is_told() -> None:
    assert nearest_member(np.zeros((3, 0, 2)), Fitted(np.array([0.2, 0.5, 0.3]), np.zeros(2), "mixture")) == 1
    found = faithfulness(np.zeros((0, 2)), np.zeros((0, 2)))
    assert (found.divergence, found.alike, found.cases) == (None, None, 0)


def test_faithfulness_is_relative_entropy_and_the_share_of_the_same_answers() -> None:
    mixture, prompt = np.log([[0.5, 0.5], [0.9, 0.1]]), np.log([[0.25, 0.75], [0.9, 0.1]])
    found = faithfulness(mixture, prompt)
    # 0.5 log 2 + 0.5 log(2/3) on the first case, where the answers differ, and nothing on the second.
    assert found.divergence == pytest.approx((0.5 * math.log(2) + 0.5 * math.log(2 / 3)) / 2)
    assert (found.alike, found.cases) == (0.5, 2)


def test_tables_of_other_texts_are_refused() -> None:
    home = prepare(MODEL, STUDY, cases("a", 6))
    mixture = Fitted(np.array([1.0]), np.zeros(len(STUDY.answer.labels)), "mixture")
    with pytest.raises(ValueError, match="as many rows"):
        distil(
            home, members()[0], SETTINGS, mixture, np.zeros((1, 5, len(mixture.bias))), precision=1.0,
            rng=np.random.default_rng(0),
        )  # fmt: skip
    with pytest.raises(ValueError, match="same cases"):
        faithfulness(np.zeros((1, 2)), np.zeros((2, 2)))
