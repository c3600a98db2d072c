"""``stages``: the same cases with a template, a soft prompt and an adapter, and what each step bought for its bytes.

Each stage is a federation of its own, of the study with another thing to move. Its run is kept, resumed and told as any
other; a stage that is done is read from the bank.
"""

import math
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, get_args

from fedprompt.errors import StudyError
from fedprompt.evaluation.column_map import BY_NAME, Columns
from fedprompt.evaluation.scorers import complete_scorers
from fedprompt.private_file import write_private
from fedprompt.stopping import NEVER, StopToken
from fedprompt.study.files import read_study
from fedprompt.study.schema import Study
from fedprompt.study.tunable import Lora, Tunable
from fedprompt.workspace.progress import Progress, Report, quiet
from fedprompt.workspace.results.points import points
from fedprompt.workspace.rounds.federated import FederatedResult
from fedprompt.workspace.rounds.federating import federate
from fedprompt.workspace.rounds.forecast import forecast
from fedprompt.workspace.rounds.result_table import ResultRow
from fedprompt.workspace.workspace import Workspace

__all__ = ["STAGES", "StageForecast", "StageFound", "StageName", "StagesResult", "Step", "foretell", "run_stages"]

StageName = Literal["template", "soft", "lora"]
STAGES: tuple[StageName, ...] = get_args(StageName)
WORDS: Mapping[StageName, str] = {"template": "the template", "soft": "the soft prompt", "lora": "the adapter"}
KEPT = "memory"
RATE = 0.002  # of an adapter, where the study names none: a soft prompt's is far too high for it
STATUS, CLEAR = Path("/proc/self/status"), Path("/proc/self/clear_refs")


@dataclass(frozen=True)
class StageFound:
    """What a stage reached on test, and what it took.

    Attributes:
        stage: which.
        run, prompt: the federation, and its prompt.
        mean, low, high, worst, by_site: accuracy on test, unweighted over sites, with its 95 % interval.
        parameters: how many numbers were tuned.
        bytes: to and from one site in a round, both ways together.
        seconds: of its rounds; of the templates, of scoring them.
        memory: the most that this process held meanwhile, in bytes; None where it is not known.
        privacy: what is claimed of privacy.
    """

    stage: StageName
    run: str
    prompt: str
    mean: float
    low: float
    high: float
    worst: float
    by_site: Mapping[str, float]
    parameters: int
    bytes: int
    seconds: float
    memory: int | None
    privacy: str


@dataclass(frozen=True)
class Step:
    """What a stage gains over the one before, as a share of 1, with a 95 % interval of unpaired means."""

    of: StageName
    over: StageName
    gain: float
    low: float
    high: float
    sentence: str


@dataclass(frozen=True)
class StagesResult:
    """All stages on the same cases, and what each step bought."""

    study: str
    seed: int
    stages: tuple[StageFound, ...]
    steps: tuple[Step, ...]


@dataclass(frozen=True)
class StageForecast:
    """What a stage takes: seconds, one site after the other, and bytes of all sites."""

    stage: StageName
    seconds: float | None
    bytes: int


def foretell(
    ws: Workspace,
    study: Path,
    sites: Mapping[str, Path | None],
    *,
    only: Sequence[StageName] = STAGES,
    columns: Columns = BY_NAME,
    report: Report = quiet,
    stop: StopToken = NEVER,
) -> tuple[StageForecast, ...]:
    """Return what each stage would take, its templates' scores included; nothing is run but a step on a few cases.

    Raises:
        StudyError, DataError, ModelError: as ``run_stages`` would.
    """
    found = []
    for stage, file in _files(ws, study, read_study(study, complete_scorers), only).items():
        taken = forecast(ws, file, sites, columns=columns, report=report, stop=stop)
        found.append(StageForecast(stage, taken.seconds, taken.sent + taken.received))
    return tuple(found)


def run_stages(
    ws: Workspace,
    study: Path,
    sites: Mapping[str, Path],
    *,
    only: Sequence[StageName] = STAGES,
    columns: Columns = BY_NAME,
    seed: int = 0,
    report: Report = quiet,
    stop: StopToken = NEVER,
) -> StagesResult:
    """Run the stages that are not done yet, in order, and return all of them.

    Args:
        study: its ``soft`` and ``tunable`` say what the stages tune; an adapter with the defaults where it has none.
        only: the stages; ``template`` comes with each other one.

    Raises:
        StudyError: a stage that the study cannot have.
        FederationError, DataError, ModelError: as ``federate``.
        Stopped: it was to end; what is done is kept.
    """
    parsed = read_study(study, complete_scorers)
    files = _files(ws, study, parsed, only)
    found: list[StageFound] = []
    for place, (stage, file) in enumerate(files.items()):

        def told(progress: Progress, place: int = place, stage: StageName = stage) -> None:
            share = (place + progress.done / max(progress.total, 1e-9)) / len(files)
            report(Progress(stage, f"{WORDS[stage]}: {progress.message}", share, 1.0, None, progress.detail))

        done = {row.id for row in ws.bank.runs(kind="federate") if row.state == "done"}
        begun = _restart_peak()
        result = federate(ws, file, sites, columns=columns, seed=seed, report=told, stop=stop)
        memory = _kept_memory(ws, result.run, begun and result.run not in done)
        if "template" in only and not found:
            found.append(_stage("template", result, result.test["manual"], parsed, sites, ws, memory))
        if stage != "template":
            found.append(_stage(stage, result, result.test["federated"], parsed, sites, ws, memory))
    return StagesResult(parsed.study, seed, tuple(found), tuple(map(_step, found, found[1:])))


def _files(ws: Workspace, study: Path, parsed: Study, only: Sequence[StageName]) -> dict[StageName, Path]:
    """Write the study of each stage into the home and return the files; ``study`` is the file of ``parsed``."""
    if "soft" in only and parsed.soft is None:
        raise StudyError(
            f"{study}: the study has no 'soft:' part, so there is no soft prompt to tune; add one, or leave 'soft' out",
            code="no-soft-part",
        )
    nothing = {"tunable": None, "worth": None, "head": None}
    rounds = parsed.rounds.model_copy(update={"personal": None, "released": False, "alone": False})
    adapter = parsed.tunable or Tunable(lora=Lora(lr=RATE))
    made: dict[StageName, Study] = {
        "soft": parsed.model_copy(update={**nothing, "rounds": rounds}),
        "lora": parsed.model_copy(update={**nothing, "rounds": rounds, "soft": None, "tunable": adapter}),
    }
    wanted = [stage for stage in STAGES if stage in only and stage in made]
    if not wanted:  # the templates alone
        made["template"] = parsed.model_copy(update={**nothing, "rounds": rounds, "soft": None})
        wanted = ["template"]
    found = {}
    for stage in wanted:
        file = ws.home.path / "stages" / f"{parsed.study}-{stage}.yaml"
        file.parent.mkdir(mode=0o700, exist_ok=True)
        write_private(file, made[stage].model_dump_json(indent=1) + "\n")  # JSON is YAML
        found[stage] = file
    return found


def _stage(
    stage: StageName,
    result: FederatedResult,
    row: ResultRow,
    study: Study,
    sites: Mapping[str, Path],
    ws: Workspace,
    memory: int | None,
) -> StageFound:
    prompt = result.prompts.manual if stage == "template" else result.prompts.federated
    assert prompt is not None
    tuned = ws.bank.prompt(prompt).tuned
    rounds = 0 if stage == "template" else len(result.rounds)
    taken = sum(sum(r.received.values()) + sum(r.sent.values()) for r in result.rounds) if rounds else 0
    return StageFound(
        stage=stage,
        run=result.run,
        prompt=prompt,
        mean=float(row.mean),
        low=float(row.low),
        high=float(row.high),
        worst=float(row.worst),
        by_site={site: float(value) for site, value in row.by_site.items()},
        parameters=0 if tuned is None else math.prod(tuned.values.shape),
        bytes=round(taken / (rounds * len(sites))) if rounds else 0,
        seconds=result.seconds.get("federate" if rounds else "score", 0.0),
        memory=memory if rounds else None,
        privacy=_privacy(study),
    )


def _step(before: StageFound, after: StageFound) -> Step:
    gain = after.mean - before.mean
    # As if the two means' errors were independent. On the same cases they are alike, so that this is on the wide side.
    low = gain - math.hypot(after.mean - after.low, before.high - before.mean)
    high = gain + math.hypot(after.high - after.mean, before.mean - before.low)
    times = "" if not before.bytes else f" for {after.bytes / before.bytes:,.1f} times the bytes a round"
    cost = times or (f" for {after.bytes:,} bytes a site and round" if after.bytes else "")
    verb = "gains" if gain >= 0 else "loses"
    surely = "" if low > 0 or high < 0 else "; the difference could be chance"
    sentence = (
        f"{WORDS[after.stage]} {verb} {points(abs(gain))} points over {WORDS[before.stage]} "
        f"({points(low)} to {points(high)}){cost}{surely}"
    )
    return Step(after.stage, before.stage, gain, low, high, sentence[0].upper() + sentence[1:])


def _privacy(study: Study) -> str:
    claims = []
    if study.dp is not None:
        claims.append(f"epsilon {study.dp.epsilon:g} at delta {study.dp.at_delta:.2g} for each site's cases")
    if study.rounds.secure_sums is not None:
        claims.append("the hub sees sums of updates alone")
    return "; ".join(claims) or "none"


def _restart_peak() -> bool:
    """Let the highest memory of this process begin anew at what is held now; False where that cannot be."""
    try:
        CLEAR.write_text("5")
    except OSError:
        return False
    return True


def _kept_memory(ws: Workspace, run: str, measured: bool) -> int | None:
    """Return the most memory that a run took; measured now if it has just been run, as the bank has it if before."""
    kept = ws.bank.stages(run).get(KEPT)
    if kept is None and measured and (match := re.search(r"VmHWM:\s*(\d+) kB", STATUS.read_text())) is not None:
        kept = {"bytes": 1024 * int(match[1])}
        ws.bank.record_stage(run, KEPT, kept)
    return None if kept is None else int(kept["bytes"])
