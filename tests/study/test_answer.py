"""What an answer may be: decoding within bounds, scorers for free text alone, no soft prompt for it yet."""

import pytest
from pydantic import ValidationError

from fedprompt.errors import StudyError
from fedprompt.study.files import Misfit, parse_study
from fedprompt.study.schema import Answer, ScorerSpec, Study
from tests.coded import coded

FREE = 'study: s\nfields: [text]\nanswer: {type: generate, scorers: [exact]}\ntemplates: [{name: t, text: "{text}:"}]\n'


def test_text_is_greedy_and_ends_at_an_empty_line_unless_told() -> None:
    answer = parse_study(FREE).answer
    assert (answer.temperature, answer.top_p, answer.seed, answer.stop) == (0.0, 1.0, 0, ("\n\n",))


@pytest.mark.parametrize(
    "wrong",
    [
        {"temperature": -0.1},
        {"temperature": float("nan")},
        {"top_p": 0},
        {"top_p": 1.01},
        {"seed": -1},
        {"stop": [""]},
        {"stop": ["x"] * 17},
        {"max_tokens": 0},
        {"max_tokens": 4097},
        {"scorers": ["exact"] * 17},
    ],
)
def test_decoding_stays_within_bounds_and_the_field_is_named(wrong: dict[str, object]) -> None:
    with pytest.raises(ValidationError, match=next(iter(wrong))):
        Answer.model_validate({"type": "generate", "scorers": ["exact"], **wrong})


def test_scorers_judge_free_text_alone() -> None:
    with pytest.raises(ValidationError, match="scorers judge free text"):
        Answer(type="choice", labels=("a", "b"), scorers=("exact",))


def test_a_bare_name_and_a_mapping_are_one_scorer() -> None:
    answer = Answer(type="generate", scorers=("exact", {"name": "exact"}, ScorerSpec(name="exact")))
    assert len(set(map(repr, answer.scorers))) == 1


def test_options_are_folded_and_come_back_from_json() -> None:
    spec = ScorerSpec.model_validate({"name": "regex", "pattern": "x", "weight": 2})
    assert (spec.weight, spec.options) == (2.0, {"pattern": "x"})
    assert ScorerSpec.model_validate_json(spec.model_dump_json()) == spec


@pytest.mark.parametrize("wrong", [{"weight": 1}, {"name": "x", "options": 5}, {"name": "x", "Bad Name": 1}, 5, None])
def test_what_is_no_scorer_is_refused(wrong: object) -> None:
    with pytest.raises(ValidationError):
        ScorerSpec.model_validate(wrong)


def test_a_soft_prompt_for_free_text_is_refused_at_its_line() -> None:
    with pytest.raises(StudyError, match=r"s\.yaml line 5, soft", check=coded("does-not-fit")):
        parse_study(FREE + 'soft: {template: "{text}{soft}", init: x}\n', "s.yaml")


def test_what_completes_a_study_is_heard_with_line_and_field() -> None:
    def refuse(study: Study) -> Study:
        raise Misfit(("templates", 0, "text"), "is not nice")

    with pytest.raises(StudyError, match=r"s\.yaml line 4, templates\.0\.text", check=coded("does-not-fit")):
        parse_study(FREE, "s.yaml", refuse)
    assert parse_study(FREE, "s.yaml", lambda study: study) == parse_study(FREE)
