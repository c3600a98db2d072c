"""A text that does not fit loses its end and is counted; the template and the words stay whole."""

import pytest

from fedprompt.errors import ModelError
from fedprompt.evaluation.cases import Case
from fedprompt.evaluation.runs.fitting import fit
from fedprompt.evaluation.runs.runner import query, run_prompts
from fedprompt.models.protocols import ChoiceQuery
from fedprompt.models.scripted import WINDOW, ScriptedModel
from fedprompt.prompts.prompt import Prompt
from fedprompt.prompts.template import Template
from fedprompt.study.schema import Answer
from tests.coded import coded

LABELS = ("positive", "negative")
PROMPT = Prompt(Template("t", text="Title: {title}\nReview: {text}\nSentiment:").with_words(LABELS))
MODEL = ScriptedModel()


def make(case: Case) -> ChoiceQuery:
    return query(PROMPT, case, LABELS, ())


def test_the_longest_field_loses_its_end_and_no_more_than_it_must() -> None:
    case = Case({"title": "one", "text": "word " * WINDOW}, "positive")
    cut, clipped = fit(MODEL, make, case)
    assert clipped
    text = cut.rendered.text()
    assert text.startswith("Title: one\nReview: word word") and text.endswith("\nSentiment:")
    assert MODEL.length(cut.rendered, cut.words) == WINDOW


def test_a_case_that_fits_is_left_as_it_is() -> None:
    case = Case({"title": "one", "text": "short"}, "positive")
    assert fit(MODEL, make, case) == (make(case), False)
    # Longer than the window in bytes, yet not in tokens.
    long = Case({"title": "one", "text": "word " * (WINDOW // 3)}, "positive")
    assert fit(MODEL, make, long) == (make(long), False)


def test_room_for_soft_tokens_and_text_is_kept() -> None:
    case = Case({"title": "one", "text": "word " * WINDOW}, "positive")
    cut, _ = fit(MODEL, make, case, soft=100, room=50)
    assert MODEL.length(cut.rendered, cut.words, 100) == WINDOW - 50


def test_a_template_that_is_too_long_itself_is_refused_by_the_model() -> None:
    prompt = Prompt(Template("t", text="word " * WINDOW + "{text}").with_words(LABELS))
    cases = [Case({"text": "short"}, "positive")]
    with pytest.raises(ModelError, check=coded("window")):
        run_prompts(MODEL, [prompt], cases, Answer(type="choice", labels=LABELS))


def test_clipped_cases_are_counted_once_whatever_the_prompts() -> None:
    cases = [Case({"title": "one", "text": text}, "positive") for text in ("word " * WINDOW, "short")]
    other = Prompt(Template("o", text="{text} {title}").with_words(LABELS))
    _, cost = run_prompts(MODEL, [PROMPT, other], cases, Answer(type="choice", labels=LABELS))
    assert cost.clipped == 1


def test_two_long_fields_are_cut_to_one_length_and_a_short_one_stays_whole() -> None:
    both = Prompt(Template("t", text="{title}|{text}|{note}|").with_words(LABELS))
    case = Case({"title": "word " * WINDOW, "text": "word " * (2 * WINDOW), "note": "short"}, "positive")
    cut, clipped = fit(MODEL, lambda one: query(both, one, LABELS, ()), case)
    title, text, note, _ = cut.rendered.text().split("|")
    assert clipped and len(title) == len(text) and note == "short"
    assert WINDOW - 2 <= MODEL.length(cut.rendered, cut.words) <= WINDOW


def test_a_field_that_the_template_does_not_show_takes_no_room_from_those_it_shows() -> None:
    only = Prompt(Template("t", text="{title}").with_words(LABELS))
    case = Case({"title": "word " * WINDOW, "text": "word " * (2 * WINDOW)}, "positive")
    cut, clipped = fit(MODEL, lambda one: query(only, one, LABELS, ()), case)
    assert clipped and MODEL.length(cut.rendered, cut.words) == WINDOW
