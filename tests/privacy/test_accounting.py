"""The accountant: published figures, the Gaussian mechanism's closed form, and bounds that hold."""

import math

import pytest
from scipy.special import ndtr

from fedprompt.privacy.accounting import (
    Event,
    epsilon_of,
    least_noise,
    rightly_guessed,
    spent,
)


def analytic(epsilon: float, mu: float) -> float:
    """Return the Gaussian mechanism's delta (Balle and Wang 2018, arXiv 1805.06530, theorem 8)."""
    return float(ndtr(mu / 2 - epsilon / mu) - math.exp(epsilon) * ndtr(-mu / 2 - epsilon / mu))


@pytest.mark.parametrize("noise, count", [(1.0, 1), (4.0, 16), (2.0, 1), (10.0, 300)])
@pytest.mark.parametrize("delta", [1e-5, 1e-3])
def test_gaussians_cost_what_the_closed_form_says_and_never_less(noise: float, count: int, delta: float) -> None:
    found = epsilon_of([Event(noise, count=count)], delta)
    mu = math.sqrt(count) / noise
    assert analytic(found, mu) <= delta * (1 + 1e-9)
    assert analytic(found - 1e-3, mu) > delta


def test_published_figures_come_out_within_their_method() -> None:
    # Opacus, tests/accountants_test.py: Renyi's divergence, noise 1.5, rate 0.04, 2,250 steps.
    from dp_accounting import dp_event
    from dp_accounting.rdp import RdpAccountant

    orders = [1 + x / 10 for x in range(1, 100)] + [float(order) for order in range(12, 64)]
    renyi = RdpAccountant(orders)
    renyi.compose(dp_event.PoissonSampledDpEvent(0.04, dp_event.GaussianDpEvent(1.5)), 2250)
    assert renyi.get_epsilon(1e-5) == pytest.approx(7.32911117143, abs=1e-3)
    # The same by privacy loss distributions: Opacus' own upper bound is 6.7774, of which 0.01 is its error.
    ours = epsilon_of([Event(1.5, 0.04, 2250)], 1e-5)
    assert 6.7774 - 0.01 - 1e-3 <= ours <= 6.7774 + 1e-3


def test_what_is_told_is_never_below_what_a_finer_look_finds() -> None:
    from dp_accounting import dp_event
    from dp_accounting.pld import PLDAccountant

    events = [Event(2.0, 0.1, 40), Event(5.0)]
    finer = PLDAccountant(value_discretization_interval=5e-5)
    finer.compose(dp_event.PoissonSampledDpEvent(0.1, dp_event.GaussianDpEvent(2.0)), 40)
    finer.compose(dp_event.GaussianDpEvent(5.0))
    apart = epsilon_of(events, 1e-4) - float(finer.get_epsilon(1e-4))
    assert -1e-6 <= apart < 1e-3


def test_the_least_noise_keeps_the_budget_and_hardly_less_would_do() -> None:
    beside = (Event(10.0),)
    noise = least_noise(1.0, 1e-3, count=24, rate=0.1, beside=beside)
    assert noise is not None
    assert epsilon_of([*beside, Event(noise, 0.1, 24)], 1e-3) <= 1.0
    assert epsilon_of([*beside, Event(noise * 0.99, 0.1, 24)], 1e-3) > 1.0


def test_no_noise_is_enough_where_the_rest_has_spent_the_budget() -> None:
    assert least_noise(1.0, 1e-5, count=10, beside=(Event(1.0),)) is None


def test_a_guess_is_right_as_often_as_two_gaussians_are_told_apart() -> None:
    # Both as likely: Phi(mu / 2), by Neyman and Pearson.
    assert rightly_guessed([Event(2.0, count=4)]) == pytest.approx(ndtr(0.5), abs=1e-3)
    assert rightly_guessed([]) == 0.5
    assert 0.5 < rightly_guessed([Event(1.0, 0.01)]) < rightly_guessed([Event(1.0)])


def test_order_and_grouping_of_events_change_nothing() -> None:
    apart = [Event(3.0, 0.1, 3), Event(4.0), Event(3.0, 0.1, 5)]
    assert spent(apart, 1e-4) == spent([Event(4.0), Event(3.0, 0.1, 8)], 1e-4)


def test_events_and_deltas_out_of_range_are_refused() -> None:
    for bad in ({"noise": 0.0}, {"noise": math.inf}, {"noise": 1.0, "rate": 0.0}, {"noise": 1.0, "count": -1}):
        with pytest.raises(ValueError):
            Event(**bad)
    with pytest.raises(ValueError):
        epsilon_of([Event(1.0)], 0.0)
