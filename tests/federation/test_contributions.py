"""What a site gave to a round is told from the kept updates alone, and the shares add up to the whole."""

from collections.abc import Sequence

import numpy as np
import pytest
from numpy.typing import NDArray

from fedprompt.federation.contributions import contributions
from fedprompt.strategies.registry import strategy_named
from fedprompt.strategies.strategy import Update
from fedprompt.study.strategies import filled_options

ZERO = np.zeros((1, 2), np.float32)


def by(name: str) -> object:
    def aggregate(updates: Sequence[Update]) -> NDArray[np.float64]:
        options = filled_options(name, {})
        return strategy_named(name).aggregate(ZERO, list(updates), options, {}).vectors.astype(np.float64)

    return aggregate


def updates(*rows: tuple[float, float]) -> list[Update]:
    return [Update(f"s{place}", np.array([row], np.float32), 10) for place, row in enumerate(rows)]


def test_shapley_values_add_up_to_what_all_are_worth() -> None:
    rng = np.random.default_rng(0)
    given = updates((1, 0.2), (1, -0.2), (0.8, 0.1), (-1, 0))
    found = contributions(given, by("fedavg"), rng, orders=400)  # type: ignore[arg-type]
    assert sum(one.value for one in found) == pytest.approx(1, abs=0.02)
    # Who goes against the others gives least.
    assert min(found, key=lambda one: one.value).site == "s3" and found[3].value < 0 < found[0].value


def test_of_two_sites_that_are_alike_each_gives_half() -> None:
    found = contributions(updates((1, 0), (1, 0)), by("fedavg"), np.random.default_rng(1), orders=2000)  # type: ignore[arg-type]
    # By hand: the first of an order brings 1, the second nothing; each is first half of the time.
    assert [one.value for one in found] == pytest.approx([0.5, 0.5], abs=0.05)
    assert [one.without for one in found] == pytest.approx([0, 0])


def test_what_a_step_is_worth_may_be_measured_otherwise() -> None:
    def right(step: NDArray[np.float64]) -> float:
        return float(step[0, 1] > 0)

    found = contributions(updates((1, 0.5), (1, -0.1)), by("fedavg"), np.random.default_rng(1), worth=right, orders=500)  # type: ignore[arg-type]
    # Alone the first is right, alone the second is wrong, together right: 1 - 0 and (1 - 1 + 0 - 0) / 2.
    assert [one.value for one in found] == pytest.approx([1, 0], abs=0.01)


def test_a_coalition_that_is_too_small_for_the_strategy_is_worth_nothing() -> None:
    found = contributions(updates((1, 0), (1, 0), (1, 0)), by("trimmed-mean"), np.random.default_rng(0), orders=30)  # type: ignore[arg-type]
    assert all(one.without == pytest.approx(1) for one in found)
