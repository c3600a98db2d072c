"""One prompt, one case, one answer on the local model: the likeliest label with its probability, or the text."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from fedprompt.errors import PromptError
from fedprompt.evaluation.runs.likelihoods import LabelReading, adjusted, premises
from fedprompt.models.protocols import CausalModel, ChoiceQuery, Decoding, GenerateQuery
from fedprompt.models.registry import DEFAULT_MODEL, load
from fedprompt.prompts.prompt import Prompt
from fedprompt.prompts.template import Template
from fedprompt.prompts.tensors import Tensors
from fedprompt.study.labels import KEPT
from fedprompt.study.schema import Answer, Study
from fedprompt.workspace.workspace import Workspace

__all__ = ["Given", "LocalPrompt", "answer_case", "choose_label", "default_answer", "local_prompt", "model_name_of"]


@dataclass(frozen=True)
class Given:
    """``text``: the label, or what was written; ``probabilities``: label -> share, None for free text."""

    text: str
    probabilities: Mapping[str, float] | None
    tokens: int


@dataclass(frozen=True)
class LocalPrompt:
    """A prompt, how its answers are read, and the model that it runs on."""

    prompt: Prompt
    answer: Answer
    model: CausalModel

    @property
    def id(self) -> str:
        """The prompt's content id."""
        return self.prompt.id

    @property
    def name(self) -> str:
        """The name that it first came with."""
        return self.prompt.name

    @property
    def fields(self) -> tuple[str, ...]:
        """The fields that a case must have, in the order of the template."""
        return self.prompt.template.variables

    @property
    def shown(self) -> Prompt:
        """The prompt whose text is shown, and counted in tokens."""
        return self.prompt

    @property
    def shows_cases(self) -> bool:
        """Whether it shows a site's own cases, which a single case comes without."""
        return self.prompt.template.demonstrations is not None

    def run(self, fields: Mapping[str, str], decoding: Decoding | None = None) -> Given:
        """Answer one case, as :func:`answer_case` does."""
        return answer_case(self.model, self.prompt, fields, self.answer, decoding)


def local_prompt(ws: Workspace, reference: str) -> LocalPrompt:
    """Return a prompt of the bank, ready to run; ``reference``: an id, a beginning of one, or ``name@tag``.

    Raises:
        BankError: the bank holds no such prompt.
        ModelError: its model cannot be loaded, or is another one than what it was tuned for.
        AssetError: its model was not fetched yet.
    """
    prompt = ws.bank.prompt(reference)
    row = ws.bank.prompt_row(prompt.id)
    study = None if row.study is None else ws.bank.study(row.study).study
    model = load(model_name_of(ws, prompt, study), ws.home.path)
    if prompt.tuned is not None:
        prompt.tuned.check_model(model.info.digest, model.info.name, model.info.width)
    return LocalPrompt(prompt, default_answer(prompt) if study is None else study.answer, model)


def model_name_of(ws: Workspace, prompt: Prompt, study: Study | None) -> str:
    """Return the name of the model that a prompt is for: its study's, or any study's with that model."""
    if study is not None:
        return study.model
    if prompt.tuned is not None:
        for row in ws.bank.studies():
            if row.model_digest == prompt.tuned.model:
                return row.study.model
    return DEFAULT_MODEL


def default_answer(prompt: Prompt) -> Answer:
    """Return how answers are read where no study says: among the prompt's label words, or greedily as text."""
    labels = tuple(prompt.template.words or {})
    if len(labels) > 1:
        return Answer.model_validate({"type": "choice", "labels": labels}, context=KEPT)
    return Answer.model_validate({"type": "generate", "scorers": ["exact"]})


def answer_case(
    model: CausalModel,
    prompt: Prompt,
    fields: Mapping[str, str],
    answer: Answer,
    decoding: Decoding | None = None,
) -> Given:
    """Answer one case.

    Args:
        model: the local model.
        prompt: a template, or one with its soft prompt.
        fields: field -> text of the case.
        answer: how answers are read; a choice needs a word for each label.
        decoding: for free text, in place of the study's own.

    Raises:
        PromptError: a field is missing, or the prompt shows demonstrations, which a single case has none of.
        ModelError: it does not fit the model's window, or the soft prompt is for another model.
    """
    if prompt.template.demonstrations is not None:
        raise PromptError(
            f"prompt '{prompt.name}' shows a site's own examples, and this machine has none",
            code="sites-demonstrations",
        )
    if answer.type == "generate":
        rendered = prompt.template.render(fields)
        own = Decoding(answer.max_tokens, answer.stop, answer.temperature, answer.top_p, answer.seed)
        (written,) = model.generate([GenerateQuery(rendered, prompt.tuned)], decoding or own)
        return Given(written.text, None, written.tokens)
    return choose_label(model, prompt.template.with_words(answer.labels), prompt.tuned, fields, answer.labels, answer)


def choose_label(
    model: CausalModel,
    template: Template,
    tuned: Tensors | None,
    fields: Mapping[str, str],
    labels: Sequence[str],
    reading: LabelReading,
) -> Given:
    """Return the likeliest label of one case, the first of equals, and every label's share.

    Args:
        template: with a word for each label.
        tuned: what was tuned for it.
        reading: how label likelihoods are compared.

    Raises:
        PromptError: a field is missing.
        ModelError: it does not fit the model's window, or the soft prompt is for another model.
    """
    held = template.words or {}
    words = tuple(held[label] for label in labels)
    neutral = [template.render(dict.fromkeys(template.variables, text)) for text in premises(reading)]
    found = model.choices([ChoiceQuery(one, words, tuned) for one in (template.render(fields), *neutral)])
    sums = np.array(found.loglikelihoods)[:, None, :]
    lengths = np.array(found.lengths, dtype=np.float64)[:1, None, :]
    scores = adjusted(reading, sums[:1], lengths, [words], sums[1:] if neutral else None)[0, 0]
    shares = np.exp(scores - scores.max())
    shares = shares / shares.sum()
    probabilities = {label: float(share) for label, share in zip(labels, shares, strict=True)}
    return Given(labels[int(np.argmax(shares))], probabilities, found.tokens)
