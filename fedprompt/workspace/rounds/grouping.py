"""A prompt for each group of sites: the rounds of all together are followed by rounds of each group.

Groups are made once, from the common prompt's best round, and written before any group goes on alone. Made by updates,
every site is asked for the update of the next round, and asked again for the very same one when its group's first
round begins: it sends the same bytes, and nothing is computed or charged twice. A group keeps the common prompt where
none of its own rounds is better on its sites' validation cases.
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from typing import Any

from fedprompt.bank.store import Bank
from fedprompt.federation.clustering import Grouping, group_by_scores, group_by_updates
from fedprompt.federation.pacing import deadline_of
from fedprompt.federation.round_record import RoundRecord, best_round
from fedprompt.prompts.origins import GROUP
from fedprompt.prompts.prompt import Prompt
from fedprompt.strategies.strategy import Update
from fedprompt.study.schema import Study
from fedprompt.study.score import Score
from fedprompt.verbs.tune import ask_tune
from fedprompt.workspace.results.points import points
from fedprompt.workspace.rounds.federation_run import FederationRun
from fedprompt.workspace.timing import Clock

__all__ = ["SiteGroup", "group_sentences", "run_groups"]

STAGE = "groups"


@dataclass(frozen=True)
class SiteGroup:
    """A group: its sites, the prompt that it keeps, and the round that made it, which may be one of all together."""

    number: int
    sites: tuple[str, ...]
    prompt: Prompt
    round: int
    value: float
    common: float


def run_groups(
    federation: FederationRun,
    bank: Bank,
    study: Study,
    scores: Mapping[str, Mapping[str, Score]],
    records: Sequence[RoundRecord],
    seed: int,
    clock: Clock,
) -> tuple[SiteGroup, ...]:
    """Make the groups that the study asks for, run their rounds, and return them; none if all sites stay together.

    Args:
        federation: the run, its common rounds done.
        scores: site -> template -> score on validation, of the sites that scored all.
        records: the common rounds.
        seed: the run's.

    A site that does not answer while groups are made is in none, and keeps the common prompt.

    Raises:
        FederationError: fewer than the quorum answered.
    """
    robust = study.rounds.strategy.robust
    common, after = best_round(records, federation.left_out, bounded=robust), len(records)
    groups = _members(federation, bank, study, scores, common, after, seed, clock)
    if len(groups) < 2:
        return ()
    return tuple(
        _one(federation, bank, study, common, after, seed, number, sites) for number, sites in enumerate(groups, 1)
    )


def _members(
    federation: FederationRun,
    bank: Bank,
    study: Study,
    scores: Mapping[str, Mapping[str, Score]],
    common: RoundRecord,
    after: int,
    seed: int,
    clock: Clock,
) -> list[list[str]]:
    stored = bank.stages(federation.id).get(STAGE)
    if stored is None:
        asked = study.rounds.groups
        assert asked is not None
        missing: dict[str, str] = {}
        if asked.by == "templates":
            values = {s: {p: one.total / one.n for p, one in found.items()} for s, found in scores.items()}
            kept = {s: {p: values[s][p] for p in federation.templates} for s in values}
            found = group_by_scores(kept, asked)
        else:
            updates, missing = _updates(federation, study, common, after, seed, clock)
            found = group_by_updates(updates, asked)
        bank.record_stage(federation.id, STAGE, _shown(found, asked.by, common, missing))
        stored = bank.stages(federation.id)[STAGE]
    return [list(group["sites"]) for group in stored["groups"]]


def _updates(
    federation: FederationRun, study: Study, common: RoundRecord, after: int, seed: int, clock: Clock
) -> tuple[list[Update], dict[str, str]]:
    """Return every site's update from the common prompt, and why some are missing."""
    tuned = common.prompt.tuned
    assert tuned is not None
    rounds, hub, sites = study.rounds, federation.hub, federation.asking.sites

    def ask(site: str) -> Update:
        return ask_tune(
            hub,
            site,
            tuned.values,
            round=after + 1,
            steps=study.tuning.steps,
            seed=seed,
            precision=rounds.update,
            among="group",
        )

    def told(site: str) -> None:
        clock.tell(f"finding similar sites: {site} tunes", sites.index(site) / len(sites), round=after + 1, site=site)

    deadline = deadline_of(rounds, [common.seconds], "tune")
    gathering = federation.asking.gather("tune", ask, deadline=deadline, told=told, number=after + 1)
    updates = [update for _, update in gathering]
    return updates, {one.site: one.reason for one in gathering.missing}


def _one(
    federation: FederationRun,
    bank: Bank,
    study: Study,
    common: RoundRecord,
    after: int,
    seed: int,
    number: int,
    sites: Sequence[str],
) -> SiteGroup:
    rounds = study.rounds
    assert rounds.groups is not None and common.prompt.tuned is not None
    many = len(federation.hub.sites)
    quorum = (
        None
        if rounds.quorum is None
        else max(rounds.strategy.least_sites, math.ceil(rounds.quorum * len(sites) / many))
    )
    own = rounds.model_copy(update={"count": rounds.groups.rounds, "quorum": quorum, "groups": None, "personal": None})
    run, about = f"{federation.id}/group/{number}", {"number": number, "sites": list(sites)}
    bank.start_run(run, kind="group", study=federation.digest, settings=about)
    records = federation.rounds(
        federation.hub.among(sites),
        run,
        common.prompt.tuned,
        seed,
        study.model_copy(update={"rounds": own}),
        GROUP.of(number),
        f"group {number}, round",
        after=after,
        group=about,
        parent=common.prompt.id,
        among="group",
    )
    known = {site: score for site, score in common.scores.items() if site in sites}
    before = [replace(common, scores=known)] if known else []
    best = best_round([*before, *records], federation.left_out)
    reached = best.mean
    assert reached is not None, "after the last of its rounds"
    value = before[0].mean if before else None
    return SiteGroup(number, tuple(sites), best.prompt, best.number, reached, reached if value is None else value)


def _shown(found: Grouping, by: str, common: RoundRecord, missing: Mapping[str, str]) -> dict[str, Any]:
    return {
        "by": by,
        "from": common.prompt.id,
        "groups": [{"group": n, "sites": list(sites)} for n, sites in enumerate(found.groups, 1)],
        "cuts": [asdict(cut) for cut in found.cuts],
        "missing": dict(missing),
    }


def group_sentences(groups: Sequence[SiteGroup], weighed: Mapping[str, Any]) -> list[str]:
    """Return, in a sentence each, who is in which group and what it was for; or why all stay together."""
    if not groups:
        cuts = weighed.get("cuts") or []
        why = cuts[0]["why"] if cuts else "they cannot be split into groups of the size that the study needs"
        return [f"all sites stay in one group: {why}"]
    found = []
    for group in groups:
        who = ", ".join(group.sites)
        gain = group.value - group.common
        what = "keeps the common prompt, because none of its own rounds was better"
        if gain > 0:
            what = f"has its own prompt, {points(gain)} points better than the common one on its validation cases"
        found.append(f"group {group.number} ({who}) {what}")
    return found
