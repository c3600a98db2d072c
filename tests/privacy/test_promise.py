"""What people read of a budget: a bound that follows from the accountant, and a cost that grows with the noise."""

import math

from fedprompt.privacy.plan import plan_of
from fedprompt.privacy.promise import noise_beside_update, promise_of
from tests.scripted_sites import study
from tests.study.test_dp import dp_study


def test_the_guess_is_the_accountants_and_less_privacy_says_a_higher_one() -> None:
    found = [promise_of(dp_study({"epsilon": epsilon})) for epsilon in (0.5, 2)]
    strict, loose = found
    assert strict is not None and loose is not None
    assert strict.tuning is not None and strict.scores is not None and loose.scores is not None
    assert 0.5 < strict.tuning < 0.62 and strict.scores < loose.scores
    assert loose.epsilon == loose.in_all == 2
    worst = math.ceil(100 * max(loose.scores, loose.tuning or 0))  # a bound is rounded up
    assert str(worst) in loose.sentence


def test_what_is_not_covered_is_said() -> None:
    found = promise_of(dp_study({"covers": ["scores"], "epsilon": 2}))
    assert found is not None and found.tuning is None and found.sentence.count("not cover") == 1  # wording


def test_noise_beside_the_update_falls_with_cases_and_sites() -> None:
    small, large = (plan_of(dp_study({"epsilon": 2, "cases": cases})) for cases in (30, 300))
    assert small is not None and large is not None
    assert noise_beside_update(small, 1000) > noise_beside_update(large, 1000)
    assert noise_beside_update(small, 1000, sites=16) * 2 == noise_beside_update(small, 1000, sites=4)


def test_a_study_without_a_budget_promises_nothing() -> None:
    assert promise_of(study()) is None
