"""Options are checked where a study is read; weight, threshold and negation are what the documents say they are."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fedprompt.errors import StudyError
from fedprompt.evaluation.scorers import Configured, Sample, Scored, complete_scorers, configure, weighted_mean
from fedprompt.evaluation.scorers.registry import OptionError, scorer_options, scorer_with
from fedprompt.study.files import parse_study
from fedprompt.study.schema import Answer, ScorerSpec, Study
from tests.coded import coded

HEAD = 'study: s\nfields: [text]\ntemplates: [{name: t, text: "{text}:"}]\n'


class Fixed:
    """Gives every output the value that it is told."""

    def __init__(self, value: float | None) -> None:
        self.name, self.value = "fixed", value

    def score(self, output: str, answer: str) -> Scored:
        return Scored(self.value, "as told")


def read(scorers: str) -> Study:
    return parse_study(f"{HEAD}answer: {{type: generate, scorers: {scorers}}}\n", "s.yaml", complete_scorers)


def value(scorer: Configured) -> float | None:
    return scorer.score_all([Sample("x", "y")])[0].value


def test_the_threshold_comes_before_the_negation() -> None:
    # 0.7 reaches 0.7, so it is 1, and negated 0; 0.69 does not, so it is 0, and negated 1.
    assert value(Configured("f", Fixed(0.7), threshold=0.7)) == 1.0
    assert value(Configured("f", Fixed(0.69), threshold=0.7)) == 0.0
    assert value(Configured("f", Fixed(0.7), threshold=0.7, negate=True)) == 0.0
    assert value(Configured("f", Fixed(0.25), negate=True)) == 0.75


@given(
    st.floats(0, 1) | st.none(),
    st.booleans(),
    st.none() | st.floats(0, 1, exclude_min=True),
)
def test_a_value_stays_between_0_and_1_and_absence_stays_absence(
    own: float | None, negate: bool, threshold: float | None
) -> None:
    found = value(Configured("f", Fixed(own), negate=negate, threshold=threshold))
    assert (found is None) == (own is None)
    if found is not None and own is not None:
        assert 0 <= found <= 1
        twice = value(Configured("f", Fixed(found), negate=negate))
        assert negate or twice == found


@given(st.lists(st.tuples(st.floats(0, 1), st.floats(0.01, 1000)), min_size=1, max_size=6))
def test_a_weighted_mean_lies_between_its_values(parts: list[tuple[float, float]]) -> None:
    scorers = [Configured(str(k), Fixed(v), weight=w) for k, (v, w) in enumerate(parts)]
    scored = {str(k): Scored(v, "") for k, (v, _) in enumerate(parts)}
    found = weighted_mean(scored, scorers)
    assert found is not None
    assert min(v for v, _ in parts) - 1e-9 <= found <= max(v for v, _ in parts) + 1e-9


def test_a_weighted_mean_by_hand_and_none_where_one_is_missing() -> None:
    scorers = [Configured("a", Fixed(1.0), weight=3), Configured("b", Fixed(0.5))]
    # (3 * 1 + 1 * 0.5) / 4
    assert weighted_mean({"a": Scored(1.0, ""), "b": Scored(0.5, "")}, scorers) == 0.875
    assert weighted_mean({"a": Scored(1.0, ""), "b": Scored(None, "")}, scorers) is None


def test_the_same_scorer_twice_has_two_labels() -> None:
    found = configure((ScorerSpec(name="exact"), ScorerSpec(name="exact", negate=True), ScorerSpec(name="contains")))
    assert [each.label for each in found] == ["exact", "exact 2", "contains"]


def test_a_study_names_scorers_bare_or_with_options() -> None:
    found = read('[exact, {name: regex, pattern: "[0-9]+", weight: 2, negate: true, threshold: 0.5}]').answer.scorers
    assert [(spec.name, spec.weight, spec.negate, spec.threshold) for spec in found] == [
        ("exact", 1.0, False, None),
        ("regex", 2.0, True, 0.5),
    ]
    assert found[0].options == {"normalised": True}
    assert found[1].options == {"pattern": "[0-9]+", "whole": False, "ignore_case": False, "compare": False}


def test_defaults_of_options_are_part_of_the_studys_digest() -> None:
    short, long = read("[exact]"), read("[{name: exact, normalised: true, weight: 1}]")
    assert short.digest("m") == long.digest("m") != read("[{name: exact, normalised: false}]").digest("m")
    assert Study.model_validate_json(short.model_dump_json()) == short


@pytest.mark.parametrize(
    ("scorers", "said"),
    [
        ("[exakt]", "answer.scorers.0.name: unknown scorer 'exakt', did you mean 'exact'"),
        ("[exact, {name: numeric, absolute: -1}]", "answer.scorers.1.absolute: Input should be greater"),
        ("[{name: numeric, tolerance: 1}]", "answer.scorers.0.tolerance: is not an option of the scorer 'numeric'"),
        ("[{name: token-f1, x: 1}]", "answer.scorers.0.x: is not an option of the scorer 'token-f1'; it has none"),
        ("[regex]", "answer.scorers.0.pattern: is missing"),
        ('[{name: regex, pattern: "("}]', "answer.scorers.0.pattern: is not a valid regular expression"),
        ("[{name: exact, weight: 0}]", "answer.scorers.0.weight: Input should be greater than 0"),
        ("[{name: exact, threshold: 1.5}]", "answer.scorers.0.threshold: Input should be less than or equal to 1"),
        ("[{name: exact, options: {normalised: true}, normalised: true}]", "'normalised' is given twice"),
        ("[{name: json-schema, schema: {type: strin}}]", "answer.scorers.0.schema: type: is not valid in JSON Schema"),
        ("[{name: judge, rubric: r, points: 0}]", "answer.scorers.0.points"),
        ("[]", "at least one scorer"),
        ("[5]", "answer.scorers.0: "),
    ],
)
def test_what_is_wrong_is_told_with_line_and_field(scorers: str, said: str) -> None:
    with pytest.raises(StudyError) as caught:
        read(scorers)
    assert said in str(caught.value)
    assert str(caught.value).startswith("s.yaml line 4")


def test_a_study_that_came_another_way_is_checked_before_a_word_is_written() -> None:
    with pytest.raises(StudyError, match=r"answer\.scorers\.0\.pattern", check=coded("option-missing")):
        configure(Answer(type="generate", scorers=("regex",)).scorers)


def test_long_options_are_refused() -> None:
    with pytest.raises(ValueError, match="longer than 50,000"):
        ScorerSpec(name="judge", options={"rubric": "x" * 50_001})


def test_options_are_made_again_from_what_is_stored() -> None:
    made = scorer_with("numeric", {"absolute": 0.5, "take": "first"})
    assert scorer_with("numeric", scorer_options(made)) == made
    with pytest.raises(OptionError, check=coded("unknown-scorer")):
        scorer_with("nothing", {})
