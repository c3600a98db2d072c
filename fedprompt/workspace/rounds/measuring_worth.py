"""What joining is worth: each site answers as a newcomer, helped by what others made without it.

The sites are cut into parts; for each, the rounds are run anew without its sites, which then answer alone and with what
the others share. Invariant: what the bank has is not asked for again, so that a measurement that was stopped goes on.
"""

from collections.abc import Mapping, Sequence
from contextlib import suppress
from functools import partial

from fedprompt.adapting.settings import AtN
from fedprompt.bank.store import Bank
from fedprompt.errors import FederationError
from fedprompt.federation.round_record import RoundRecord
from fedprompt.prompts.tensors import Tensors
from fedprompt.study.schema import Study
from fedprompt.verbs.worth import WorthReply, ask_worth
from fedprompt.workspace.results.worth import WorthAtN, WorthResult
from fedprompt.workspace.rounds.federation_run import FederationRun
from fedprompt.workspace.rounds.looks import BySite
from fedprompt.workspace.rounds.worth_curve import curve_of, found_at, settings_of_found, worth_sentences
from fedprompt.workspace.rounds.worth_folds import Offered, folds_of, offered
from fedprompt.workspace.rounds.worth_ways import ways_of
from fedprompt.workspace.timing import Clock

__all__ = ["measure_worth"]

FOLDS = "worth folds"


def measure_worth(
    federation: FederationRun,
    bank: Bank,
    study: Study,
    scores: BySite,
    alone: Mapping[str, RoundRecord],
    start: Tensors,
    seed: int,
    clock: Clock,
) -> WorthResult | None:
    """Return what joining is worth, None where the study does not ask for it.

    Args:
        federation: the run, its common rounds done.
        scores: site -> template -> score on validation, of the sites that scored all; these take part.
        alone: site -> the round that is kept of those that it tuned alone.
        start: what rounds start from.
        seed: the run's.

    Raises:
        FederationError: too few sites to leave some out, or fewer than the quorum answered the rounds without a part.
    """
    if study.worth is None:
        return None
    parts = _parts(federation, bank, study, scores)
    sites = [site for part in parts for site in part]
    with clock.stage("without", "rounds without some of the sites, to measure the gain from joining"):
        given: dict[str, Offered] = {}
        for number, part in enumerate(parts, 1):
            found = offered(federation, bank, study, number, part, sites, scores, alone, start, seed)
            given |= dict.fromkeys(part, found)
    most = f"up to {study.worth.seconds:g} s per site for each number of cases"
    with clock.stage("worth", f"sites answer as newcomers with few labelled cases, {most}"):
        at = []
        for place, n in enumerate(study.worth.n):
            if (one := _at(federation, bank, study, n, given, start, clock, place / len(study.worth.n))) is not None:
                at.append(one)
    curve = curve_of(at)
    note = None if at else "no site answered as a newcomer, so nothing was measured"
    return WorthResult(curve, settings_of_found(at), tuple(at), parts, worth_sentences(curve, at), note)


def _parts(federation: FederationRun, bank: Bank, study: Study, scores: BySite) -> tuple[tuple[str, ...], ...]:
    stored = bank.stages(federation.id).get(FOLDS)
    if stored is None:
        asked = [site for site in federation.asking.sites if site in scores]
        body = {"folds": [list(part) for part in folds_of(asked, study)]}
        bank.record_stage(federation.id, FOLDS, body)
        stored = bank.stages(federation.id)[FOLDS]
    return tuple(tuple(part) for part in stored["folds"])


def _at(
    federation: FederationRun,
    bank: Bank,
    study: Study,
    n: int,
    given: Mapping[str, Offered],
    start: Tensors,
    clock: Clock,
    done: float,
) -> WorthAtN | None:
    """Ask every site for one number of cases; None where none answered."""
    worth = study.worth
    assert worth is not None
    ways = ways_of(worth, n)
    stages, missing = bank.stages(federation.id), dict[str, str]()
    replies = {site: WorthReply.model_validate(stages[_stage(n, site)]) for site in given if _stage(n, site) in stages}
    asked = []
    for site in given:
        if site in replies:
            continue
        described = federation.hub.described.get(site)
        if described is not None and described.tune < n:
            missing[site] = f"site '{site}' has {described.tune} cases to draw from"
            continue
        asked.append(site)

    def told(site: str) -> None:
        fraction = done + (asked.index(site) / max(1, len(asked))) / len(worth.n)
        clock.tell(f"{site} answers as a newcomer with {n} labelled cases", fraction, site=site)

    if asked:
        ask = partial(_ask, federation, given, ways, worth.draws, start)
        gathering = federation.asking.gather("worth", ask, sites=asked, quorum=1, told=told)
        with suppress(FederationError):  # none of them answered: why is listed
            for site, reply in gathering:
                bank.record_stage(federation.id, _stage(n, site), reply.model_dump(mode="json"))
                replies[site] = reply
        missing |= {one.site: one.reason for one in gathering.missing}
    for site, reason in missing.items():
        federation.missing.setdefault(site, {})["worth"] = reason
    return found_at(ways, replies, missing) if replies else None


def _ask(
    federation: FederationRun,
    given: Mapping[str, Offered],
    ways: Sequence[AtN],
    draws: int,
    start: Tensors,
    site: str,
) -> WorthReply:
    shared = given[site]
    return ask_worth(
        federation.hub,
        site,
        shared.prompts,
        shared.weights,
        ways,
        draws=draws,
        start=start.values,
        head=shared.head,
    )


def _stage(n: int, site: str) -> str:
    return f"worth {n} {site}"
