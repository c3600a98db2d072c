"""Each method is fitted with the same prior over the members that it may use."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from fedprompt.adapting.class_bias import fit_bias
from fedprompt.adapting.combining import combined, pooled
from fedprompt.adapting.fitting import MemberKind, fit, with_home_members
from fedprompt.adapting.log_probabilities import normalised
from fedprompt.adapting.mixture import fit_mixture
from fedprompt.adapting.settings import AtN, Method
from tests.adapting.tables_drawn import Drawn, drawn

RNG = np.random.default_rng(5)
TABLES, ANSWERS = normalised(RNG.normal(size=(5, 12, 3))), RNG.integers(0, 3, 12)
TOWARDS = np.array([0.1, 0.2, 0.3, 0.2, 0.2])
KINDS: list[MemberKind] = ["template", "shared", "template", "own", "finished"]


def test_a_mixture_is_what_the_mixture_s_fit_makes_of_shared_prompts_and_templates() -> None:
    found = fit(AtN(n=12), TABLES, ANSWERS, TOWARDS, kinds=KINDS)
    part = np.array([0.1, 0.2, 0.3]) / 0.6
    alike = fit_mixture(TABLES[:3], ANSWERS, part, pull=12.0, precision=2.0)
    assert found.method == "mixture" and found.weights[3:].tolist() == [0.0, 0.0]
    assert np.allclose(found.weights[:3], alike.weights) and np.allclose(found.bias, alike.bias)
    own = fit(AtN(n=12, own=True), TABLES, ANSWERS, TOWARDS, kinds=KINDS)
    assert (own.weights > 0).all()


def test_a_bias_keeps_the_weights_that_came() -> None:
    found = fit(AtN(n=12, method="bias"), TABLES, ANSWERS, TOWARDS)
    assert np.allclose(found.weights, TOWARDS)
    assert np.allclose(found.bias, fit_bias(pooled(TABLES, TOWARDS), ANSWERS, precision=2.0))


@pytest.mark.parametrize(("method", "place"), [("alone", 3), ("finished", 4)])
def test_one_prompt_of_its_kind_is_taken_with_its_bias(method: Method, place: int) -> None:
    found = fit(AtN(n=12, method=method), TABLES, ANSWERS, TOWARDS, kinds=KINDS)
    assert found.method == method and found.weights[place] == 1.0
    assert np.allclose(found.bias, fit_bias(TABLES[place], ANSWERS, precision=2.0))
    # Where a site made none, what others share is what there is.
    assert fit(AtN(n=12, method=method), TABLES, ANSWERS, TOWARDS).method == "mixture"


def test_the_best_template_is_the_one_that_fits_unless_the_pull_outweighs_the_cases() -> None:
    right = np.full((12, 3), np.log(0.01))
    right[np.arange(12), ANSWERS] = np.log(0.98)
    tables = np.stack([right, TABLES[1], normalised(np.zeros((12, 3))), TABLES[3], TABLES[4]])
    for pull, place in ((0.0, 0), (6.0, 0), (1000.0, 2)):
        found = fit(AtN(n=12, method="template", pull=pull), tables, ANSWERS, TOWARDS, kinds=KINDS)
        # The third is ahead by pull x log(3) nats, and some 12 log(3) behind on the cases.
        assert found.weights[place] == 1.0


def test_without_a_case_the_weights_are_those_that_came_and_the_bias_the_one_that_was_given() -> None:
    empty, none = np.zeros((5, 0, 3)), np.zeros(0, np.int64)
    found = fit(AtN(n=0), empty, none, TOWARDS)
    assert np.allclose(found.weights, TOWARDS) and found.bias.tolist() == [0.0, 0.0, 0.0]
    found = fit(AtN(n=0), empty, none, TOWARDS, bias0=np.array([1.0, 0.0, -1.0]))
    assert found.bias.tolist() == [1.0, 0.0, -1.0]
    best = fit(AtN(n=0, method="template"), empty, none, TOWARDS, kinds=KINDS)
    assert best.weights.tolist() == [0.0, 0.0, 1.0, 0.0, 0.0]


def test_cases_move_the_bias_away_from_the_one_given_beforehand_only_as_far_as_they_say() -> None:
    given_before = np.array([2.0, 0.0, -2.0])
    strong = fit(AtN(n=12, precision=10_000), TABLES, ANSWERS, TOWARDS, bias0=given_before)
    assert np.allclose(strong.bias, given_before, atol=0.01)
    weak = fit(AtN(n=12, precision=0.01, method="bias"), TABLES, ANSWERS, TOWARDS, bias0=given_before)
    free = fit(AtN(n=12, precision=0.01, method="bias"), TABLES, ANSWERS, TOWARDS)
    assert np.allclose(weak.bias, free.bias, atol=0.1)


def test_what_a_site_made_itself_weighs_as_much_as_others_on_average() -> None:
    assert with_home_members(np.array([0.25, 0.75]), 2).tolist() == [0.125, 0.375, 0.25, 0.25]
    assert with_home_members(np.array([0.25, 0.75]), 0).tolist() == [0.25, 0.75]


def test_what_does_not_fit_is_refused() -> None:
    for kinds, bias in ((KINDS[:2], None), (None, np.zeros(2)), (None, np.array([np.nan, 0.0, 0.0]))):
        with pytest.raises(ValueError, match=r"kind|bias"):
            fit(AtN(n=12), TABLES, ANSWERS, TOWARDS, kinds=kinds, bias0=bias)


@given(drawn(), st.sampled_from(["template", "alone", "bias", "finished", "mixture"]), st.integers(0, 99))
def test_whatever_the_method_answers_are_finite_and_weights_on_the_simplex(
    case: Drawn, method: Method, seed: int
) -> None:
    kinds: list[MemberKind] = ["template", "shared", "own", "finished"]
    of = [kinds[one] for one in np.random.default_rng(seed).integers(0, 4, len(case.towards))]
    setting = AtN(n=len(case.answers), method=method, pull=case.pull, precision=case.precision)
    found = fit(setting, case.tables, case.answers, case.towards, kinds=of)
    assert abs(found.weights.sum() - 1) < 1e-9 and (found.weights >= 0).all()
    assert np.isfinite(combined(case.tables, found.weights, found.bias)).all()


def test_a_prompt_that_shows_cases_counts_where_it_pays_and_for_nothing_where_it_does_not() -> None:
    rng = np.random.default_rng(0)
    answers = np.arange(16) % 2
    weak = normalised(rng.normal(size=(2, 16, 2)) + 0.3 * np.eye(2)[answers])
    towards, kinds = np.array([0.35, 0.35, 0.3]), ["shared", "shared", "shown"]
    for strength, counts in ((3.0, True), (-3.0, False), (0.0, False)):
        told = normalised(strength * np.eye(2)[answers] + 0.5 * rng.normal(size=(16, 2)))
        found = fit(AtN(n=16), np.concatenate([weak, told[None]]), answers, towards, kinds=kinds)
        assert (found.weights[2] > 0.2) == counts and (found.weights[2] > 0) == counts
        plain = fit(AtN(n=16), weak, answers, np.array([0.5, 0.5]))
        assert counts or found.weights[:2] == pytest.approx(plain.weights)
