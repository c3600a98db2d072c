"""The playground runs each row by itself and says of each what is wrong with it."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from fedprompt.errors import JobError, ModelError, PromptError
from fedprompt.models.scripted import ScriptedModel
from fedprompt.prompts.prompt import Prompt
from fedprompt.prompts.template import Template
from fedprompt.study.schema import Answer, Study
from fedprompt.workspace.answering import answer_case
from fedprompt.workspace.bank_variants import bank_variant
from fedprompt.workspace.playground import RunRequest, run_playground
from fedprompt.workspace.workspace import Workspace
from tests.new_bank import new_workspace
from tests.scripted_sites import STUDY


@pytest.fixture
def ws(tmp_path: Path) -> Iterator[Workspace]:
    with new_workspace(tmp_path / "home") as workspace:
        yield workspace


def request(shown: Template, *texts: str, **more: Any) -> RunRequest:
    body = {
        "template": shown.canonical(),
        "rows": [{"text": text} for text in texts],
        "labels": ["positive", "negative"],
        "model": "scripted",
    }
    return RunRequest.parse(body | more)


PLAIN = Template("plain", text="{text}\nMood:")


def test_probabilities_sum_to_one_and_name_the_answer(ws: Workspace) -> None:
    (row,) = run_playground(ws, request(PLAIN, "a wonderful, lovely film")).rows
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
    (row,) = run_playground(ws, request(template, "a good day", **how)).rows
    answer = Answer.model_validate({"type": "choice", "labels": tuple(words), **how})
    wanted = answer_case(ScriptedModel(), Prompt(template), {"text": "a good day"}, answer)
    assert row.probabilities == wanted.probabilities and row.answer == wanted.text
    plain = run_playground(ws, request(template, "a good day")).rows[0]
    assert (row.probabilities == plain.probabilities) == (how == {"normalise": "none", "prior": "none"})


def test_a_chat_model_is_not_asked_for_likelihoods_that_it_does_not_give(ws: Workspace) -> None:
    with pytest.raises(JobError, match="length or prior"):
        run_playground(ws, request(PLAIN, "a good day", model="openai:x", prior="pmi"))


def test_a_prompt_of_the_bank_brings_its_studys_way_of_comparing_labels(ws: Workspace) -> None:
    answer = {"type": "choice", "labels": ["positive", "negative"], "prior": "pmi", "normalise": "tokens"}
    study = Study.model_validate({**STUDY.model_dump(mode="json"), "answer": answer})
    digest, prompt = study.digest("sha256:0"), Prompt(study.candidates()[0])
    ws.bank.record_study(study, digest, "sha256:0")
    ws.bank.record_prompt(prompt, study=digest, origin="study")
    variant = bank_variant(ws, prompt.id, "a")
    assert (variant.normalise, variant.prior) == ("tokens", "pmi")


def test_a_row_does_not_depend_on_its_neighbours(ws: Workspace) -> None:
    alone = run_playground(ws, request(PLAIN, "a bad film")).rows[0]
    among = run_playground(ws, request(PLAIN, "good", "a bad film", "fine")).rows[1]
    assert alone == among


def test_text_is_generated_when_asked(ws: Workspace) -> None:
    result = run_playground(ws, request(PLAIN, "a good film", generate=True, max_tokens=2, labels=[]))
    assert result.rows[0].generated
    assert result.rows[0].probabilities is None
    assert result.tokens == result.rows[0].tokens == 2


def test_one_bad_row_does_not_stop_the_others(ws: Workspace) -> None:
    rows = [{"text": "good"}, {"note": "good"}, {"text": "good " * 9000}]
    result = run_playground(ws, request(PLAIN, rows=rows))
    assert [row.error is None for row in result.rows] == [True, False, False]
    assert "'text'" in (result.rows[1].error or "")
    assert "window" in (result.rows[2].error or "")


def test_a_soft_prompt_from_the_bank_stands_in_the_slot(ws: Workspace) -> None:
    template = Template("soft", text="{text}{soft}\nMood:").with_words(["positive", "negative"])
    prompt = Prompt(template, ScriptedModel().text_init("terrible bad awful", 4))
    identity = ws.bank.record_prompt(prompt, study=None, origin="playground")
    with_soft = run_playground(ws, request(template, "a film", soft=identity)).rows[0]
    without = run_playground(ws, request(Template("plain", text="{text}\nMood:"), "a film")).rows[0]
    assert with_soft.error is None
    assert with_soft.probabilities != without.probabilities


def test_a_slot_without_a_soft_prompt_says_what_to_do(ws: Workspace) -> None:
    with pytest.raises(JobError, match="choose a soft prompt"):
        run_playground(ws, request(Template("soft", text="{text}{soft}:"), "a film"))


def test_braces_that_do_not_match_are_a_sentence(ws: Workspace) -> None:
    body = PLAIN.canonical() | {"text": "{text"}
    with pytest.raises(PromptError, match="braces"):
        run_playground(ws, request(PLAIN, "x", template=body))


def test_an_unknown_model_names_the_nearest(ws: Workspace) -> None:
    with pytest.raises(ModelError, match="did you mean 'scripted'"):
        run_playground(ws, request(PLAIN, "x", model="scriptted"))


@pytest.mark.parametrize(
    ("more", "words"),
    [
        ({"rows": []}, "no row to run"),
        ({"rows": [{"text": "x"}] * 1001}, "1,000 rows"),
        ({"colour": "red"}, "colour"),
        ({"max_tokens": 0}, "max_tokens"),
    ],
)
def test_a_malformed_request_is_refused(more: dict[str, Any], words: str) -> None:
    with pytest.raises(JobError, match=words):
        request(PLAIN, "x", **more)
