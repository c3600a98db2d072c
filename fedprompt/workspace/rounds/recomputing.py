"""``hub remove SITE --recompute``: a finished run told again without a site, and the standings without its scores.

Nothing in the bank is changed or taken away: what comes out is a run of its own beside the old one. No site is asked,
so the prompts that come out have no scores until a federation evaluates them.
"""

from collections.abc import Mapping
from dataclasses import dataclass

from fedprompt.bank.rows import RunRow
from fedprompt.errors import FederationError
from fedprompt.federation.replay import replay
from fedprompt.federation.round_record import RoundRecord, best_round
from fedprompt.prompts.origins import FEDERATED, RECOMPUTED
from fedprompt.study.schema import Rounds
from fedprompt.workspace.as_json import as_json, from_json
from fedprompt.workspace.rounds.federation_run import BankWriter
from fedprompt.workspace.rounds.in_bank import BankKeeper
from fedprompt.workspace.workspace import Workspace

__all__ = ["Recomputed", "RoundAgain", "Standing", "recompute_without"]


@dataclass(frozen=True)
class RoundAgain:
    """A round told again: its prompt ``before`` and now, of the updates of so many ``sites``.

    It is ``exact`` where the site that is left out had no share in the prompt that the others tuned from.
    """

    round: int
    before: str
    prompt: str
    sites: tuple[str, ...]
    exact: bool


@dataclass(frozen=True)
class Standing:
    """A template's mean and worst value on validation over the ``sites`` that stay."""

    prompt: str
    name: str
    mean: float
    worst: float
    sites: int


@dataclass(frozen=True)
class Recomputed:
    """A run ``of`` a federation without a site: the prompts kept ``before`` and now, and the templates' standings."""

    run: str
    of: str
    site: str
    rounds: tuple[RoundAgain, ...]
    before: str
    prompt: str
    templates: tuple[Standing, ...]
    sentence: str


def recompute_without(ws: Workspace, site: str, *, run: str | None = None) -> Recomputed:
    """Replay a federation's rounds without a site's updates and keep the prompts that come out.

    The same run and site give the same prompts; done before, what was found is returned.

    Args:
        site: who is left out.
        run: which federation; the newest in which the site took part, if None.

    Raises:
        FederationError: the site took part in no federation, its updates were not kept, or too few sites are left.
        BankError: there is no such run.
    """
    row = _chosen(ws, site) if run is None else ws.bank.run(run)
    study = ws.bank.study(row.study).study
    keeper = BankKeeper(ws.bank, row.id, row.study)
    records = BankWriter(ws.bank, row.id, row.study, FEDERATED.key).written()
    made = records[0].prompt.tuned if records else None
    start = None if made is None else keeper.start(made)
    if start is None:
        raise FederationError(
            f"run {row.id} kept no updates, so '{site}' cannot be removed from its prompts. 'rounds: "
            "{keep_updates: true}' in the study keeps the updates of later runs. A new run without the site "
            "starts over",
            code="no-updates-kept",
        )
    name = f"{row.id}/without/{site}"
    begun = ws.bank.start_run(name, kind="recomputed", study=row.study, settings={"of": row.id, "site": site})
    if begun.result is not None:
        return from_json(Recomputed, begun.result)
    told = replay(records, keeper, start, study.rounds.strategy, {site})
    parents: list[str] = []
    for one in told:
        notes = {"round": one.number, "run": name, "without": site, "exact": one.exact}
        ws.bank.record_prompt(one.prompt, study=row.study, origin=RECOMPUTED.key, parents=parents, notes=notes)
        parents = [one.prompt.id]
    left = [_left(record, site) for record in records]
    scored, robust = [record for record in left if record.scores], study.rounds.strategy.robust
    best = best_round(scored, bounded=robust).number if scored else None
    chosen = told[-1] if best is None else next(one for one in told if one.number == best)
    result = Recomputed(
        run=name,
        of=row.id,
        site=site,
        rounds=tuple(RoundAgain(o.number, o.before, o.prompt.id, tuple(o.sites), o.exact) for o in told),
        before=best_round(records, bounded=robust).prompt.id,
        prompt=chosen.prompt.id,
        templates=_standings(ws, row, site),
        sentence=_sentence(site, chosen.number, len(chosen.sites), chosen.exact, study.rounds),
    )
    ws.bank.finish_run(name, as_json(result))
    return result


def _chosen(ws: Workspace, site: str) -> RunRow:
    for row in ws.bank.runs(kind="federate"):
        if site in ws.bank.stages(row.id).get("sites", {}):
            return row
    raise FederationError(
        f"site '{site}' took part in no federation of this bank, so there is nothing to recompute", code="took-no-part"
    )


def _left(record: RoundRecord, site: str) -> RoundRecord:
    """Return a round as those see it who stay: which one was the best is theirs to say."""
    scores = {name: score for name, score in record.scores.items() if name != site}
    return RoundRecord(record.number, record.prompt, scores, (), 0, {})


def _standings(ws: Workspace, row: RunRow, site: str) -> tuple[Standing, ...]:
    """Return the templates' standings on validation over the sites that stay."""
    found: dict[str, dict[str, float]] = {}
    for one in ws.bank.scores(run=row.id, split="validation"):
        if one.site != site and one.round is None and one.score.n:
            found.setdefault(one.score.prompt, {})[one.site] = one.score.total / one.score.n
    names = {prompt.id: prompt.name for prompt in ws.bank.prompts(study=row.study) if prompt.kind == "template"}
    rows = [_standing(prompt, names[prompt], values) for prompt, values in found.items() if prompt in names]
    return tuple(sorted(rows, key=lambda one: (-one.mean, one.prompt)))


def _standing(prompt: str, name: str, values: Mapping[str, float]) -> Standing:
    mean = sum(value for _, value in sorted(values.items())) / len(values)
    return Standing(prompt, name, mean, min(values.values()), len(values))


def _sentence(site: str, number: int, sites: int, exact: bool, rounds: Rounds) -> str:
    what = f"round {number} of {rounds.count} without {site}: a prompt of {sites} sites' updates"
    if exact:
        return f"{what}, exactly as it would have been"
    return (
        f"{what}. The other sites tuned from prompts that included updates of {site}, so this is an estimate until "
        "it is scored"
    )
