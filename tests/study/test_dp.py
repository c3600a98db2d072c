"""What a study's ``dp`` may say, what it refuses, and that leaving it out changes nothing."""

from typing import Any

import pytest
import yaml
from pydantic import ValidationError

from fedprompt.errors import StudyError
from fedprompt.privacy.accounting import epsilon_of
from fedprompt.privacy.plan import plan_of
from fedprompt.study.schema import Study
from tests.coded import coded
from tests.scripted_sites import TEXT, study


def dp_study(dp: dict[str, Any] | None = None, **changes: Any) -> Study:
    """Return a study with a budget, parts of it changed; ``None`` takes a part out."""
    body = yaml.safe_load(TEXT)
    body["templates"] = body["templates"][:2]
    body["privacy"] = {"min_cases": 10}
    body["dp"] = {"epsilon": 8, "cases": 30, **(dp or {})}
    for name, part in changes.items():
        body[name] = {**body.get(name, {}), **part} if isinstance(part, dict) else part
    return Study.model_validate({name: part for name, part in body.items() if part is not None})


def test_a_study_without_it_has_the_digest_that_it_had() -> None:
    body = yaml.safe_load(TEXT)
    assert "dp" not in Study.model_validate(body).model_dump(mode="json")
    assert dp_study().digest("m") != dp_study({"epsilon": 7}).digest("m")


@pytest.mark.parametrize(
    "bad",
    [
        {"epsilon": 0},
        {"epsilon": -1},
        {"epsilon": float("inf")},
        {"epsilon": float("nan")},
        {"epsilon": 1000},
        {"delta": 0},
        {"delta": 1},
        {"delta": 0.04},  # above 1 / cases
        {"cases": 1},
        {"clip": 0},
        {"clip": float("inf")},
        {"covers": []},
        {"covers": ["tuning", "tuning"]},
        {"in_all": 7},
        {"unit": "site"},
        {"cases": 9},  # fewer than min_cases
        {"noise": 1},
    ],
)
def test_budgets_that_are_none_are_refused(bad: dict[str, Any]) -> None:
    with pytest.raises(ValidationError):
        dp_study(bad)


@pytest.mark.parametrize(
    "other",
    [
        {"worth": {"n": [8]}},
        {"rounds": {"personal": {}}},
        {"privacy": {"updates": 9}},
        {"privacy": {"details": "all"}},
        {"tuning": {"prior_free": True}},
        {"templates": yaml.safe_load(TEXT)["templates"]},  # one shows demonstrations
    ],
)
def test_what_would_leave_without_noise_is_refused_beside_it(other: dict[str, Any]) -> None:
    with pytest.raises(ValidationError, match=r"dp|noise|demonstrations|covers"):
        dp_study(None, **other)


def test_delta_follows_from_the_number_of_cases_unless_it_is_said() -> None:
    auto, said = dp_study().dp, dp_study({"delta": 1e-5}).dp
    assert auto is not None and said is not None
    assert auto.at_delta == pytest.approx(30**-1.1) and said.at_delta == 1e-5
    assert auto.lifetime == 8 and auto.longest == 1


def test_a_step_may_draw_fewer_cases_than_min_cases_since_the_bound_is_on_the_data() -> None:
    assert dp_study(tuning={"steps": 1, "batch": 4}).tuning.batch == 4


def test_the_plan_keeps_the_budget_split_by_split() -> None:
    plan = plan_of(dp_study({"epsilon": 2}))
    assert plan is not None and plan.steps == 4 and plan.rate == pytest.approx(8 / 30)
    for events in plan.events.values():
        assert 1.9 < epsilon_of(events, 30**-1.1) <= 2.0
    assert plan.covers("tune") and plan.covers("test")


def test_of_a_group_more_is_hidden_so_that_counts_carry_more_noise() -> None:
    case, group = (plan_of(dp_study({"epsilon": 2, "unit": unit})) for unit in ("case", "group"))
    assert case is not None and group is not None
    assert group.count == pytest.approx(4 * case.count) and group.step == case.step
    assert group.of_counts(3) == case.of_counts(3)


def test_what_is_not_covered_has_no_plan() -> None:
    plan = plan_of(dp_study({"covers": ["scores"], "epsilon": 2}))
    assert plan is not None and not plan.covers("tune") and set(plan.events) == {"validation", "test"}
    assert plan_of(study()) is None


def test_tuning_that_does_not_take_place_is_not_covered() -> None:
    with pytest.raises(ValidationError):
        dp_study({"covers": ["tuning"]}, soft=None)


def test_a_budget_that_no_noise_keeps_is_refused() -> None:
    asked = dp_study({"epsilon": 1e-4, "delta": 1e-12, "scores": 100_000})
    with pytest.raises(StudyError, check=coded("privacy-not-kept")):
        plan_of(asked)
