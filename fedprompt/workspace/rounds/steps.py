"""The steps of a federation in their order, whoever runs it: over machines, in one process, or as the demo.

Sites describe their cases, score the templates, tune together, tune alone, give heads, share, answer as newcomers,
compare, and are looked at on test once. Invariant: what is in the bank is not asked for again, so that a run which
stopped goes on with the same numbers.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

from fedprompt.bank.store import Bank
from fedprompt.errors import FederationError
from fedprompt.federation.round_record import RoundRecord, best_round
from fedprompt.models.protocols import Encoder
from fedprompt.prompts.prompt import Prompt
from fedprompt.prompts.tensors import Tensors
from fedprompt.study.schema import Study
from fedprompt.verbs.describe import DescribeReply, ask_describe
from fedprompt.workspace.results.worth import WorthResult
from fedprompt.workspace.rounds.alone import Nominated, nominate, tune_alone
from fedprompt.workspace.rounds.federation_run import FederationRun, pooled_best
from fedprompt.workspace.rounds.gathering_heads import gather_heads
from fedprompt.workspace.rounds.looks import BySite, TestLook
from fedprompt.workspace.rounds.measuring_worth import measure_worth
from fedprompt.workspace.rounds.planned_questions import SPLITS, too_many
from fedprompt.workspace.rounds.shared_result import Pair, Shared, share
from fedprompt.workspace.timing import Clock

__all__ = ["Found", "take_steps"]


@dataclass(frozen=True)
class Found:
    """What the steps found.

    ``scores`` are the templates' on validation, ``manual`` the best of them. ``best`` is the round that is kept of
    ``records``; it and ``shared`` are None where the study has no soft slot, ``alone`` where no site tuned alone,
    ``worth`` where it was not measured.
    """

    scores: BySite
    manual: Prompt
    records: tuple[RoundRecord, ...]
    best: RoundRecord | None
    shared: Shared | None
    alone: Nominated | None
    look: TestLook
    worth: WorthResult | None = None

    @property
    def nominated(self) -> dict[str, Prompt]:
        """The prompts of all sites that were looked at on test, by the row of the table."""
        return {"manual": self.manual, **({} if self.best is None else {"federated": self.best.prompt})}


def take_steps(
    federation: FederationRun,
    bank: Bank,
    study: Study,
    start: Tensors | None,
    sources: Mapping[str, str],
    seed: int,
    clock: Clock,
    *,
    bounded: bool = False,
    pooled: Callable[[Tensors], Prompt] | None = None,
    encoder: Callable[[], Encoder] | None = None,
) -> Found:
    """Take every step of the study that the bank does not have yet.

    Args:
        federation: the sites, and the run that is kept.
        start: what tuning starts from; None where nothing is tuned.
        sources: site -> what its cases are, in words.
        seed: the run's.
        bounded: the sites' cases answer so many exact questions and no more, so that a study which asks more is refused
            before it asks any.
        pooled: tunes on the cases of all sites at once, which only a demo may do. Its prompt is looked at beside the
            others, and every two of them are compared.
        encoder: returns the sentence encoder, for a study that asks for heads.

    Raises:
        FederationError: fewer sites than the quorum answered, or the study asks more than the sites' cases bear.
        Stopped: the work was to end or to pause, and what is done is kept.
    """
    described = _described(bank, federation, study.answer.labels, sources)
    if bounded:
        _check_questions(study, described)
    bank.record_stage(federation.id, "sites", described)
    with clock.stage("score", "the sites score the candidate templates"):
        scores = federation.score_templates()
        manual = federation.templates[pooled_best(scores, list(federation.templates), study.rounds.max_weight)]
    records: tuple[RoundRecord, ...] = ()
    best: RoundRecord | None = None
    shared: Shared | None = None
    alone: Nominated | None = None
    worth: WorthResult | None = None
    if start is not None:
        with clock.stage("federate", "the sites tune a soft prompt together"):
            records = federation.tune(start, seed)
            best = best_round(records, federation.left_out, bounded=study.rounds.strategy.robust)
        own: dict[str, RoundRecord] = {}
        if study.rounds.alone:
            with clock.stage("alone", "each site tunes a soft prompt alone, for comparison"):
                own = tune_alone(federation, bank, study, start, seed)
            central = None if pooled is None else pooled(start)
            alone = nominate(manual, best, own, scores, central)
        gather_heads(federation, bank, study, encoder, clock)
        shared = share(federation, bank, study, scores, records, start, seed, clock)
        worth = measure_worth(federation, bank, study, scores, own, start, seed, clock)
    with clock.stage("test", "the nominated prompts are evaluated on test, once"):
        first = [manual] if best is None else [best.prompt, manual]
        if shared is not None:
            federation.compare_on_validation([*first, *shared.prompts], [prompt.id for prompt in shared.prompts])
        elif len(federation.templates) > 1:
            federation.compare_on_validation(first)
        look = _looked(federation, first[::-1], shared, alone)
    return Found(scores, manual, records, best, shared, alone, look, worth)


def _looked(
    federation: FederationRun, nominated: Sequence[Prompt], shared: Shared | None, alone: Nominated | None
) -> TestLook:
    """Have the nominated prompts scored on test, and compared there as the table needs them."""
    sites, pairs = federation.hub.sites, dict[str, list[Pair]]()
    asked = [*nominated]
    if shared is not None:
        pairs = shared.pairs(nominated[0], sites)
        asked += shared.prompts
    if alone is not None:
        asked += alone.prompts
        for site in alone.alone:
            ours, every = pairs.get(site, []), alone.every_pair()[site]
            pairs[site] = _both(ours, alone.pairs(site)) if alone.centralised is None else _both(every, ours)
    once = list({prompt.id: prompt for prompt in asked}.values())
    wanted = {site: pairs.get(site, []) for site in sites}
    return federation.look_at_test(once, wanted, None if shared is None else shared.kept)


def _both(first: Sequence[Pair], second: Sequence[Pair]) -> list[Pair]:
    """Return the pairs of both, each two prompts once, whichever way round."""
    return [*first, *(pair for pair in second if not {pair, pair[::-1]} & set(first))]


def _check_questions(study: Study, described: Mapping[str, Mapping[str, Any]]) -> None:
    for site, counts in described.items():
        units = counts["units"]  # as the site counts its bound
        if (why := too_many(study, {split: int(units[split]) for split in SPLITS}, len(described))) is not None:
            raise FederationError(f"site '{site}': {why}", code="too-many-questions")


def _described(
    bank: Bank, federation: FederationRun, labels: tuple[str, ...], sources: Mapping[str, str]
) -> dict[str, Any]:
    found: dict[str, Any] = {}

    def take(site: str, reply: DescribeReply) -> None:
        if reply.identity is not None:
            bank.register_site(site, reply.identity)
        found[site] = {
            "source": sources[site],
            "tune": reply.tune,
            "validation": reply.validation,
            "test": reply.test,
            "units": dict(zip(SPLITS, reply.units or (reply.tune, reply.validation, reply.test), strict=True)),
            "labels": dict(zip(labels, reply.labels, strict=True)),
            "version": reply.version,
        }

    federation.each(
        "describe", partial(ask_describe, federation.hub), take, lambda site: (f"{site} counts its cases", 0.0)
    )
    return {site: found[site] for site in federation.hub.sites if site in found}
