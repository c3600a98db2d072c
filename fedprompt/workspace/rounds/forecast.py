"""What a federation would take, by site, before it is begun: seconds, bytes and, on a chat model, money.

Nothing is sent and nothing is kept.

Bytes are those of messages made up to the study's shapes and packed as real ones are. Seconds come from this study's
earlier rounds where the bank holds some; else, where a site's file lies here, from one step on a batch of its cases.
"""

import tempfile
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from fedprompt.evaluation.cases import Case
from fedprompt.evaluation.column_map import BY_NAME, Columns
from fedprompt.evaluation.runs.runner import run_prompts
from fedprompt.evaluation.scorers import complete_scorers
from fedprompt.evaluation.splits.cutting import Splits
from fedprompt.federation.rounds import check_sites
from fedprompt.models.chat.config import is_chat
from fedprompt.models.chat.cost import Cost
from fedprompt.models.protocols import CausalModel
from fedprompt.models.registry import load
from fedprompt.prompts.prompt import Prompt
from fedprompt.site.folder import SiteFolder
from fedprompt.stopping import NEVER, StopToken
from fedprompt.study.files import read_study
from fedprompt.study.schema import Study
from fedprompt.tuning.tunables.registry import tunable_of
from fedprompt.workspace.answers.study_model import model_digest_of
from fedprompt.workspace.as_json import INLINE
from fedprompt.workspace.bills.chat_bill import ChatBill, Take, chat_bill
from fedprompt.workspace.bills.judge_bill import JudgeBill, JudgeSum, has_judge, judge_bill
from fedprompt.workspace.cases.one_cut import cutter_of
from fedprompt.workspace.cases.site_of_file import cases_of
from fedprompt.workspace.progress import Progress, Report, quiet
from fedprompt.workspace.rounds.message_bytes import message_bytes, rounds_anew
from fedprompt.workspace.rounds.start_prompt import start_of
from fedprompt.workspace.workspace import Workspace

__all__ = ["CallsTaken", "Forecast", "JudgingOfAll", "JudgingOfSite", "SiteForecast", "forecast"]

SAMPLE = 8
DEAREST = "the best template is not known yet, so the estimate for test uses the most expensive one"


@dataclass(frozen=True)
class CallsTaken:
    """What calls of a chat model take, as ``score --dry-run`` tells it; None where a file lies elsewhere."""

    calls: int | None
    cached: int | None
    tokens: int | None
    input_tokens: int | None
    output_tokens: int | None
    cost: Cost | None


@dataclass(frozen=True)
class JudgingOfSite:
    """The most that a site's judging may take; None where its file lies elsewhere."""

    judge: JudgeBill | None


@dataclass(frozen=True)
class JudgingOfAll:
    """The most that all sites' judging may take; None where it is not known of one."""

    judge: JudgeSum | None


@dataclass(frozen=True)
class SiteForecast:
    """What a site takes: ``cases`` and ``seconds``, None where not known; bytes ``sent`` to it and ``received``.

    ``chat`` is of a study on a chat model, ``judging`` of one with a judge.
    """

    cases: int | None
    seconds: float | None
    sent: int
    received: int
    chat: CallsTaken | None = field(metadata=INLINE)
    judging: JudgingOfSite | None = field(metadata=INLINE)


@dataclass(frozen=True)
class Forecast:
    """What a federation takes, by site and of all: ``seconds`` one site after the other, bytes as the hub sees them.

    ``basis`` of the seconds is ``earlier rounds``, ``measured`` or ``not known``.
    """

    study: str
    rounds: int
    sites: Mapping[str, SiteForecast]
    seconds: float | None
    sent: int
    received: int
    basis: str
    notes: tuple[str, ...]
    chat: CallsTaken | None = field(metadata=INLINE)
    judging: JudgingOfAll | None = field(metadata=INLINE)


def forecast(
    ws: Workspace,
    study: Path,
    sites: Mapping[str, Path | None],
    *,
    columns: Columns = BY_NAME,
    report: Report = quiet,
    stop: StopToken = NEVER,
) -> Forecast:
    """Return what ``federate`` with the same arguments would take.

    Args:
        sites: site -> its file, None where the file lies elsewhere.

    Raises:
        FederationError: the study's strategy needs more sites.
        StudyError, DataError, ModelError: as ``federate`` would.
    """
    parsed = read_study(study, complete_scorers)
    check_sites(parsed.rounds, sorted(sites))
    if is_chat(parsed.model):
        model, digest, moved = None, parsed.digest(model_digest_of(parsed, ws.home.path)), None
    else:
        report(Progress("prepare", f"loading {parsed.model}"))
        model = load(parsed.model, ws.home.path)
        tunable, digest = tunable_of(parsed), parsed.digest(model.info.digest)
        moved = None if tunable is None else tunable.shape(model, parsed)
    sent, received = message_bytes(parsed, digest, moved, len(sites))
    seen = _earlier(ws, digest)
    found: dict[str, SiteForecast] = {}
    notes: list[str] = []
    measured = False

    def cut(site: str, cases: Sequence[Case]) -> Splits:
        """Return a site's split; one that is not there yet will cut other cases, as many."""
        return cutter_of(ws.home, None, site, apart=sites).cut(parsed, cases, store=False)

    for site, path in sorted(sites.items()):
        stop.check()
        cases = None if path is None else cases_of(path, parsed, columns)
        seconds = seen.get(site)
        if seconds is None and cases and model is not None:  # a chat model's calls would cost money
            report(Progress("prepare", f"{site}: one step on a batch of its cases"))
            tune = cut(site, cases).tune
            seconds, measured = _measured(model, parsed, cases, tune, len(sites), ws.home.path, stop), True
        chat = judging = None
        if model is None:
            chat, said = _bill(ws, parsed, site, None if cases is None else cut(site, cases))
            notes += said
        if has_judge(parsed):
            judge = None if cases is None else _judge(ws, parsed, cut(site, cases))
            judging = JudgingOfSite(judge)
            notes += [] if judge is None else judge.notes
        found[site] = SiteForecast(
            cases=None if cases is None else len(cases),
            seconds=None if seconds is None else round(seconds, 2),
            sent=sent,
            received=received,
            chat=chat,
            judging=judging,
        )
    if (worth := parsed.worth) is not None:
        longest, counts = worth.seconds * len(worth.n), len(worth.n)
        notes.append(
            f"to measure the gain from joining, each site needs up to {longest:g} s more ({counts} "
            f"number{'' if counts == 1 else 's'} of cases, {worth.seconds:g} s each)"
        )
    took = [one.seconds for one in found.values() if one.seconds is not None]
    chats = [one.chat for one in found.values() if one.chat is not None]
    judged = [one.judging.judge for one in found.values() if one.judging is not None]
    return Forecast(
        study=digest,
        rounds=parsed.rounds.count if parsed.moves is not None else 0,
        sites=found,
        seconds=round(sum(took), 2) if len(took) == len(found) else None,
        sent=sent * len(found),
        received=received * len(found),
        basis="measured" if measured else "earlier rounds" if seen else "not known",
        notes=tuple(dict.fromkeys(notes)),
        chat=None if model is not None else _together(chats),
        judging=JudgingOfAll(_judges(judged)) if has_judge(parsed) else None,
    )


def _bill(ws: Workspace, study: Study, site: str, splits: Splits | None) -> tuple[CallsTaken, list[str]]:
    """Return what a site's calls would take: all templates on validation, and the dearest of them on test."""
    if splits is None:
        return _taken(None), ["sites whose files are on other machines are not included"]
    folder = SiteFolder(ws.home.sites / site)
    replies = folder.chat_replies if folder.prepared else None  # a dropped file makes a folder without a key
    prompts = [Prompt(template) for template in study.candidates()]

    def bill(looks: Sequence[tuple[Sequence[Prompt], Sequence[Case]]]) -> ChatBill:
        return chat_bill(ws.home.path, study, looks, splits.tune, replies)

    dearest = max(prompts, key=lambda prompt: (one := bill([([prompt], splits.test)])).read + one.written)
    made = bill([(prompts, splits.validation), ([dearest], splits.test)])
    return _taken(made.take()), [*made.notes(), DEAREST]


def _taken(take: Take | None) -> CallsTaken:
    if take is None:
        return CallsTaken(None, None, None, None, None, None)
    return CallsTaken(take.calls, take.cached, take.tokens, take.input_tokens, take.output_tokens, take.cost)


def _judge(ws: Workspace, study: Study, splits: Splits) -> JudgeBill | None:
    """Return the most that a site's judging may take: all templates on validation, one on test."""
    return judge_bill(ws.home.path, study, [(len(study.templates), splits.validation), (1, splits.test)])


def _judges(sites: Sequence[JudgeBill | None]) -> JudgeSum | None:
    """Return the sums over sites, None where one is not known."""
    bills = [one for one in sites if one is not None]
    if not bills or len(bills) < len(sites):
        return None
    return JudgeSum(
        model=bills[0].model,
        calls=sum(one.calls for one in bills),
        tokens=sum(one.tokens for one in bills),
        input_tokens=sum(one.input_tokens for one in bills),
        output_tokens=sum(one.output_tokens for one in bills),
        cost=_costs([one.cost for one in bills]),
    )


def _together(sites: Sequence[CallsTaken]) -> CallsTaken:
    """Return the sums over sites, None where one is not known."""
    return CallsTaken(
        calls=_sum([one.calls for one in sites]),
        cached=_sum([one.cached for one in sites]),
        tokens=_sum([one.tokens for one in sites]),
        input_tokens=_sum([one.input_tokens for one in sites]),
        output_tokens=_sum([one.output_tokens for one in sites]),
        cost=_costs([one.cost for one in sites]),
    )


def _sum(counts: Sequence[int | None]) -> int | None:
    known = [one for one in counts if one is not None]
    return sum(known) if len(known) == len(counts) else None


def _costs(costs: Sequence[Cost | None]) -> Cost | None:
    known = [one for one in costs if one is not None]
    if len(known) < len(costs):
        return None
    return Cost(round(sum(one.amount for one in known), 6), known[0].currency)


def _earlier(ws: Workspace, digest: str) -> dict[str, float]:
    """Return site -> seconds of its rounds in the newest finished run of this study."""
    for run in ws.bank.runs(kind="federate"):
        if run.study != digest or run.result is None:
            continue
        found: dict[str, float] = {}
        alone = [f"{run.id}/alone/{site}" for site in run.result.get("transfer", ())]
        for row in (row for one in (run.id, *alone) for row in ws.bank.rounds(one)):
            for took in row.body.get("seconds", {}).values():
                for site, seconds in took.items():
                    found[site] = found.get(site, 0.0) + seconds
        return found
    return {}


def _measured(
    model: CausalModel,
    study: Study,
    cases: Sequence[Case],
    tune: Sequence[Case],
    sites: int,
    home: Path,
    stop: StopToken,
) -> float:
    """Return the seconds of the work of one of so many sites, from a few of its cases, prepared as it prepares them."""
    few = cases[:SAMPLE]
    validation = study.splits.validation
    many = validation if validation > 1 else validation * len(cases)
    began = time.perf_counter()
    run_prompts(model, [Prompt(template) for template in study.candidates()], few, study.answer, tune, stop=stop)
    seconds = (time.perf_counter() - began) / len(few) * many
    tunable = tunable_of(study)
    if tunable is None or study.answer.type != "choice":
        return seconds
    batch = cases[: study.tuning.batch]
    start = start_of(model, study).values
    rows = range(len(batch))
    with tempfile.TemporaryDirectory(dir=home) as folder:  # for what exceeds the memory, as the site's own folder is
        kind = study.tuning.objective
        objective = tunable.objective(model, study, batch, tune=tune, kind=kind, folder=Path(folder), stop=stop)
        objective.loss_and_gradient(start, rows)  # the first fills what the next ones use
        began = time.perf_counter()
        objective.loss_and_gradient(start, rows)
        step = time.perf_counter() - began
        began = time.perf_counter()
        objective.loglikelihoods(start)
        look = (time.perf_counter() - began) / len(batch) * many
    rounds = study.rounds
    seconds += rounds.total * study.tuning.steps * step + rounds.looks * look
    seconds += rounds_anew(study, sites) * study.tuning.steps * step
    if rounds.alone:
        scored = len(rounds.scored_of(rounds.count))
        seconds += rounds.count * study.tuning.steps * step + (scored + sites) * look
    if rounds.personal is None:
        return seconds
    mixtures = len(rounds.personal.mixtures) * (1 if rounds.groups is None else 2)
    return seconds + rounds.count * (study.tuning.steps * step + look) + mixtures * look
