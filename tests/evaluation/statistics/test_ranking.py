"""Beta draws rank prompts whatever their order."""

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fedprompt.evaluation.statistics.ranking import beta_summary

DRAWS = 400

counts = st.integers(1, 300).flatmap(lambda n: st.tuples(st.integers(0, n), st.just(n)))


def rng(seed: int = 7) -> np.random.Generator:
    return np.random.default_rng(seed)


def test_beta_draws_have_jeffreys_interval_on_one_site() -> None:
    # Beta(20.5, 5.5) has its 2.5 % and 97.5 % points at 0.6134 and 0.9172 (scipy.stats.beta.ppf).
    from scipy.stats import beta

    found = beta_summary({"p": {"s": (20, 25)}}, rng(), 100_000)["p"]
    assert found.mean.value == found.worst.value == 0.8
    assert (found.mean.low, found.mean.high) == pytest.approx(beta.ppf([0.025, 0.975], 20.5, 5.5), abs=0.004)
    assert found.best == 1.0


def test_a_clearly_better_prompt_is_surely_best_and_equals_share() -> None:
    clear = beta_summary({"a": {"s": (90, 100)}, "b": {"s": (50, 100)}}, rng(), DRAWS)
    assert clear["a"].best == 1.0
    equal = beta_summary({"a": {"s": (50, 100)}, "b": {"s": (50, 100)}}, rng(), 20_000)
    assert equal["a"].best == pytest.approx(0.5, abs=0.02)


@settings(deadline=None)
@given(st.dictionaries(st.sampled_from("abcd"), st.tuples(counts, counts), min_size=1))
def test_ranking_does_not_depend_on_order_and_probabilities_sum_to_one(
    by_prompt: dict[str, tuple[tuple[int, int], tuple[int, int]]],
) -> None:
    forward = {p: {"s": one, "t": two} for p, (one, two) in by_prompt.items()}
    backward = {p: {"t": two, "s": one} for p, (one, two) in reversed(by_prompt.items())}
    found = beta_summary(forward, rng(), DRAWS)
    assert found == beta_summary(backward, rng(), DRAWS)
    assert math.fsum(summary.best for summary in found.values()) == pytest.approx(1)
    for summary in found.values():
        assert summary.mean.low <= summary.mean.value <= summary.mean.high
        assert summary.worst.low <= summary.worst.value <= summary.worst.high
        assert summary.worst.value <= summary.mean.value + 1e-12


def test_a_prompt_that_a_site_did_not_score_is_not_ranked() -> None:
    with pytest.raises(ValueError, match="b has no score at site t"):
        beta_summary({"a": {"s": (1, 2), "t": (1, 2)}, "b": {"s": (1, 2)}}, rng())
    with pytest.raises(ValueError, match="no score at any site"):
        beta_summary({"a": {}}, rng())
    with pytest.raises(ValueError, match="needs cases"):
        beta_summary({"a": {"s": (0, 0)}}, rng())
    assert beta_summary({}, rng()) == {}
