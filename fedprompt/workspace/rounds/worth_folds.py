"""The parts that sites are cut into, and what the others share with each part: rounds run anew without it.

Invariant: nothing that a part's sites are helped with was made with their cases. Prompts of the common rounds were, so
they are not among it; those that other sites tuned alone are, where the study gives them out.
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from fedprompt.adapting.given_weights import BEST, HEAD, given_weights
from fedprompt.bank.store import Bank
from fedprompt.errors import FederationError
from fedprompt.federation.round_record import RoundRecord
from fedprompt.prompts.head import Head
from fedprompt.prompts.origins import FOLD
from fedprompt.prompts.prompt import Prompt
from fedprompt.prompts.tensors import Tensors
from fedprompt.study.allowed_rounds import FOLDS
from fedprompt.study.schema import Study
from fedprompt.verbs.worth import MOST_MEMBERS
from fedprompt.workspace.rounds.federation_run import FederationRun
from fedprompt.workspace.rounds.gathering_heads import LEAST_HEADS, mean_head
from fedprompt.workspace.rounds.looks import BySite

__all__ = ["Offered", "folds_of", "most_soft", "offered"]


@dataclass(frozen=True)
class Offered:
    """What a part's sites are helped with: prompts, templates first, a head, and what each weighs, the head last."""

    prompts: tuple[Prompt, ...]
    weights: tuple[float, ...]
    head: Head | None = None


def folds_of(sites: Sequence[str], study: Study) -> tuple[tuple[str, ...], ...]:
    """Return the sites in as many parts as the study says, or one each where there are fewer sites.

    Raises:
        FederationError: so few sites are left without a part that the study's strategy cannot carry its rounds.
    """
    assert study.worth is not None
    count = min(study.worth.folds, len(sites))
    parts = tuple(tuple(sorted(sites)[place::count]) for place in range(count))
    least = max(1, study.rounds.strategy.least_sites)
    left = len(sites) - max((len(part) for part in parts), default=0)
    if left < least:
        raise FederationError(
            f"the gain from joining is measured without up to {len(sites) - left} of {len(sites)} sites, but "
            f"strategy '{study.rounds.strategy.name}' needs {least}; add sites, or write 'worth: {{folds: N}}' "
            "with more parts",
            code="too-few-sites",
        )
    return parts


def offered(
    federation: FederationRun,
    bank: Bank,
    study: Study,
    number: int,
    fold: Sequence[str],
    sites: Sequence[str],
    scores: BySite,
    alone: Mapping[str, RoundRecord],
    start: Tensors,
    seed: int,
) -> Offered:
    """Run the rounds without a part of the sites, and return what the others share with it.

    Args:
        number: the part's, from 1.
        fold: its sites.
        sites: all that take part.
        scores: of the templates on validation.
        alone: site -> the round that is kept of those that it tuned alone.
        start: what rounds start from.
        seed: the run's.

    Raises:
        FederationError: fewer than the quorum answered.
    """
    others = [site for site in sites if site not in fold]
    common = _without(federation, bank, study, number, others, start, seed)
    own = alone if study.rounds.released else {}  # as in the pack that is given out
    ids = list(federation.templates)
    soft = [common, *(own[site].prompt for site in others if site in own)][: most_soft(len(ids))]
    known = [scores[site] for site in others if site in scores]
    means = {prompt: sum(one[prompt].total / one[prompt].n for one in known) / max(1, len(known)) for prompt in ids}
    # Where there are more than fit, those that are best elsewhere.
    kept = sorted(sorted(ids, key=lambda prompt: -means[prompt])[: MOST_MEMBERS - len(soft)], key=ids.index)
    templates = [federation.templates[prompt] for prompt in kept]
    weights = given_weights([means[prompt] for prompt in kept], len(soft))
    head = None if study.head is None else mean_head(bank, federation.id, study, others, LEAST_HEADS)
    if head is None:
        return Offered((*templates, *soft), tuple(weights.tolist()))
    return Offered((*templates, *soft), (*((1 - HEAD) * weights).tolist(), HEAD), head[0])


def most_soft(templates: int) -> int:
    """Return how many soft prompts a site is helped with at most, so that there is room for the best templates."""
    return MOST_MEMBERS - min(templates, BEST)


def _without(
    federation: FederationRun,
    bank: Bank,
    study: Study,
    number: int,
    others: Sequence[str],
    start: Tensors,
    seed: int,
) -> Prompt:
    """Return the last prompt of the study's rounds among the others; none of them is scored on the way."""
    rounds, many = study.rounds, len(federation.hub.sites)
    quorum = (
        None
        if rounds.quorum is None
        else max(rounds.strategy.least_sites, math.ceil(rounds.quorum * len(others) / many))
    )
    changes = {"quorum": quorum, "patience": None, "groups": None, "personal": None}
    own = rounds.model_copy(update={**changes, "keep_updates": False, "alone": False, "released": False})
    run, among = f"{federation.id}/fold/{number}", FOLDS[number - 1]
    bank.start_run(run, kind="fold", study=federation.digest, settings={"fold": number, "sites": list(others)})
    records = federation.rounds(
        federation.hub.among(others),
        run,
        start,
        seed,
        study.model_copy(update={"rounds": own}),
        FOLD.of(number),
        f"without part {number} of the sites, round",
        among=among,
        looked=False,
    )
    return records[-1].prompt
