"""A variant answers each row by itself and says of each what is wrong with it."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from fedprompt.models.scripted import ScriptedModel
from fedprompt.prompts.prompt import Prompt
from fedprompt.prompts.template import Template
from fedprompt.study.schema import Answer, Study
from fedprompt.workspace.answers.answering import answer_case
from fedprompt.workspace.answers.variants import bank_variant
from fedprompt.workspace.playground.trials import TrialCell
from fedprompt.workspace.workspace import Workspace
from tests.new_bank import new_workspace
from tests.scripted_sites import STUDY
from tests.workspace.answered import answered


@pytest.fixture
def ws(tmp_path: Path) -> Iterator[Workspace]:
    with new_workspace(tmp_path / "home") as workspace:
        yield workspace


def answers(ws: Workspace, shown: Template, *texts: str, **more: Any) -> list[TrialCell]:
    return answered(ws, variant(shown) | more, [{"text": text} for text in texts])


def variant(shown: Template) -> dict[str, Any]:
    return {"template": shown.canonical(), "labels": ["positive", "negative"], "model": "scripted"}


PLAIN = Template("plain", text="{text}\nMood:")


def test_probabilities_sum_to_one_and_name_the_answer(ws: Workspace) -> None:
    (row,) = answers(ws, PLAIN, "a wonderful, lovely film")
    assert row.probabilities is not None
    assert sum(row.probabilities.values()) == pytest.approx(1.0)
    assert row.answer == max(row.probabilities, key=lambda label: (row.probabilities or {})[label]) == "positive"
    assert row.text == "a wonderful, lovely film\nMood:"
    assert row.generated is None


@pytest.mark.parametrize("prior", ["none", "pmi", "contextual"])
@pytest.mark.parametrize("normalise", ["none", "tokens", "characters"])
def test_labels_are_compared_as_python_and_serve_compare_them(ws: Workspace, prior: str, normalise: str) -> None:
    words = {"positive": " good indeed", "negative": " bad"}
    template = Template("worded", text="{text}\nMood:", words=words)
    how = {"normalise": normalise, "prior": prior}
    (row,) = answers(ws, template, "a good day", **how)
    answer = Answer.model_validate({"type": "choice", "labels": tuple(words), **how})
    wanted = answer_case(ScriptedModel(), Prompt(template), {"text": "a good day"}, answer)
    assert row.probabilities == wanted.probabilities and row.answer == wanted.text
    (plain,) = answers(ws, template, "a good day")
    assert (row.probabilities == plain.probabilities) == (how == {"normalise": "none", "prior": "none"})


def test_a_chat_model_is_not_asked_for_likelihoods_that_it_does_not_give(ws: Workspace) -> None:
    (row,) = answers(ws, PLAIN, "a good day", model="openai:x", prior="pmi")
    assert row.error and row.code == "needs-whole-likelihoods"


def test_a_prompt_of_the_bank_brings_its_studys_way_of_comparing_labels(ws: Workspace) -> None:
    answer = {"type": "choice", "labels": ["positive", "negative"], "prior": "pmi", "normalise": "tokens"}
    study = Study.model_validate({**STUDY.model_dump(mode="json"), "answer": answer})
    digest, prompt = study.digest("sha256:0"), Prompt(study.candidates()[0])
    ws.bank.record_study(study, digest, "sha256:0")
    ws.bank.record_prompt(prompt, study=digest, origin="study")
    found = bank_variant(ws, prompt.id, "a")
    assert (found.normalise, found.prior) == ("tokens", "pmi")


def test_a_row_does_not_depend_on_its_neighbours(ws: Workspace) -> None:
    (alone,) = answers(ws, PLAIN, "a bad film")
    among = answers(ws, PLAIN, "good", "a bad film", "fine")[1]
    assert alone.model_copy(update={"row": 1, "seconds": among.seconds}) == among


def test_text_is_generated_when_asked(ws: Workspace) -> None:
    (row,) = answers(ws, PLAIN, "a good film", generate=True, max_tokens=2, labels=[])
    assert row.generated
    assert row.probabilities is None
    assert row.tokens == 2


def test_one_bad_row_does_not_stop_the_others(ws: Workspace) -> None:
    good, other, long = answered(ws, variant(PLAIN), [{"text": "good"}, {"note": "good"}, {"text": "good " * 9000}])
    assert (good.error, good.code) == (None, None)
    assert "'text'" in (other.error or "") and other.code == "field-missing"
    assert long.error and long.code == "window"


def test_a_soft_prompt_from_the_bank_stands_in_the_slot(ws: Workspace) -> None:
    template = Template("soft", text="{text}{soft}\nMood:").with_words(["positive", "negative"])
    prompt = Prompt(template, ScriptedModel().text_init("terrible bad awful", 4))
    identity = ws.bank.record_prompt(prompt, study=None, origin="playground")
    (with_soft,) = answers(ws, template, "a film", soft=identity)
    (without,) = answers(ws, PLAIN, "a film")
    assert with_soft.error is None
    assert with_soft.probabilities != without.probabilities


def test_a_slot_without_a_soft_prompt_says_what_to_do(ws: Workspace) -> None:
    (row,) = answers(ws, Template("soft", text="{text}{soft}:"), "a film")
    assert row.error and row.code == "soft-slot-open"


def test_braces_that_do_not_match_are_a_sentence(ws: Workspace) -> None:
    body = PLAIN.canonical() | {"text": "{text"}
    (row,) = answers(ws, PLAIN, "x", template=body)
    assert row.error and row.code == "braces"


def test_an_unknown_model_names_the_nearest(ws: Workspace) -> None:
    (row,) = answers(ws, PLAIN, "x", model="scriptted")
    assert "'scripted'" in (row.error or "") and row.code == "unknown-model"
