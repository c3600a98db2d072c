"""One case is answered as a whole run answers it."""

from pathlib import Path

import numpy as np
import pytest

from fedprompt.errors import ExportError, PromptError
from fedprompt.exports.bundle import Bundle
from fedprompt.exports.protocol import ExportContext, Exported, Reading
from fedprompt.models.protocols import ChoiceQuery
from fedprompt.models.scripted import ScriptedModel
from fedprompt.prompts.prompt import Prompt
from fedprompt.prompts.template import Demonstrations, Template
from fedprompt.study.schema import Answer
from fedprompt.workspace.answers.answering import answer_case, default_answer
from fedprompt.workspace.exported import ExportedPrompts
from tests.coded import coded

WORDS = {"positive": " good indeed", "negative": " bad"}
PROMPT = Prompt(Template("t", text="{text} =", words=WORDS))
FIELDS = {"text": "a good day"}


def _sums(text: str) -> np.ndarray:
    query = ChoiceQuery(PROMPT.template.render({"text": text}), tuple(WORDS.values()))
    return ScriptedModel().choices([query]).loglikelihoods[0]


def _shares(scores: np.ndarray) -> dict[str, float]:
    weights = np.exp(scores - scores.max())
    return dict(zip(WORDS, (weights / weights.sum()).tolist(), strict=True))


@pytest.mark.parametrize("prior", ["none", "pmi"])
@pytest.mark.parametrize("normalise", ["none", "characters"])
def test_label_words_are_compared_as_the_study_says(prior: str, normalise: str) -> None:
    answer = Answer.model_validate({"type": "choice", "labels": tuple(WORDS), "prior": prior, "normalise": normalise})
    wanted = _sums("a good day") - (_sums("") if prior == "pmi" else 0)
    if normalise == "characters":
        wanted = wanted / np.array([len("good indeed"), len("bad")])
    found = answer_case(ScriptedModel(), PROMPT, FIELDS, answer)
    assert found.probabilities == pytest.approx(_shares(wanted))
    assert found.text == max(_shares(wanted), key=_shares(wanted).__getitem__)


def test_without_label_words_the_answer_is_text() -> None:
    prompt = Prompt(Template("t", text="{text} ="))
    found = answer_case(ScriptedModel(), prompt, FIELDS, default_answer(prompt))
    assert found.probabilities is None
    assert found.text


def test_demonstrations_and_missing_fields_are_said() -> None:
    shown = Prompt(Template("t", text="{demonstrations}{text}", words=WORDS, demonstrations=Demonstrations(1)))
    with pytest.raises(PromptError, check=coded("sites-demonstrations")):
        answer_case(ScriptedModel(), shown, FIELDS, default_answer(shown))
    with pytest.raises(PromptError, match="'text'", check=coded("field-missing")):
        answer_case(ScriptedModel(), PROMPT, {}, default_answer(PROMPT))


def test_an_exported_prompt_is_read_as_its_export_says(tmp_path: Path) -> None:
    reading = Reading(WORDS, "how", "accuracy", normalise="characters")
    context = ExportContext(None, "scripted", "")
    path = Bundle().write([Exported(PROMPT, "t", None, reading)], tmp_path / "b.zip", context)
    opened = ExportedPrompts.open(path, "scripted", tmp_path / "home")
    wanted = _shares(_sums("a good day") / np.array([len("good indeed"), len("bad")]))
    assert opened.answer(PROMPT.id, FIELDS).probabilities == pytest.approx(wanted)
    with pytest.raises(ExportError, match="p1:0", check=coded("no-such-prompt")):
        opened.answer("p1:0", FIELDS)
