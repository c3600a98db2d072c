"""Demonstrations are the tune split's first of each label in turn, and never the case that they are shown to."""

from collections.abc import Callable, Sequence

import pytest

from fedprompt.errors import DataError
from fedprompt.evaluation.cases import Case
from fedprompt.evaluation.runs.demonstrations import Demonstrated, Shown
from fedprompt.evaluation.runs.runner import fitted_query, run_prompts
from fedprompt.models.protocols import ChoiceQuery, ChoiceResult
from fedprompt.models.scripted import WINDOW, ScriptedModel
from fedprompt.prompts.prompt import Prompt
from fedprompt.prompts.template import Demonstrations, Template
from fedprompt.stopping import NEVER, StopToken
from fedprompt.study.schema import Answer
from tests.coded import coded

ANSWER = Answer(type="choice", labels=("yes", "no"))


def case(text: str, answer: str, group: str | None = None) -> Case:
    return Case({"text": text}, answer, group)


def template(count: int) -> Template:
    shown = Template("d", text="{demonstrations}Q: {text} A:", demonstrations=Demonstrations(count))
    return shown.with_words(ANSWER.labels)


def said(found: Demonstrated) -> list[tuple[str, str]]:
    return [(fields["text"], label) for fields, label in found]


TUNE = (case("n1", "no"), case("n2", "no"), case("y1", "yes"), case("n3", "no"))
OTHER = case("v1", "yes")


def test_they_are_the_tune_splits_first_of_each_label_in_turn() -> None:
    assert said(Shown(template(2), TUNE).to(OTHER)) == [("n1", "no"), ("y1", "yes")]
    # Where a label is used up, the others go on.
    assert said(Shown(template(4), TUNE).to(OTHER)) == [("n1", "no"), ("y1", "yes"), ("n2", "no"), ("n3", "no")]
    with pytest.raises(DataError, match=r"\b5\b.*\b4\b", check=coded("too-few-cases")):
        Shown(template(5), TUNE)
    assert Shown(Template("t", text="{text}"), []).to(OTHER) == ()


def test_a_tune_case_is_shown_others_and_the_rest_see_what_they_saw() -> None:
    shown = Shown(template(2), TUNE)
    assert said(shown.to(TUNE[0])) == [("n2", "no"), ("y1", "yes")]
    assert said(shown.to(TUNE[2])) == [("n1", "no"), ("n2", "no")]
    assert said(shown.to(TUNE[1])) == said(shown.to(OTHER))
    with pytest.raises(DataError, match=r"\b3\b", check=coded("too-few-cases")):
        Shown(template(4), TUNE).to(TUNE[0])


def test_a_duplicate_and_a_case_of_the_same_group_are_not_shown_either() -> None:
    tune = (case("A film", "no"), case("a  FILM", "yes"), case("x", "no", "anna"), case("y", "yes", "anna"), *TUNE)
    assert said(Shown(template(2), tune).to(tune[0])) == [("x", "no"), ("y", "yes")]
    assert said(Shown(template(4), tune).to(tune[2])) == [
        ("A film", "no"),
        ("a  FILM", "yes"),
        ("n1", "no"),
        ("y1", "yes"),
    ]


def test_a_case_that_is_cut_to_the_window_is_still_known_for_itself() -> None:
    long = case("word " * WINDOW, "yes")
    tune = (case("n1", "no"), long, case("y1", "yes"))
    prompt = Prompt(template(2))
    asked, cut = fitted_query(ScriptedModel(), prompt, long, ANSWER.labels, Shown(prompt.template, tune))
    assert cut and asked.rendered.text().startswith("Q: n1 A: no\n\nQ: y1 A: yes\n\nQ: word word")


def test_scoring_the_tune_split_shows_no_case_its_own_answer() -> None:
    asked: list[str] = []

    class Listening(ScriptedModel):
        def choices(
            self,
            queries: Sequence[ChoiceQuery],
            progress: Callable[[int, int], None] | None = None,
            *,
            stop: StopToken = NEVER,
        ) -> ChoiceResult:
            asked.extend(query.rendered.text() for query in queries)
            return super().choices(queries, progress)

    run_prompts(Listening(), [Prompt(template(1))], TUNE, ANSWER, TUNE)
    assert asked[0] == "Q: n2 A: no\n\nQ: n1 A:"
    assert asked[2] == "Q: n1 A: no\n\nQ: y1 A:"
