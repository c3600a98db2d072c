"""For any number of labelled cases there is a setting, and none lies outside its bounds."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from fedprompt.adapting.settings import DEFAULT_SETTINGS, AtN, Settings

SOME = Settings(at=(AtN(n=0, method="bias"), AtN(n=4), AtN(n=16, pull=1.0)))


@pytest.mark.parametrize(("n", "taken"), [(0, 0), (1, 4), (4, 4), (8, 4), (9, 16), (16, 16), (9999, 16)])
def test_the_nearest_on_a_logarithmic_scale_is_taken_and_none_apart(n: int, taken: int) -> None:
    # 8 is as far from 4 as from 16: the smaller of equals.
    assert SOME.for_n(n).n == taken


@given(st.integers(0, 10**6))
def test_every_number_of_cases_has_a_default_that_mixes(n: int) -> None:
    found = DEFAULT_SETTINGS.for_n(n)
    precision = 0.5 if n <= 5 else 1.0  # 5 is nearer to 4 than to 8 on a logarithmic scale
    assert (found.method, found.precision, found.pull, found.own) == ("mixture", precision, 12.0, False)
    assert Settings(at=(AtN(n=0),)).for_n(n).n == 0


@pytest.mark.parametrize(
    "bad",
    [
        {"at": []},
        {"at": [{"n": 4}, {"n": 4}]},
        {"at": [{"n": 8}, {"n": 4}]},
        {"at": [{"n": -1}]},
        {"at": [{"n": 1, "precision": 0}]},
        {"at": [{"n": 1, "pull": float("nan")}]},
        {"at": [{"n": 1, "pull": 1e9}]},
        {"at": [{"n": 1, "steps": 100_000}]},
        {"at": [{"n": 1, "rate": 2}]},
        {"at": [{"n": 1, "mu": -1}]},
        {"at": [{"n": 1, "share": 1.5}]},
        {"at": [{"n": 1, "method": "best"}]},
        {"at": [{"n": 1, "more": 1}]},
        {"at": [{"n": n} for n in range(51)]},
    ],
)
def test_what_is_out_of_its_range_is_refused(bad: dict[str, object]) -> None:
    with pytest.raises(ValidationError):
        Settings.model_validate(bad)
