"""Random effects over sites against published trials and statsmodels."""

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from statsmodels.stats.meta_analysis import combine_effects

from fedprompt.evaluation.statistics.meta_analysis import random_effects

# Colditz et al. (1994), JAMA 271:698-702: tuberculosis in 13 trials of BCG vaccine;
# (ill, well) of the vaccinated and of the others.
BCG = [
    ((4, 119), (11, 128)),
    ((6, 300), (29, 274)),
    ((3, 228), (11, 209)),
    ((62, 13536), (248, 12619)),
    ((33, 5036), (47, 5761)),
    ((180, 1361), (372, 1079)),
    ((8, 2537), (10, 619)),
    ((505, 87886), (499, 87892)),
    ((29, 7470), (45, 7232)),
    ((17, 1699), (65, 1600)),
    ((186, 50448), (141, 27197)),
    ((5, 2493), (3, 2338)),
    ((27, 16886), (29, 17825)),
]


def test_random_effects_of_the_bcg_trials() -> None:
    estimates = [math.log(a / (a + b) / (c / (c + d))) for (a, b), (c, d) in BCG]
    variances = [1 / a - 1 / (a + b) + 1 / c - 1 / (c + d) for (a, b), (c, d) in BCG]
    found = random_effects(estimates, variances)
    assert found is not None
    # Log risk ratios as in Viechtbauer (2010), J. Statistical Software 36(3), who gives Q(12) = 152.2330,
    # so that I squared from Q is (152.2330 - 12) / 152.2330 = 0.92117.
    assert found.i2 == pytest.approx(0.92117, abs=1e-5)
    # The Paule-Mandel estimate with Hartung-Knapp, from statsmodels.
    oracle = combine_effects(np.array(estimates), np.array(variances), method_re="iterated", use_t=True)
    assert found.tau2 == pytest.approx(oracle.tau2, rel=1e-4)
    assert found.value == pytest.approx(oracle.mean_effect_re, rel=1e-5)
    assert (found.low, found.high) == pytest.approx(oracle.conf_int()[3], rel=1e-4)


@settings(deadline=None)
@given(
    st.lists(st.tuples(st.floats(0, 1), st.floats(1e-4, 1)), min_size=2, max_size=10),
    st.randoms(use_true_random=False),
)
def test_paule_mandels_equation_holds_and_order_changes_nothing(
    sites: list[tuple[float, float]], order: object
) -> None:
    found = random_effects([y for y, _ in sites], [v for _, v in sites])
    assert found is not None
    assert found.low <= found.value <= found.high
    assert min(y for y, _ in sites) - 1e-9 <= found.value <= max(y for y, _ in sites) + 1e-9
    q = sum((y - found.value) ** 2 / (v + found.tau2) for y, v in sites)
    if found.tau2 > 0:
        assert q == pytest.approx(len(sites) - 1, rel=1e-6)
    else:
        assert q <= len(sites) - 1 + 1e-9
    shuffled = list(sites)
    order.shuffle(shuffled)  # type: ignore[attr-defined]
    assert random_effects([y for y, _ in shuffled], [v for _, v in shuffled]) == found


def test_random_effects_need_two_sites_and_a_positive_variance() -> None:
    assert random_effects([], []) is None
    assert random_effects([0.5], [0.1]) is None
    with pytest.raises(ValueError, match="above zero"):
        random_effects([0.5, 0.6], [0.1, 0.0])
    with pytest.raises(ValueError, match="differ in length"):
        random_effects([0.5], [])
