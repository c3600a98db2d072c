"""A number is read out of a text and compared exactly, within a tolerance."""

from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fedprompt.evaluation.scorers import Numeric


@pytest.mark.parametrize(
    ("text", "numbers"),
    [
        ("I have 3 apples and 1,234,567.50 pears", ["3", "1234567.50"]),
        ("minus \u22125 or +7", ["-5", "7"]),
        ("5-3", ["5", "3"]),
        (".5 and 1.5e3", [".5", "1500"]),
        ("12\u202f345 but 12 345", ["12345", "12", "345"]),
        ("1'000.5", ["1000.5"]),
        ("A2, x9 and none", []),
        ("1e99999", []),
        ("9" * 101, []),
        ("3.", ["3"]),
    ],
)
def test_numbers_are_read_as_people_write_them(text: str, numbers: list[str]) -> None:
    assert Numeric()._numbers(text) == [Decimal(number) for number in numbers]


def test_a_comma_may_be_the_point() -> None:
    assert Numeric(point=",")._numbers("1.234,5 und 6,25") == [Decimal("1234.5"), Decimal("6.25")]


def test_which_number_counts() -> None:
    text = "2 and 3 make 5"
    assert Numeric().score(text, "5").value == 1.0
    assert Numeric(take="first").score(text, "2").value == 1.0
    assert Numeric(take="only").score(text, "5").value == 0.0
    assert Numeric(take="only").score("it is 5", "5.0").value == 1.0
    assert Numeric().score("none", "5").value == 0.0


@pytest.mark.parametrize("answer", ["", "five", "2 or 3"])
def test_an_answer_that_is_not_one_number_cannot_be_judged(answer: str) -> None:
    assert Numeric().score("5", answer).value is None


def test_the_larger_tolerance_counts_and_its_edge_is_inside() -> None:
    # |98 - 100| = 2; a share of 1/64 is 1.5625, of 1/32 is 3.125; a share is of the answer's size, whatever its sign.
    assert Numeric(relative=1 / 64).score("98", "100").value == 0.0
    assert Numeric(relative=1 / 32).score("98", "100").value == 1.0
    assert Numeric(relative=0.03).score("98", "100").value == 1.0
    assert Numeric(absolute=2).score("98", "100").value == 1.0
    assert Numeric(absolute=1.5, relative=0.01).score("98", "100").value == 0.0
    assert Numeric(relative=0.03).score("-98", "-100").value == 1.0


def test_long_numbers_that_differ_in_the_last_digit_differ() -> None:
    assert Numeric().score("12345678901234567890", "12345678901234567891").value == 0.0


@given(st.integers(-(10**12), 10**12), st.integers(-(10**12), 10**12), st.integers(0, 10**12))
def test_within_the_tolerance_is_what_subtraction_says(found: int, wanted: int, absolute: int) -> None:
    scored = Numeric(absolute=absolute).score(f"it is {found:,}", str(wanted))
    assert scored.value == float(abs(found - wanted) <= absolute)
