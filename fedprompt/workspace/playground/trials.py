"""The playground's runs: several variants over the same rows, each cell judged, stopped and taken up at will.

A job holds nothing but a run's id; what was typed and what was answered stand in the visitor's own files. Invariant:
running a run computes the cells that have no good result yet, so that going on after a stop, surviving the end of the
process and trying failures again are one thing.
"""

import json
import time
from collections.abc import Iterable, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, replace
from typing import Annotated, Any

from pydantic import Field, StringConstraints

from fedprompt.boundary.checked import Bounds, Unfit, checked_value
from fedprompt.errors import FedPromptError, JobError, PromptError
from fedprompt.evaluation.scorers import Configured, Sample, configure
from fedprompt.models.chat.cost import Hear, Tally
from fedprompt.site.judge_calls import counted
from fedprompt.stopping import NEVER, StopToken
from fedprompt.study.schema import Closed, ScorerSpec
from fedprompt.workspace.answers.readying import ready
from fedprompt.workspace.answers.variants import RowResult, Variant
from fedprompt.workspace.bills.paid import ModelPaid
from fedprompt.workspace.bills.scorer_resources import scorer_resources
from fedprompt.workspace.bills.session_servers import SessionServer
from fedprompt.workspace.cases.converting import fieldless
from fedprompt.workspace.playground.trial_files import TrialFolder
from fedprompt.workspace.progress import Progress, Report, quiet
from fedprompt.workspace.workspace import Workspace

__all__ = [
    "MAX_ROWS",
    "MAX_VARIANTS",
    "Check",
    "Judged",
    "Trial",
    "TrialCell",
    "TrialDone",
    "TrialRequest",
    "added",
    "read_trial",
    "run_trial",
]

MAX_ROWS = 1000
MAX_VARIANTS = 64
TOLD_A_SECOND = 8.0
OWN_EXAMPLE = "this case is one of the variant's own examples, so it is not scored; take it out of the cases"
_REQUEST = Bounds(64 * 1024 * 1024, values=500_000, nested=20_000, members=1_000)
_CELL = Bounds(64 * 1024 * 1024, values=500_000, nested=200_000, members=1_000)
Row = dict[str, Annotated[str, StringConstraints(max_length=200_000)]]


class Check(Closed):
    """A scorer, and the least value with which a cell passes; ``negate`` inverts the result.

    ``judge`` is the model that judges by a rubric, the one that the environment names if None. ``server`` is where a
    judge of this session alone is asked.
    """

    scorer: ScorerSpec
    judge: Annotated[str, StringConstraints(min_length=1, max_length=300)] | None = None
    server: SessionServer | None = None
    threshold: Annotated[float, Field(gt=0, le=1)] = 0.5
    negate: bool = False


class Judged(Closed):
    """What a scorer says of a cell; ``passed`` is None where it could not judge."""

    scorer: str
    value: float | None
    passed: bool | None
    reason: str


class TrialRequest(Closed):
    """Variants, rows, and each row's expected answer (empty where there is none); ``keep`` puts it in the history."""

    name: Annotated[str, StringConstraints(min_length=1, max_length=120)] = "run"
    made: float = 0.0
    keep: bool = True
    variants: Annotated[tuple[Variant, ...], Field(min_length=1, max_length=MAX_VARIANTS)]
    rows: Annotated[list[Row], Field(min_length=1, max_length=MAX_ROWS)]
    expected: Annotated[
        tuple[Annotated[str, StringConstraints(max_length=200_000)], ...], Field(max_length=MAX_ROWS)
    ] = ()
    checks: Annotated[tuple[Check, ...], Field(max_length=8)] = ()
    explain: bool = False

    @classmethod
    def parse(cls, body: Mapping[str, Any]) -> "TrialRequest":
        """Return the request in a JSON object.

        Raises:
            JobError: the object is no request; names the field.
        """
        try:
            return checked_value(cls, dict(body), _REQUEST)
        except Unfit as error:
            raise _misfit(error) from None


def _misfit(error: Unfit) -> JobError:
    field = ".".join(map(str, error.place)) or "request"
    if error.place == ("rows",) and error.kind == "too_long":
        return JobError(f"the playground runs at most {MAX_ROWS:,} rows at a time; paste fewer", code="too-many")
    if error.place == ("rows",) and error.kind == "too_short":
        return JobError("there is no row to run; enter or paste at least one text", code="no-cases")
    return JobError(f"the playground's request is not valid: {field}: {error.reason}", code="not-well-formed")


class TrialCell(RowResult):
    """One variant on one row: its result, how long it took in seconds, and what the scorers say.

    ``judging``: the name of the chat model that judged -> what that took.
    """

    variant: int
    row: int
    seconds: float = 0.0
    judged: tuple[Judged, ...] = ()
    judging: dict[str, Tally] = Field(default_factory=dict)

    @property
    def output(self) -> str:
        """What is judged: the label that was chosen, else the text that was written, else the tools called, as JSON."""
        if self.answer is not None:
            return self.answer
        if not self.generated and self.calls:
            return json.dumps([one.model_dump() for one in self.calls], ensure_ascii=False)
        return self.generated or ""

    @property
    def passed(self) -> bool | None:
        """Whether it passes by every scorer that could judge it, None where none could."""
        found = [one.passed for one in self.judged if one.passed is not None]
        return all(found) if found else None


@dataclass(frozen=True)
class Trial:
    """A run as far as it is. ``cells``: (variant, row) -> cell; ``live``: the same -> text so far."""

    run: str
    request: TrialRequest
    cells: Mapping[tuple[int, int], TrialCell]
    live: Mapping[tuple[int, int], str]
    job: str

    @property
    def total(self) -> int:
        """How many cells there are to be."""
        return len(self.request.variants) * len(self.request.rows)

    @property
    def failures(self) -> int:
        """How many cells ended with an error."""
        return sum(cell.error is not None for cell in self.cells.values())

    @property
    def missing(self) -> int:
        """How many cells were not run."""
        return self.total - len(self.cells)

    @property
    def judging(self) -> Mapping[str, Tally]:
        """What judging took so far, by the chat model that judged; it is no part of a variant's own cost."""
        return added([cell.judging for cell in self.cells.values()])


def added(bills: Iterable[Mapping[str, Tally]]) -> dict[str, Tally]:
    """Return the sum of bills, judge by judge."""
    found: dict[str, Tally] = {}
    for bill in bills:
        for name, took in bill.items():
            found[name] = found.get(name, Tally()) + took
    return found


def read_trial(folder: TrialFolder, run: str) -> Trial:
    """Return a run as far as it is.

    Raises:
        JobError: it is no longer kept.
    """
    body = dict(folder.request(run))
    job = str(body.pop("job", ""))
    request = TrialRequest.parse(body)
    cells: dict[tuple[int, int], TrialCell] = {}
    for line in folder.cells(run):
        try:
            cell = checked_value(TrialCell, line, _CELL)
        except Unfit:
            continue
        cells[cell.variant, cell.row] = cell
    told = folder.live(run)
    live = {(int(told["variant"]), int(row)): str(text) for row, text in told.get("rows", {}).items()}
    return Trial(run, request, cells, live, job)


@dataclass(frozen=True)
class TrialDone:
    """How many ``cells`` of a run were computed now, and what each chat model that judged them took."""

    run: str
    cells: int
    judges: tuple[ModelPaid, ...]


def run_trial(
    ws: Workspace, folder: TrialFolder, run: str, report: Report = quiet, stop: StopToken = NEVER
) -> TrialDone:
    """Compute the cells of a run that have no good result, and write each down as it ends.

    ``stop`` is looked at between two cells and while text is written; the cells that are done stay.

    Raises:
        JobError: the run is no longer kept.
    """
    trial = read_trial(folder, run)
    request = trial.request
    good = {key for key, cell in trial.cells.items() if cell.error is None}
    asked_now: list[dict[str, Tally]] = []  # what judging the present cell took

    def hear(judge: str, took: Tally) -> None:
        asked_now.append({judge: took})

    checks = _configured(ws, request.checks, hear)
    bills: list[dict[str, Tally]] = []
    start, done, told = time.perf_counter(), 0, 0.0
    todo = [(v, r) for v in range(len(request.variants)) for r in range(len(request.rows)) if (v, r) not in good]

    def step(message: str) -> None:
        left = (time.perf_counter() - start) / done * (len(todo) - done) if done else None
        report(Progress("run", message, done, max(1, len(todo)), left))

    def keep(variant: int, row: int, result: RowResult, seconds: float) -> None:
        nonlocal done
        cell = TrialCell(**dict(result), variant=variant, row=row, seconds=seconds)
        expected = request.expected[row] if row < len(request.expected) else ""
        asked_now.clear()
        judged = _judge(cell, request.checks, checks, expected, request.rows[row])
        bills.append(added(asked_now))
        folder.append(run, cell.model_copy(update={"judged": judged, "judging": bills[-1]}).model_dump(mode="json"))
        done += 1
        step(f"{done} of {len(todo)} answers")

    many = len(request.rows) > 1 or any(request.rows)

    def run_variant(number: int, variant: Variant, places: list[int]) -> None:
        left = dict.fromkeys(places)
        written: dict[int, str] = {}

        def writing(place: int, text: str) -> None:
            nonlocal told
            written[places[place]] = text
            if (now := time.monotonic()) - told >= 1 / TOLD_A_SECOND:
                told = now
                folder.tell(run, {"variant": number, "rows": written})
                step("writing")

        def heard(place: int, result: RowResult, seconds: float) -> None:
            left.pop(places[place], None)
            written.pop(places[place], None)
            keep(number, places[place], result, seconds)

        try:
            for place in sorted(variant.own_rows(request.rows) & left.keys()):
                left.pop(place)
                keep(number, place, RowResult(text="", error=OWN_EXAMPLE, code="own-example"), 0.0)
            places = list(left)
            if many and (reason := fieldless(variant.made())) is not None:
                raise PromptError(f"{reason}; write the field in braces, such as {{text}}", code="no-field")
            with ExitStack() as stack:
                one = ready(ws, variant, stack)
                one.run([request.rows[row] for row in places], heard, writing, explain=request.explain, stop=stop)
        except FedPromptError as error:
            # It cannot run at all, or its server is gone midway: what is left of it says so, others go on.
            for row in list(left):
                keep(number, row, RowResult(text="", error=str(error), code=error.code), 0.0)

    try:
        for number, variant in enumerate(request.variants):
            places = [row for of, row in todo if of == number]
            if places:
                stop.check()
                step(f"loading {variant.model}")
                run_variant(number, variant, places)
    finally:
        folder.tell(run, None)
    judges = tuple(ModelPaid.of(name, took) for name, took in added(bills).items())
    return TrialDone(run, done, judges)


def _configured(ws: Workspace, checks: Sequence[Check], hear: Hear) -> tuple[Configured, ...]:
    """Return the scorers with what the machine gives them; one judge judges by all rubrics."""
    judge = next((check for check in checks if check.judge is not None), None)
    if judge is None:
        given = scorer_resources(ws.home.path)
    else:  # whoever runs this chose where the texts go
        given = replace(scorer_resources(ws.home.path, judge.judge, judge.server), before_judge=None)
    return configure([check.scorer for check in checks], counted(given, hear=hear))


def _judge(
    cell: TrialCell, checks: Sequence[Check], scorers: Sequence[Configured], expected: str, row: Mapping[str, str]
) -> tuple[Judged, ...]:
    if cell.error is not None:
        return ()
    found = []
    for check, scorer in zip(checks, scorers, strict=True):
        try:
            (scored,) = scorer.score_all([Sample(cell.output, expected, row)])
        except FedPromptError as error:
            found.append(Judged(scorer=scorer.label, value=None, passed=None, reason=str(error)))
            continue
        passed = None if scored.value is None else (scored.value >= check.threshold) is not check.negate
        found.append(Judged(scorer=scorer.label, value=scored.value, passed=passed, reason=scored.reason))
    return tuple(found)
