"""``distil``: one soft prompt that answers as an adapted prompt of several does, for formats that hold one prompt.

It starts from the soft prompt among the members that answers most alike, and is tuned on texts of the home towards the
probabilities of them all. A fifth of the texts is kept aside, and how alike the answers are there is told. Nothing
leaves; the result is an adapted prompt of one member, ``STUDY@NAME``.
"""

import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from fedprompt.adapting.combining import combined
from fedprompt.adapting.distilling import distil as tune_towards
from fedprompt.adapting.distilling import faithfulness, nearest_member
from fedprompt.adapting.fitting import Fitted
from fedprompt.adapting.folds import stratified_folds
from fedprompt.adapting.log_probabilities import normalised
from fedprompt.bank.tags import split_tag
from fedprompt.errors import PromptError, TuningError
from fedprompt.evaluation.cases import input_key
from fedprompt.evaluation.column_map import BY_NAME, Columns
from fedprompt.prompts.adapted import Adapted
from fedprompt.prompts.origins import TUNED
from fedprompt.prompts.prompt import Prompt
from fedprompt.stopping import NEVER, StopToken
from fedprompt.tuning.metered import prepare_template
from fedprompt.tuning.settings import settings_by_themselves
from fedprompt.workspace.acting import needs
from fedprompt.workspace.answers.adapted_answers import (
    answer_of_adapted,
    head_tables,
    local_adapted,
    member_tables,
)
from fedprompt.workspace.as_json import as_json
from fedprompt.workspace.local.home_cases import home_cases
from fedprompt.workspace.progress import Progress, Report, quiet
from fedprompt.workspace.workspace import Workspace

__all__ = ["DistilResult", "distil"]

LEAST = 10  # texts: eight to tune on and two to look at
ASIDE = 5  # one of so many parts is looked at
PRECISION = 1.0  # of how far the bias moves from the adapted prompt's
BATCH = 16
# What is known of the source that holds of the one prompt too; how the source answers does not.
OF_THE_SOURCE = ("n", "counts", "unlabelled", "study", "digest", "pack", "donors", "model", "normalise", "prior")


@dataclass(frozen=True)
class DistilResult:
    """What was made: ``adapted`` is its id, ``name`` its name, ``prompt`` the one soft prompt that it asks.

    ``alike`` of ``looked_at`` texts that it was not tuned on get the same answer as before; ``divergence`` is how far
    the probabilities are apart there, in nats. ``bias``: label -> what is added to its log-probability.
    """

    adapted: str
    name: str
    source: str
    prompt: str
    members: int
    texts: int
    looked_at: int
    alike: int
    divergence: float
    bias: Mapping[str, float]
    steps: int
    sentence: str
    seconds: float


@needs("tune")
def distil(
    ws: Workspace,
    *,
    adapted: str,
    data: Path | None = None,
    unlabelled: Path | None = None,
    name: str = "one",
    steps: int = 60,
    rate: float = 0.01,
    words: Mapping[str, str] | None = None,
    columns: Columns = BY_NAME,
    report: Report = quiet,
    stop: StopToken = NEVER,
) -> DistilResult:
    """Tune one soft prompt towards an adapted prompt of several members, and keep it as ``STUDY@NAME``.

    Args:
        ws: the workspace.
        adapted: the adapted prompt's name, its id or a beginning of the id.
        data: a file of labelled cases, whose labels are not looked at.
        unlabelled: a file of texts.
        name: what the result is called behind the study's name and ``@``.
        steps: how many are taken.
        rate: the learning rate at its highest.
        words: what the file calls a class -> the adapted prompt's label.
        columns: what was said of the files' columns.
        report: hears how far it is.
        stop: looked at before each step.

    Raises:
        FedPromptError: the adapted prompt, a file or the name cannot be used; says what to do.
    """
    began = time.monotonic()
    report(Progress("distil", "reading the adapted prompt"))
    row, whole = ws.bank.adapted_row(adapted), ws.bank.adapted(adapted)
    answer = answer_of_adapted(ws, row)
    study, _ = split_tag(row.name)
    shown = "@".join(split_tag(f"{study}@{name}"))
    soft = [place for place, one in enumerate(whole.members) if one.soft is not None]
    single = len(whole.members) < 2 and whole.head is None
    if not soft or single:
        why = "already has one prompt" if single else "has only templates, which cannot be tuned"
        raise PromptError(f"'{row.name}' {why}; export it as it is", code="nothing-to-distil")
    if answer.normalise != "none" or answer.prior != "none":
        raise PromptError(
            f"'{row.name}' corrects likelihoods by 'normalise' or 'prior', but tuning does not; export it as a bundle",
            code="read-otherwise",
        )
    home = home_cases(data, unlabelled, fields=whole.fields, labels=whole.labels, columns=columns, words=words)
    texts = list({input_key(case): case for case in (*home.cases, *home.texts)}.values())
    if len(texts) < LEAST:
        raise TuningError(
            f"distilling needs at least {LEAST} different texts, but there are {len(texts)}; give more with "
            "--unlabelled",
            code="too-few-texts",
        )
    report(Progress("distil", "loading its model"))
    local = local_adapted(ws, row.id)  # after the files, so that what is wrong with them is told at once
    model = local.model
    tables, _ = member_tables(model, whole.members, texts, answer, shown=whole.shown, stop=stop)
    if whole.head is not None:
        tables = np.concatenate([tables, head_tables(whole.head, texts, local.encoder)])
    mixture = Fitted(np.array(whole.all_weights), np.array(whole.bias), "mixture")
    wanted = combined(tables, mixture.weights, mixture.bias)
    aside = stratified_folds(wanted.argmax(axis=1), ASIDE, np.random.default_rng(0)) == 0
    start = whole.members[soft[nearest_member(tables[soft], _of_soft(mixture, soft))]]
    assert start.soft is not None
    kept = [text for text, out in zip(texts, aside, strict=True) if not out]
    unsaid = np.zeros(len(kept), dtype=np.int64)
    tokens, template = start.soft.tokens, start.template
    objective = prepare_template(model, template, tokens, whole.labels, kept, unsaid, stop=stop)

    def told(step: int, _: float) -> None:
        left = (time.monotonic() - first) / step * (steps - step)
        report(Progress("distil", f"step {step} of {steps}", step, steps, left))

    first = time.monotonic()
    settings = settings_by_themselves(steps, BATCH, rate)
    rng = np.random.default_rng(0)
    found = tune_towards(
        objective,
        start.soft,
        settings,
        mixture,
        tables[:, ~aside],
        precision=PRECISION,
        rng=rng,
        progress=told,
        stop=stop,
    )
    one = Prompt(template, found.soft)
    made = Adapted((one,), (1.0,), whole.labels, tuple(found.bias.tolist()))
    looked = [text for text, out in zip(texts, aside, strict=True) if out]
    answered, _ = member_tables(model, (one,), looked, answer, stop=stop)
    seen = faithfulness(wanted[aside], normalised(answered[0] + found.bias))
    assert seen.alike is not None and seen.divergence is not None
    alike = round(seen.alike * seen.cases)
    result = DistilResult(
        adapted=made.id,
        name=shown,
        source=row.name,
        prompt=one.id,
        members=len(whole.members),
        texts=len(texts),
        looked_at=seen.cases,
        alike=alike,
        divergence=round(seen.divergence, 6),
        bias=dict(zip(made.labels, made.bias, strict=True)),
        steps=steps,
        sentence=f"on {seen.cases} texts not used for tuning, the one prompt gives the same answer as the "
        f"{len(whole.members)} prompts of '{row.name}' for {alike}",
        seconds=round(time.monotonic() - began, 3),
    )
    ws.bank.record_prompt(one, study=row.study, origin=TUNED.key, parents=[start.id] if start.id in row.members else [])
    known = {key: row.about[key] for key in OF_THE_SOURCE if key in row.about}
    ws.bank.record_adapted(made, name=shown, study=row.study, about={**known, **as_json(result), "distilled": row.id})
    return result


def _of_soft(mixture: Fitted, soft: list[int]) -> Fitted:
    weights: NDArray[np.float64] = np.maximum(mixture.weights[soft], 1e-9)
    return Fitted(weights / weights.sum(), mixture.bias, mixture.method)
