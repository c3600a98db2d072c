"""Scorers and their registry."""

from dataclasses import dataclass

import pytest

from fedprompt.errors import DataError
from fedprompt.evaluation.scorers import Choice, Contains, Exact, Scored, register, scorer_named, scorer_names
from tests.coded import coded


@pytest.mark.parametrize(
    ("output", "answer", "value"),
    [
        (" Paris. ", "paris", 1.0),
        ("Stra\u00dfe", "STRASSE", 1.0),
        ("Paris, France", "paris", 0.0),
        ("", "paris", 0.0),
        ("paris", " . ", None),
    ],
)
def test_exact_compares_normalised_texts(output: str, answer: str, value: float | None) -> None:
    assert Exact().score(output, answer).value == value


def test_exact_characters_forgives_nothing() -> None:
    strict = scorer_named("exact-characters")
    assert strict.score("Paris", "Paris").value == 1.0
    assert strict.score("paris", "Paris").value == 0.0


@pytest.mark.parametrize(
    ("output", "answer", "value"),
    [
        ("I would say PARIS, France", "paris", 1.0),
        ("I know", "no", 0.0),
        ("it costs 3.50 (c++)", "c++", 1.0),
        (" ", "no", 0.0),
        ("no", " ", None),
    ],
)
def test_contains_finds_whole_words(output: str, answer: str, value: float | None) -> None:
    assert Contains().score(output, answer).value == value


def test_contains_finds_parts_of_words_when_told() -> None:
    assert Contains(whole_words=False).score("I know", "no").value == 1.0


def test_choice_has_no_value_without_a_prediction() -> None:
    assert Choice().score("positive", "positive").value == 1.0
    assert Choice().score("negative", "positive").value == 0.0
    assert Choice().score("", "positive") == Scored(None, "no label was predicted")
    assert Choice().score("positive", "").value is None


@pytest.mark.parametrize("name", ["exact", "contains", "choice"])
def test_a_reason_quotes_nothing(name: str) -> None:
    for output, answer in (("secret", "secret"), ("secret", "private"), ("", "private"), ("secret", "")):
        reason = scorer_named(name).score(output, answer).reason
        assert reason
        assert "secret" not in reason
        assert "private" not in reason


def test_an_unknown_scorer_suggests_the_nearest() -> None:
    with pytest.raises(DataError, match=r"'exakt'.*'exact'", check=coded("unknown-scorer")):
        scorer_named("exakt")


def test_a_name_is_registered_once() -> None:
    with pytest.raises(DataError, match="'exact'", check=coded("scorer-name-taken")):
        register(Exact())


def test_a_new_scorer_is_one_class_and_one_call(monkeypatch: pytest.MonkeyPatch) -> None:
    from fedprompt.evaluation.scorers import registry

    @dataclass(frozen=True)
    class Starts:
        name: str = "starts"

        def score(self, output: str, answer: str) -> Scored:
            return Scored(float(output.startswith(answer)), "compared the beginnings")

    monkeypatch.setattr(registry, "_known", dict(registry._known))
    register(Starts())
    assert "starts" in scorer_names()
    assert scorer_named("starts").score("yes it is", "yes").value == 1.0
