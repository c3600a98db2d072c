"""One answer of an adapted prompt: its members are asked about the case together, and their answers are combined.

Invariant: every answer of an adapted prompt, whoever asks, is combined here. All members go through the model in one
call, so that what they share of a case is computed once.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from fedprompt.adapting.combining import combined
from fedprompt.adapting.heads import head_table
from fedprompt.adapting.log_probabilities import normalised
from fedprompt.bank.rows import AdaptedRow
from fedprompt.errors import ModelError, PromptError
from fedprompt.evaluation.cases import Case
from fedprompt.evaluation.runs.demonstrations import Demonstrated
from fedprompt.evaluation.runs.label_scores import LabelAnswer, RunCost, label_scores
from fedprompt.evaluation.runs.score_cache import ScoreCache
from fedprompt.models.protocols import CausalModel, Decoding, Encoder
from fedprompt.models.registry import load
from fedprompt.prompts.adapted import Adapted
from fedprompt.prompts.head import Head, text_of
from fedprompt.prompts.prompt import Prompt
from fedprompt.stopping import NEVER, StopToken
from fedprompt.study.labels import KEPT
from fedprompt.study.schema import Answer
from fedprompt.verbs.head import ENCODER_DIGEST
from fedprompt.workspace.answers.answering import Given, LocalPrompt, local_prompt, model_name_of
from fedprompt.workspace.workspace import Workspace

__all__ = [
    "LocalAdapted",
    "adapted_answer",
    "answer_adapted",
    "answer_of_adapted",
    "check_members",
    "encoder_for",
    "head_tables",
    "local_adapted",
    "member_tables",
    "model_of_adapted",
    "runnable",
]


@dataclass(frozen=True)
class LocalAdapted:
    """An adapted prompt, how its answers are read, the model that its members run on, and its head's encoder."""

    adapted: Adapted
    name: str
    answer: Answer
    model: CausalModel
    encoder: Encoder | None = None

    @property
    def id(self) -> str:
        """Its content id."""
        return self.adapted.id

    @property
    def fields(self) -> tuple[str, ...]:
        """The fields that a case must have, those of the first member first."""
        return self.adapted.fields

    @property
    def shown(self) -> Prompt:
        """The prompt whose text is shown, and counted in tokens: the member that counts most."""
        return self.adapted.heaviest

    @property
    def shows_cases(self) -> bool:
        """Whether it shows a site's own cases that are not here: those that a member shows it holds itself."""
        return False

    def run(self, fields: Mapping[str, str], decoding: Decoding | None = None) -> Given:
        """Answer one case; ``decoding`` is of free text, and has no effect.

        Raises:
            PromptError: a field is missing.
            ModelError: it does not fit the model's window, or a soft prompt is for another model.
        """
        return answer_adapted(self.model, self.adapted, fields, self.answer, self.encoder)


def runnable(ws: Workspace, reference: str) -> LocalPrompt | LocalAdapted:
    """Return a prompt or an adapted prompt of the bank, ready to run.

    Args:
        ws: the workspace.
        reference: an id, a beginning of one, ``name@tag``, or an adapted prompt's name.

    Raises:
        BankError: the bank holds neither.
        ModelError: its model cannot be loaded, or is another one than its soft prompts were tuned for.
        AssetError: its model was not fetched yet.
    """
    return local_adapted(ws, reference) if ws.bank.is_adapted(reference) else local_prompt(ws, reference)


def local_adapted(ws: Workspace, reference: str) -> LocalAdapted:
    """Return an adapted prompt, ready to run; ``reference``: its name, its id or a beginning of the id.

    Raises:
        BankError: the bank holds no such adapted prompt.
        ModelError: its model cannot be loaded, or is another one than its soft prompts were tuned for.
        AssetError: its model was not fetched yet.
    """
    row = ws.bank.adapted_row(reference)
    adapted = ws.bank.adapted(row)
    model = load(model_of_adapted(ws, row, adapted), ws.home.path)
    check_members(adapted.members, model)
    return LocalAdapted(adapted, row.name, answer_of_adapted(ws, row), model, encoder_for(ws.home.path, adapted.head))


def model_of_adapted(ws: Workspace, row: AdaptedRow, adapted: Adapted) -> str:
    """Return the name of the model that an adapted prompt's members run on."""
    if row.study is not None:
        return ws.bank.study(row.study).study.model
    if isinstance(name := row.about.get("model"), str):
        return name
    return model_name_of(ws, next((one for one in adapted.members if one.soft is not None), adapted.members[0]), None)


def answer_of_adapted(ws: Workspace, row: AdaptedRow) -> Answer:
    """Return how its members' answers are read: as its study says, else as its pack said."""
    if row.study is not None:
        return ws.bank.study(row.study).study.answer.model_copy(update={"labels": row.labels})
    said = {name: value for name in ("normalise", "prior") if isinstance(value := row.about.get(name), str)}
    return adapted_answer(row.labels, **said)


def check_members(members: Sequence[Prompt], model: CausalModel) -> None:
    """Refuse a model that a member was not tuned for.

    Raises:
        ModelMismatch: the digests differ.
    """
    for member in members:
        if member.soft is not None:
            member.soft.check_model(model.info.digest, model.info.name, model.info.width)


def adapted_answer(labels: Sequence[str], normalise: str = "none", prior: str = "none") -> Answer:
    """Return how members' answers are read where no study says.

    Args:
        labels: in the order of the bias.
        normalise: what a label's likelihood is divided by.
        prior: what is taken off it.
    """
    body = {"type": "choice", "labels": tuple(labels), "normalise": normalise, "prior": prior}
    return Answer.model_validate(body, context=KEPT)


def encoder_for(home: Path, head: Head | None) -> Encoder | None:
    """Return the sentence encoder that a head reads by, loaded; None where there is no head.

    Raises:
        AssetError: it was not fetched yet.
        ModelError: it cannot be loaded, or is another one than the head was made with.
    """
    if head is None:
        return None
    if head.encoder != ENCODER_DIGEST:
        raise ModelError(
            f"the head was made with another sentence encoder ({head.encoder[:19]}) than fedprompt has "
            f"({ENCODER_DIGEST[:19]}); update fedprompt, or adapt again",
            code="another-encoder",
        )
    from fedprompt.models.sentence_encoder import load_encoder

    return load_encoder(home)


def head_tables(head: Head, cases: Sequence[Case], encoder: Encoder | None) -> NDArray[np.float64]:
    """Return a head's log-probabilities of each case, [1, cases, labels].

    Raises:
        ModelError: there is no encoder, or its vectors have another width.
        PromptError: a case lacks a field.
    """
    if encoder is None or encoder.width != head.directions.shape[1]:
        raise ModelError(
            "the sentence encoder of the head is not installed; run 'fedprompt assets pull'", code="assets-not-ready"
        )
    vectors = encoder.encode([text_of(case.fields, head.fields) for case in cases])
    return head_table(head.weights, head.directions, vectors)[None]


def answer_adapted(
    model: CausalModel,
    adapted: Adapted,
    fields: Mapping[str, str],
    reading: LabelAnswer,
    encoder: Encoder | None = None,
) -> Given:
    """Return the likeliest label of one case, the first of equals, and every label's share.

    Args:
        encoder: the sentence encoder, where the adapted prompt has a head.

    Raises:
        PromptError: a field is missing.
        ModelError: it does not fit the model's window, or a soft prompt is for another model.
    """
    if missing := [name for name in adapted.fields if name not in fields]:
        raise PromptError(
            f"the case has no field '{missing[0]}'; the adapted prompt needs {', '.join(adapted.fields)}",
            code="field-missing",
        )
    tables, cost = member_tables(model, adapted.members, [Case(fields, "")], reading, shown=adapted.shown, cut=False)
    if adapted.head is not None:
        tables = np.concatenate([tables, head_tables(adapted.head, [Case(fields, "")], encoder)])
    shares = np.exp(combined(tables, np.array(adapted.all_weights), np.array(adapted.bias))[0])
    probabilities = {label: float(share) for label, share in zip(adapted.labels, shares, strict=True)}
    return Given(adapted.labels[int(np.argmax(shares))], probabilities, cost.tokens)


def member_tables(
    model: CausalModel,
    members: Sequence[Prompt],
    cases: Sequence[Case],
    reading: LabelAnswer,
    *,
    shown: Demonstrated = (),
    cache: ScoreCache | None = None,
    progress: Callable[[int, int], None] | None = None,
    group: int = 64,
    cut: bool = True,
    stop: StopToken = NEVER,
) -> tuple[NDArray[np.float64], RunCost]:
    """Return the members' log-probabilities of each case, [members, cases, labels], and what they took.

    Args:
        reading: the labels, in the order of the tables, and how likelihoods are compared.
        shown: the cases that a member with demonstrations shows.
        cache: the site's own, so that what was computed before is not computed again.
        progress: hears (done, total), in parts of the work.
        group: how many cases go through the model before what it said is kept.
        cut: whether a case that is too long for the model loses its end; else it is refused.
        stop: looked at between two batches; what is in the cache stays.

    Raises:
        PromptError: a case lacks a field.
        ModelError: a prompt does not fit the model's window or was tuned for another model.
        DataError: the cache cannot be written.
    """
    worded = [Prompt(one.template.with_words(reading.labels), one.soft) for one in members]
    scores, cost = label_scores(
        model, worded, cases, reading, progress=progress, cache=cache, group=group, cut=cut, shown=shown, stop=stop
    )
    return np.moveaxis(normalised(scores), 1, 0), cost
