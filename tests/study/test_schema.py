"""A study's digest is of what it means, defaults included; what a study may hold is closed."""

import pytest
from pydantic import ValidationError

from fedprompt.errors import PromptError, StudyError
from fedprompt.prompts.template import Demonstrations
from fedprompt.study.files import parse_study
from fedprompt.study.schema import Rounds, Study
from fedprompt.study.score import Score
from tests.coded import coded

SHORT = 'study: s\nfields: [text]\nanswer: {type: choice, labels: [a, b]}\ntemplates: [{name: t, text: "{text}:"}]\n'
MODEL = "sha256:" + "0" * 64


def test_defaults_are_written_into_the_digest() -> None:
    long = SHORT + (
        "model: smollm2-135m-instruct\nmetric: accuracy\ntuning: {steps: 8, batch: 16, lr: 0.01}\n"
        "rounds: {count: 4, deadline: auto, strategy: {name: fedavg, options: {}}}\n"
        "privacy: {min_cases: 30, min_cell: 5, replies: 10000, max_norm: auto}\n"
        "splits: {tune: 0.4, validation: 0.3, test: 0.3}\n"
    )
    assert parse_study(long).digest(MODEL) == parse_study(SHORT).digest(MODEL)


def test_comments_layout_and_order_of_keys_change_nothing() -> None:
    other = (
        "# what we ask\nfields:\n  - text   # one\nstudy: 's'\n\ntemplates:\n"
        "  - text: '{text}:'\n    name: t\nanswer:\n  labels: [a, b]\n  type: choice\n"
    )
    assert parse_study(other).digest(MODEL) == parse_study(SHORT).digest(MODEL)


@pytest.mark.parametrize(
    "change",
    [
        "tuning: {lr: 0.02}",
        "tuning: {prior_free: true}",
        "rounds: {count: 5}",
        "privacy: {min_cases: 31}",
        "splits: {tune: 0.5}",
        "model: scripted",
        'soft: {template: "{text}{soft}", init: x}',
        'soft: {messages: [{role: user, content: "{text}{soft}"}], init: x}',
    ],
)
def test_whatever_changes_the_work_changes_the_digest(change: str) -> None:
    assert parse_study(SHORT + change).digest(MODEL) != parse_study(SHORT).digest(MODEL)


def test_a_study_that_leaves_classes_shares_in_its_tuning_has_the_digest_it_had() -> None:
    assert parse_study(SHORT + "tuning: {prior_free: false}").digest(MODEL) == parse_study(SHORT).digest(MODEL)
    assert "prior_free" not in parse_study(SHORT).tuning.model_dump(mode="json")


def test_classes_shares_cannot_be_taken_out_where_tuning_is_not_over_classes() -> None:
    with pytest.raises(StudyError, match="prior_free"):
        parse_study(SHORT + "tuning: {prior_free: true, objective: vocabulary}")


def test_the_models_digest_is_part_of_the_studys() -> None:
    study = parse_study(SHORT)
    assert study.digest(MODEL) != study.digest("sha256:" + "1" * 64)
    assert study.digest(MODEL).startswith("s1:")


def test_a_study_cannot_be_changed() -> None:
    study = parse_study(SHORT)
    with pytest.raises(ValidationError, match="frozen"):
        study.study = "other"  # type: ignore[misc]


def test_candidates_have_a_word_for_every_label() -> None:
    (template,) = parse_study(SHORT).candidates()
    assert template.words == {"a": " a", "b": " b"}


def test_a_study_without_a_slot_has_nothing_to_tune() -> None:
    with pytest.raises(PromptError, check=coded("no-soft-part")):
        parse_study(SHORT).soft_template()


def test_a_study_comes_back_from_its_json() -> None:
    study = parse_study(SHORT + 'soft: {template: "{text}{soft}", init: x}')
    assert Study.model_validate_json(study.model_dump_json()) == study


CHAT = 'soft: {init: x, messages: [{role: system, content: "{soft}"}, {role: user, content: "%s{text}"}]%s}'
SHOWN = CHAT % ("{demonstrations}", ", demonstrations: {count: 2}")


def test_a_soft_part_of_one_text_says_nothing_of_messages_in_what_its_digest_is_over() -> None:
    study = parse_study(SHORT + 'soft: {template: "{text}{soft}", init: x}')
    assert study.model_dump(mode="json")["soft"] == {
        "template": "{text}{soft}",
        "tokens": 8,
        "init": "x",
        "words": None,
    }


def test_a_slot_may_stand_in_a_message_with_demonstrations_beside_it() -> None:
    study = parse_study(SHORT + SHOWN)
    template = study.soft_template()
    assert template.is_chat and template.has_soft and template.demonstrations == Demonstrations(2)
    assert template.words == {"a": "a", "b": "b"}  # a turn of its own: no space before the word
    assert Study.model_validate_json(study.model_dump_json()) == study
    assert "template" not in study.model_dump(mode="json")["soft"]
    assert study.digest(MODEL) != parse_study(SHORT + CHAT % ("", "")).digest(MODEL)


def score(**changes: object) -> Score:
    body = {
        "prompt": "p1:" + "0" * 32,
        "split": "validation",
        "metric": "accuracy",
        "n": 3,
        "total": 2.0,
        "squares": 2.0,
        "groups": 3,
        "group_squares": 0.5,
        "confusion": ((1, 1), (0, 1)),
    }
    return Score.model_validate({**body, **changes})


def test_a_scores_value_is_the_mean_and_absence_is_not_zero() -> None:
    assert score().value == pytest.approx(2 / 3)
    none = score(n=0, total=0.0, squares=0.0, groups=0, group_squares=0.0, confusion=())
    assert none.value is None


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"confusion": ((1, 1), (1, 1))}, "does not add up"),
        ({"confusion": ((1, 1, 1),)}, "not square"),
        ({"groups": 4}, "more groups"),
        ({"total": 4.0}, "more groups or correct answers"),
        ({"prompt": "p1:abc"}, "prompt"),
        ({"total": float("nan")}, "finite"),
        ({"note": "Mrs Smith"}, "Extra inputs"),
    ],
)
def test_a_score_that_does_not_add_up_is_refused(changes: dict[str, object], said: str) -> None:
    with pytest.raises(ValidationError, match=said):
        score(**changes)


@pytest.mark.parametrize(
    ("count", "scored", "wanted"),
    [
        (4, None, (1, 2, 3, 4)),
        (4, 9, (1, 2, 3, 4)),
        (16, 4, (4, 8, 12, 16)),
        (5, 2, (3, 5)),
        (7, 3, (3, 5, 7)),
        (3, 1, (3,)),
    ],
)
def test_rounds_that_are_scored_are_spread_evenly_and_the_last_is_one_of_them(
    count: int, scored: int | None, wanted: tuple[int, ...]
) -> None:
    rounds = Rounds(count=count, scored=scored)
    assert rounds.scored_of(count) == wanted and rounds.looks == len(wanted)


@pytest.mark.parametrize("beside", [{"patience": 1}, {"strategy": {"name": "fedbuff"}}])
def test_some_rounds_alone_are_scored_only_where_nothing_needs_all(beside: dict[str, object]) -> None:
    with pytest.raises(ValidationError):
        Rounds.model_validate({"scored": 2, **beside})


def test_a_study_that_has_every_round_scored_has_the_digest_it_had() -> None:
    assert "scored" not in Rounds().model_dump()
