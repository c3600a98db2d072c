"""A pattern from a study is found, compared, and can do no harm."""

import pytest

from fedprompt.evaluation.scorers import Pattern, scorer_with
from fedprompt.evaluation.scorers.bounded_pattern import MAX_CHARS, PatternTimeout, compiled, finds
from fedprompt.evaluation.scorers.registry import OptionError


def test_a_pattern_is_found_anywhere_or_is_the_whole_output() -> None:
    assert Pattern(r"\d{4}").score("order 1234.", "").value == 1.0
    assert Pattern(r"\d{4}").score("order 12", "").value == 0.0
    assert Pattern(r"\d{4}", whole=True).score("order 1234", "").value == 0.0
    assert Pattern("YES", ignore_case=True).score("yes", "").value == 1.0


def test_what_is_found_is_compared_with_the_answer() -> None:
    scorer = Pattern(r"order (\w+)", compare=True)
    assert scorer.score("your order A12 came", " a12 ").value == 1.0
    assert scorer.score("your order B12 came", "a12").value == 0.0
    assert scorer.score("nothing", "a12").value == 0.0
    assert scorer.score("your order A12 came", " ").value is None
    assert Pattern(r"\d+", compare=True).score("it is 12", "12").value == 1.0
    assert Pattern(r"a(b)?", compare=True).score("a", "b").value == 0.0


def test_a_search_without_end_is_broken_off_and_is_no_zero() -> None:
    found = Pattern("(a+)+$").score("a" * 5000 + "!", "")
    assert (found.value, found.reason) == (None, "the pattern took too long")
    with pytest.raises(PatternTimeout):
        finds("(a+)+$", "a" * 5000 + "!", seconds=0.01)


@pytest.mark.parametrize(
    ("pattern", "said"),
    [
        ("((a{1000}){1000}){1000}", "multiply to more than 100,000"),
        ("a{99999999999}", "multiply to more than 100,000"),
        ("a{2,99999999999}", "multiply to more than 100,000"),
        ("(", "valid regular expression"),
        (r"\L<names>", "valid regular expression"),
        (r"\p{Nothing}", "valid regular expression"),
        ("(" * 490 + ")" * 490, "nested too deeply"),
        ("x" * (MAX_CHARS + 1), "at most 1000 characters"),
        ("", "at least 1 character"),
    ],
)
def test_a_pattern_that_takes_memory_or_is_none_is_refused(pattern: str, said: str) -> None:
    with pytest.raises(OptionError, match=said):
        scorer_with("regex", {"pattern": pattern})


def test_usual_counts_are_taken() -> None:
    assert compiled(r"[a-z]{1,63}\.[a-z]{2,63}").search("example.org")
    assert compiled(r"\d{4}-\d{2}-\d{2}").search("2024-01-31")
