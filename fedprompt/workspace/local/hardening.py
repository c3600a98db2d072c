"""``harden``: a soft prompt made into words on this site's own cases, and what of its accuracy the words keep.

Words are chosen on the ``tune`` split. What they keep is told on ``validation``, beside the soft prompt, its plain
projections and the best template written by hand, each difference paired over the same cases. Nothing leaves.
"""

import time
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path

import numpy as np

from fedprompt.bank.filters import Filter
from fedprompt.errors import FedPromptError, ModelError
from fedprompt.evaluation.column_map import BY_NAME, Columns
from fedprompt.evaluation.runs.label_pairs import label_pairs
from fedprompt.evaluation.runs.runner import PromptRun, run_prompts, to_score
from fedprompt.evaluation.scorers import judged_by
from fedprompt.evaluation.statistics.comparisons import Compared, compare_with
from fedprompt.models.protocols import CausalModel
from fedprompt.models.registry import load
from fedprompt.models.vocabulary import Worded
from fedprompt.prompts.ids import canonical_json, content_id
from fedprompt.prompts.origins import HARDENED, STUDY
from fedprompt.prompts.prompt import Prompt
from fedprompt.stopping import NEVER, StopToken
from fedprompt.study.schema import Study
from fedprompt.tuning.hardening import Searched, SearchSettings, project, search_words
from fedprompt.tuning.word_objective import WordObjective, Words, with_words
from fedprompt.workspace.as_json import INLINE, as_json, from_json
from fedprompt.workspace.cases.own_cases import OWN_SITE, OwnCases, own_cases
from fedprompt.workspace.cases.site_of_file import contents_digest
from fedprompt.workspace.progress import Report, quiet
from fedprompt.workspace.results.points import points
from fedprompt.workspace.results.shown import ShownScore, shown_score
from fedprompt.workspace.results.told_apart import all_pairs
from fedprompt.workspace.timing import Clock
from fedprompt.workspace.workspace import Workspace

__all__ = ["CASES", "FLUENCY", "STEPS", "AgainstSoft", "HardRow", "Hardened", "Search", "Weighed", "harden"]

STEPS = 40
FLUENCY = 0.01
CASES = 64  # of the tune split, on which words are measured; the split's order is keyed, so the first are any
POORLY, UNEVENLY = 7.0, 5.0  # nats a token; plain English is at 3 to 4


@dataclass(frozen=True)
class AgainstSoft:
    """A prompt less the soft one, over ``n`` cases, as a share of 1, with its 95 % interval.

    ``p`` is of this test, ``p_adjusted`` corrected for the number of prompts.
    """

    n: int
    difference: float
    low: float
    high: float
    distinguishable: bool
    test: str
    p: float
    p_adjusted: float


@dataclass(frozen=True)
class HardRow:
    """A prompt's score on validation, beside the soft prompt's; ``against_soft`` is None of that one itself."""

    prompt: str
    name: str
    text: str
    score: ShownScore = field(metadata=INLINE)
    against_soft: AgainstSoft | None


@dataclass(frozen=True)
class Weighed:
    """Words as the search weighs them: mean loss and surprise in nats, and the objective that is both."""

    loss: float
    surprise: float
    objective: float


@dataclass(frozen=True)
class Search:
    """The search for words: ``steps`` taken, ``cases`` measured on, and where it stood at its start and end."""

    steps: int
    cases: int
    start: Weighed
    end: Weighed


@dataclass(frozen=True)
class Hardened:
    """The ``prompt`` in words that was made ``from_`` a soft one, and what it keeps, also in a ``sentence``.

    ``validation`` has a row each for ``soft``, ``cosine``, ``euclid``, ``words`` and, where there is one, ``manual``.
    """

    prompt: str
    from_: str
    study: str
    model: str
    words: str
    template: str
    validation: Mapping[str, HardRow]
    search: Search
    sentence: str
    seconds: float
    run: str


def harden(
    ws: Workspace,
    prompt: str,
    data: Path,
    *,
    columns: Columns = BY_NAME,
    steps: int = STEPS,
    fluency: float = FLUENCY,
    seed: int = 0,
    report: Report = quiet,
    stop: StopToken = NEVER,
) -> Hardened:
    """Make a soft prompt of the bank into words, and keep the template that they give.

    A run that was stopped goes on at its step: the same prompt, data, settings and seed are the same run.

    Args:
        ws: the workspace.
        prompt: its id, a unique beginning of it, or ``name@tag``.
        data: this site's cases.
        columns: what was said of the file's columns.
        steps: at most so many steps of the search; 0 keeps the better projection.
        fluency: what a nat of the words' own surprise a token weighs against a nat of loss.
        seed: of the search and of the intervals.
        report: hears how far it is.
        stop: looked at before each step; the steps that were taken are kept.

    Raises:
        FedPromptError: no soft prompt, no study, or answers that are not a choice.
        DataError, ModelError, TuningError: says where and what to do.
    """
    began = time.monotonic()
    soft = ws.bank.prompt(prompt)
    study, digest = _study_of(ws, soft)
    clock = Clock(report, {"load": 3.0, "project": 5.0, "search": 3.0 * steps, "validation": 20.0}, stop)
    with clock.stage("load", f"loading {study.model}"):
        model = load(study.model, ws.home.path)
    if not isinstance(model, Worded) or soft.soft is None:
        raise ModelError(
            f"{study.model} has no vocabulary to search; harden a prompt of a language model",
            code="no-vocabulary",
        )
    soft.soft.check_model(model.info.digest, model.info.name, model.info.width)
    own = own_cases(ws, study, Path(study.study), data, columns, "validation")
    tune = own.splits.tune
    objective = WordObjective(
        model,
        model.vocabulary,
        soft.template,
        tune[:CASES],
        study.answer,
        tokens=soft.soft.tokens,
        fluency=fluency,
        tune=tune,
        stop=stop,
    )
    search = SearchSettings(steps, seed)
    settings = {"prompt": soft.id, "fluency": fluency, "search": asdict(search)}
    settings["contents"] = contents_digest(own.folder, [*tune, *own.chosen])
    run = content_id("r1", canonical_json({"kind": "harden", "study": digest, "settings": settings}))
    machine = asdict(model.info.settings)
    row = ws.bank.start_run(run, kind="harden", study=digest, settings={**settings, "machine": machine})
    if row.result is not None:
        return from_json(Hardened, row.result)
    with clock.stage("project", "finding the words nearest to the vectors"):
        cosine, euclid = (project(model.vocabulary, soft.soft.vectors, by) for by in ("cosine", "euclid"))
        projected = objective.measure([cosine, euclid])
    start = min(projected, key=lambda one: one.objective)
    with clock.stage("search", "searching for better words"):
        found = search_words(
            model.vocabulary,
            objective,
            _resumed(ws, run, start),
            search,
            lambda here: _stepped(ws, run, clock, here, search),
            stop,
        )
    name = f"{soft.name}, in words"
    prompts = {
        key: Prompt(with_words(soft.template, model.vocabulary.spelt(tokens), name))
        for key, tokens in (("cosine", cosine), ("euclid", euclid), ("words", found.words.tokens))
    }
    with clock.stage("validation", f"{len(own.chosen)} validation cases"):
        manual = [Prompt(template) for template in study.candidates()]
        runs = _validated(model, study, own, [soft, *prompts.values(), *manual], clock)
    best = max(manual, key=lambda one: float(np.nanmean(runs[one.id].values)), default=None)
    rows = _rows(runs, {"soft": soft, **prompts, **({} if best is None else {"manual": best})}, study, own, seed)
    hard = prompts["words"]
    result = Hardened(
        prompt=hard.id,
        from_=soft.id,
        study=study.study,
        model=study.model,
        words=model.vocabulary.spelt(found.words.tokens),
        template=hard.template.text or "\n".join(one.content for one in hard.template.messages or ()),
        validation=rows,
        search=Search(found.step, len(objective), _weighed(start), _weighed(found.words)),
        sentence=_sentence(rows, found.words.surprise),
        seconds=round(time.monotonic() - began, 3),
        run=run,
    )
    notes = {"hardened_from": soft.id, "words": result.words, "kept": result.sentence}
    ws.bank.record_prompt(hard, study=digest, origin=HARDENED.key, parents=[soft.id], notes=notes)
    for one in manual:
        ws.bank.record_prompt(one, study=digest, origin=STUDY.key)
    _record(ws, run, digest, study, model, own, [runs[one.id] for one in (soft, hard, *manual)])
    ws.bank.finish_run(run, as_json(result))
    return result


def _study_of(ws: Workspace, prompt: Prompt) -> tuple[Study, str]:
    if prompt.soft is None:
        raise FedPromptError(
            f"“{prompt.name}” is already text; choose a soft prompt to harden", code="words-of-its-own"
        )
    digest = ws.bank.prompt_row(prompt.id).study
    if digest is None:
        raise FedPromptError(
            f"“{prompt.name}” has no study here, so its fields and labels are unknown; harden it in the bank "
            "where it was tuned, or merge that bank ('fedprompt bank merge')",
            code="came-without-study",
        )
    study = ws.bank.study(digest).study
    if study.answer.type != "choice":
        raise FedPromptError(
            f"the study “{study.study}” asks for free text; only a choice among labels can be hardened",
            code="free-text",
        )
    return study, digest


def _resumed(ws: Workspace, run: str, start: Words) -> Searched:
    """Return where the search stood when it was stopped, or its start."""
    steps = [body for name, body in ws.bank.stages(run).items() if name.startswith("step ")]
    if not steps:
        return Searched(start)
    last = max(steps, key=lambda body: int(body["step"]))
    return Searched(
        Words(**{**last["words"], "tokens": tuple(last["words"]["tokens"])}), last["step"], last["fruitless"]
    )


def _stepped(ws: Workspace, run: str, clock: Clock, here: Searched, search: SearchSettings) -> None:
    body = {"step": here.step, "fruitless": here.fruitless, "words": asdict(here.words)}
    ws.bank.record_stage(run, f"step {here.step}", body)
    said = f"step {here.step} of at most {search.steps}: loss {here.words.loss:.3f}"
    clock.tell(said, here.step / max(1, search.steps), run=run, step=here.step, objective=here.words.objective)


def _validated(
    model: CausalModel, study: Study, own: OwnCases, prompts: Sequence[Prompt], clock: Clock
) -> dict[str, PromptRun]:
    """Return each prompt's values on the validation cases, by its id."""
    different = list({prompt.id: prompt for prompt in prompts}.values())

    def tell(done: int, total: int) -> None:
        clock.tell(f"{len(different)} prompts on {len(own.chosen)} validation cases", done / max(1, total))

    found, _ = run_prompts(
        model, different, own.chosen, study.answer, own.splits.tune, tell, own.folder.scores, stop=clock.stop
    )
    return {one.prompt.id: one for one in found}


def _rows(
    runs: Mapping[str, PromptRun], prompts: Mapping[str, Prompt], study: Study, own: OwnCases, seed: int
) -> dict[str, HardRow]:
    reference, groups = prompts["soft"].id, [case.group for case in own.chosen]
    others = {prompt.id: runs[prompt.id].values for prompt in prompts.values() if prompt.id != reference}
    tests = compare_with(runs[reference].values, others, np.random.default_rng(seed), groups)
    rows = {}
    for key, prompt in prompts.items():
        score = shown_score(to_score(runs[prompt.id], own.chosen, "validation", study.answer))
        against = None if prompt.id == reference else _against(tests[prompt.id])
        text = prompt.template.text or "\n".join(one.content for one in prompt.template.messages or ())
        rows[key] = HardRow(prompt.id, prompt.name, text, score, against)
    return rows


def _against(test: Compared | None) -> AgainstSoft | None:
    if test is None:
        return None
    change = test.difference
    return AgainstSoft(
        n=test.n,
        difference=change.value,
        low=change.low,
        high=change.high,
        distinguishable=change.excludes_zero,
        test=test.test,
        p=test.pvalue,
        p_adjusted=test.adjusted,
    )


def _record(
    ws: Workspace,
    run: str,
    digest: str,
    study: Study,
    model: CausalModel,
    own: OwnCases,
    runs: Sequence[PromptRun],
) -> None:
    """Keep scores and comparisons, unless only other sites scored the study: this one would end their ranking."""
    here = ws.bank.leaders(Filter(study=digest, site=OWN_SITE), coverage="any", limit=1)
    if here.sites and not here.total:
        return
    kept = list({one.prompt.id: one for one in runs}.values())
    by = judged_by(study.answer, None, nested=bool(label_pairs(model, study)))
    scores = [to_score(one, own.chosen, "validation", study.answer) for one in kept]
    ws.bank.record_scores(run, OWN_SITE, [one.model_copy(update={"judged_by": by}) for one in scores])
    ws.bank.record_comparisons(run, OWN_SITE, all_pairs(kept, own.chosen, "validation"))


def _weighed(words: Words) -> Weighed:
    return Weighed(words.loss, words.surprise, words.objective)


def _sentence(rows: Mapping[str, HardRow], surprise: float) -> str:
    """Return in plain words what hardening kept."""
    manual = rows.get("manual")
    soft, words = rows["soft"].score, rows["words"].score
    said = [f"keeps {words.value or 0.0:.2f} of {soft.value or 0.0:.2f} accuracy on {soft.n:,} validation cases"]
    against = rows["words"].against_soft
    if against is not None:
        span = f"{points(against.low)} to {points(against.high)}"
        said[0] += f", a difference of {points(against.difference)} points ({span})"
        if not against.distinguishable:
            said[0] += " that is not significant"
    if manual is not None:
        best = manual.score.value or 0.0
        said.append(f"the best hand-written template has {best:.2f}")
        if best >= (words.value or 0.0):
            said[-1] += ", so use that template"
    read = "poorly" if surprise > POORLY else "unevenly" if surprise > UNEVENLY else "well"
    said.append(f"the words are {read} readable ({surprise:.1f} nats per token)")
    return "; ".join(said)
