"""What an audit is about: a soft prompt, a template, an adapted prompt or a pack, and its study."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from fedprompt.adapting.combining import combined
from fedprompt.adapting.log_probabilities import normalised
from fedprompt.errors import FedPromptError
from fedprompt.evaluation.cases import Case
from fedprompt.evaluation.runs.label_scores import LabelAnswer, label_scores
from fedprompt.models.protocols import CausalModel
from fedprompt.prompts.adapted import Case as ShownCase
from fedprompt.prompts.head import Head
from fedprompt.prompts.prompt import Prompt
from fedprompt.stopping import NEVER, StopToken
from fedprompt.study.files import read_study
from fedprompt.study.schema import Study
from fedprompt.workspace.answers.adapted_answers import answer_of_adapted, encoder_for, head_tables, member_tables
from fedprompt.workspace.exchange.pack import read_pack
from fedprompt.workspace.workspace import Workspace

__all__ = ["Kind", "Subject", "subject_of"]

Kind = Literal["soft", "template", "adapted", "pack"]


@dataclass(frozen=True, eq=False)
class Subject:
    """``prompts`` with a weight each and a ``bias`` for each label; ``shown`` are cases that stand in it."""

    id: str
    name: str
    kind: Kind
    study: Study
    prompts: tuple[Prompt, ...]
    weights: tuple[float, ...]
    bias: tuple[float, ...]
    answer: LabelAnswer
    shown: tuple[ShownCase, ...] = ()
    head: Head | None = None

    def logs(
        self,
        home: Path,
        model: CausalModel,
        cases: Sequence[Case],
        tune: Sequence[Case],
        progress: Callable[[int, int], None],
        stop: StopToken = NEVER,
    ) -> NDArray[np.float64]:
        """Return [cases, labels] log-probabilities, as whoever holds it can compute them."""
        if self.kind in ("soft", "template"):
            found, _ = label_scores(model, self.prompts, cases, self.answer, tune, progress, stop=stop)
            table: NDArray[np.float64] = normalised(found[:, 0])
            return table
        tables, _ = member_tables(
            model, self.prompts, cases, self.answer, shown=self.shown, progress=progress, stop=stop
        )
        if self.head is not None:
            tables = np.concatenate([tables, head_tables(self.head, cases, encoder_for(home, self.head))])
        return combined(tables, np.array(self.weights), np.array(self.bias))


def subject_of(ws: Workspace, reference: str, *, pack: bool, study: Path | None) -> Subject:
    """Find what is to be audited.

    Args:
        reference: an id, a beginning of one, ``name@tag`` or an adapted prompt's name; with ``pack`` a pack.
        pack: whether it is a pack.
        study: the study's file, where the bank does not know it.

    Raises:
        FedPromptError: there is no such thing, no study is known, or its answers are free text.
    """
    given = None if study is None else read_study(study)
    if pack:
        opened = read_pack(ws, reference, study)
        known = _known(given or opened.study, reference)
        bias = (0.0,) * len(opened.pack.labels)
        weights = opened.pack.weights
        head = None if opened.pack.head is None else opened.pack.head.made
        answer = known.answer.model_copy(update={"labels": opened.pack.labels})
        return Subject(opened.pack.id, reference, "pack", known, opened.members, weights, bias, answer, head=head)
    if ws.bank.is_adapted(reference):
        row = ws.bank.adapted_row(reference)
        adapted = ws.bank.adapted(row)
        stored = None if row.study is None else ws.bank.study(row.study).study
        return Subject(
            row.id,
            row.name,
            "adapted",
            _known(given or stored, row.name),
            adapted.members,
            adapted.all_weights,
            adapted.bias,
            answer_of_adapted(ws, row),
            adapted.shown,
            adapted.head,
        )
    prompt = ws.bank.prompt(reference)
    digest = ws.bank.prompt_row(prompt.id).study
    stored = None if digest is None else ws.bank.study(digest).study
    known = _known(given or stored, prompt.name)
    kind: Kind = "template" if prompt.soft is None else "soft"
    flat = (0.0,) * len(known.answer.labels)
    return Subject(prompt.id, prompt.name, kind, known, (prompt,), (1.0,), flat, known.answer)


def _known(study: Study | None, name: str) -> Study:
    if study is None:
        raise FedPromptError(
            f"“{name}” came without a study, so neither its fields nor its labels are known here; give the study's "
            "file with --study",
            code="came-without-study",
        )
    if study.answer.type != "choice":
        raise FedPromptError(
            f"the study “{study.study}” asks for free text; only a choice among labels can be audited", code="free-text"
        )
    return study
