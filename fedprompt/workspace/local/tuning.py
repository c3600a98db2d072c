"""``tune``: a soft prompt on one site's own cases, the step to keep chosen on validation, test looked at once."""

import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from pathlib import Path

from fedprompt.errors import FederationError
from fedprompt.evaluation.column_map import BY_NAME, Columns
from fedprompt.federation.hub import Hub
from fedprompt.federation.round_record import best_round
from fedprompt.federation.transports.local import LocalTransport
from fedprompt.models.protocols import CacheDtype, RunSettings
from fedprompt.prompts.ids import canonical_json, content_id
from fedprompt.prompts.origins import TUNED
from fedprompt.prompts.prompt import Prompt
from fedprompt.site.folder import SiteFolder
from fedprompt.site.worker import Worker
from fedprompt.stopping import NEVER, StopToken
from fedprompt.study.schema import Study
from fedprompt.trust.signing import site_identity
from fedprompt.workspace.as_json import ABSENT, INLINE, as_json, from_json
from fedprompt.workspace.cases.one_cut import cutter_of
from fedprompt.workspace.cases.site_of_file import cases_of, contents_digest, make_worker
from fedprompt.workspace.local.scoring import OWN_SITE, open_study
from fedprompt.workspace.progress import Report, quiet
from fedprompt.workspace.results.shown import ShownScore, ShownWork, shown_score, shown_work
from fedprompt.workspace.rounds.federation_run import FederationRun, pooled_best
from fedprompt.workspace.rounds.looks import TestLook
from fedprompt.workspace.rounds.result_table import Difference, difference
from fedprompt.workspace.rounds.start_prompt import start_prompt
from fedprompt.workspace.timing import Clock
from fedprompt.workspace.workspace import Workspace

__all__ = ["Beside", "Tuned", "tune"]

LONGEST = 1000  # losses that a progress report carries


@dataclass(frozen=True)
class Beside:
    """The best of the study's templates by validation cases, on the cases that the tuned prompt was scored on.

    ``gain`` is what the tuned prompt does better on test, case by case.
    """

    prompt: str
    name: str
    validation: ShownScore
    test: ShownScore
    gain: Difference


@dataclass(frozen=True)
class Tuned:
    """A soft prompt and what it is worth: ``loss`` after each part, in nats, and the score of the one that was kept.

    ``clipped`` cases were too long for the model, ``left_out`` are in no split. ``seconds`` are of the last go.
    ``template`` is None where no template could be scored.
    """

    prompt: str
    steps: int
    kept_after: int
    loss: tuple[float, ...]
    validation: ShownScore
    test: ShownScore
    work: ShownWork = field(metadata=INLINE)
    clipped: int
    left_out: int
    settings: RunSettings
    seconds: float
    run: str
    template: Beside | None = field(default=None, metadata=ABSENT)


def tune(
    ws: Workspace,
    study: Path,
    data: Path,
    *,
    columns: Columns = BY_NAME,
    seed: int = 0,
    cache_bytes: int | None = None,
    cache_dtype: CacheDtype | None = None,
    report: Report = quiet,
    stop: StopToken = NEVER,
) -> Tuned:
    """Tune the study's soft prompt for ``rounds.count`` times ``tuning.steps`` steps and keep the best on validation.

    With ``rounds.patience`` tuning ends before that where validation no longer gains. A run that was stopped goes on:
    the same study, data and seed are the same run. ``stop`` is looked at before each step.

    Raises:
        StudyError, DataError, ModelError, TuningError: says where and what to do.
    """
    parsed, model, digest = open_study(ws, study, None, report, cache_bytes=cache_bytes, cache_dtype=cache_dtype)
    parsed.soft_template()
    cases = cases_of(data, parsed, columns)
    folder = SiteFolder(ws.home.sites / OWN_SITE)
    folder.prepare()
    ws.bank.register_site(OWN_SITE, site_identity(folder.key))
    cutter = cutter_of(ws.home, data)
    cutter.folder.prepare()
    splits = cutter.cut(parsed, cases)
    worker = make_worker(
        name=OWN_SITE,
        folder=folder,
        study=parsed,
        model=model,
        cases=cases,
        where=str(data),
        splits=splits,
        bounded=False,
        stop=stop,
        seed=seed,
    )
    machine = asdict(model.info.settings)
    settings = {"seed": seed, "cases": len(cases), "contents": contents_digest(folder, cases)}
    run = content_id("r1", canonical_json({"kind": "tune", "study": digest, "settings": settings}))
    row = ws.bank.start_run(run, kind="tune", study=digest, settings={**settings, "machine": machine})
    if row.result is not None:
        return from_json(Tuned, row.result)
    clock = Clock(report, {"tune": 9.0, "templates": 1.0, "test": 1.0}, stop, paced="tune")
    began = time.monotonic()
    steps = _Steps(ws, run, clock, parsed)
    worker.side.on_step, worker.side.on_tuned = steps, steps.tuned
    hub = Hub(LocalTransport({OWN_SITE: worker.handle}), digest, held_to=parsed)
    federation = FederationRun(ws.bank, run, parsed, digest, hub, clock)
    with clock.stage("tune", "tuning the soft prompt"), _own_words(worker):
        start = start_prompt(model, parsed, ws.bank)
        # One site: what it tuned is the next prompt, whatever strategy the study has for many.
        records = federation.rounds(hub, run, start, seed, parsed.at_home(), TUNED.key, "part")
        kept = best_round(records)
    _note_clipped(federation, worker)
    with clock.stage("templates", "scoring the study's templates on the same cases"):
        best = _best_template(federation, kept.prompt)
    with clock.stage("test", "measuring test accuracy"):
        pairs = [] if best is None else [(kept.prompt.id, best.id)]
        look = federation.look_at_test([kept.prompt, *([] if best is None else [best])], {OWN_SITE: pairs})
    _note_clipped(federation, worker)
    result = Tuned(
        prompt=kept.prompt.id,
        steps=len(records) * parsed.tuning.steps,
        kept_after=kept.number * parsed.tuning.steps,
        loss=tuple(steps.means()),
        validation=shown_score(kept.scores[OWN_SITE]),
        test=shown_score(look.scores[OWN_SITE][kept.prompt.id]),
        work=shown_work(worker.side.work, model.info),
        clipped=federation.clipped.of(OWN_SITE),
        left_out=len(splits.left_out),
        settings=model.info.settings,
        seconds=round(time.monotonic() - began, 3),
        run=run,
        template=None if best is None else _beside(ws, run, best, kept.prompt, look, seed),
    )
    ws.bank.finish_run(run, as_json(result))
    return result


def _best_template(federation: FederationRun, tuned: Prompt) -> Prompt | None:
    """Score the study's templates, compare the tuned prompt with each, and return the best; None where they fail."""
    try:
        scores = federation.score_templates()
        federation.compare_on_validation([tuned])
    except FederationError:
        return None
    return federation.templates[pooled_best(scores, list(federation.templates))]


def _beside(ws: Workspace, run: str, best: Prompt, tuned: Prompt, look: TestLook, seed: int) -> Beside:
    """Return the best template's scores beside the tuned prompt's."""
    rows = ws.bank.scores(run=run, prompts=[best.id], split="validation")
    return Beside(
        prompt=best.id,
        name=best.name,
        validation=shown_score(rows[0].score),
        test=shown_score(look.scores[OWN_SITE][best.id]),
        gain=difference(look, {OWN_SITE: (tuned.id, best.id)}, seed),
    )


def _note_clipped(federation: FederationRun, worker: Worker) -> None:
    for split, cases in worker.side.all_clipped.items():
        federation.clipped.note(OWN_SITE, split, cases)


class _Steps:
    """Tells each step and its loss; a part's losses go into the bank when its steps are done."""

    def __init__(self, ws: Workspace, run: str, clock: Clock, study: Study) -> None:
        self._ws, self._run, self._clock = ws, run, clock
        self._parts, self._steps = study.rounds.count, study.tuning.steps
        self._first = 1  # past 1 where a part is taken up in its middle
        self._losses: list[float] = []

    def __call__(self, part: int, step: int, loss: float) -> None:
        if step != self._first + len(self._losses):
            self._first, self._losses = step, []
        self._losses.append(loss)
        self._clock.tell(
            f"step {(part - 1) * self._steps + step} of {self._parts * self._steps}",
            (part - 1 + 0.5 * step / self._steps) / self._parts,
            run=self._run,
            part=part,
            first=max(self._first, step - LONGEST + 1),
            losses=self._losses[-LONGEST:],
        )

    def tuned(self, part: int, losses: Sequence[float]) -> None:
        """Keep the loss of each step of a part."""
        self._ws.bank.record_stage(self._run, f"losses {part}", {"loss": list(losses)})

    def means(self) -> list[float]:
        """Return the mean loss of each part that was taken."""
        kept = self._ws.bank.stages(self._run)
        found = (kept.get(f"losses {part}", {}).get("loss") for part in range(1, self._parts + 1))
        return [sum(losses) / len(losses) for losses in found if losses]


@contextmanager
def _own_words(worker: Worker) -> Iterator[None]:
    """Say why tuning ended in the site's own words: here the hub and the site are one."""
    try:
        yield
    except FederationError as error:
        if worker.failure is not None:
            raise worker.failure from error
        raise
