"""What a federated pre-training found: perplexities by site before and after, round by round, and what it cost."""

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from fedprompt.corpora.preparing import Counts
from fedprompt.federation.pretraining import PretrainRecord
from fedprompt.models.hf.digest import model_digest
from fedprompt.workspace.as_json import ABSENT
from fedprompt.workspace.rounds.pretraining_task import TaskAccuracy

__all__ = ["PretrainResult", "PretrainRound", "SiteBeforeAfter", "pretrain_result"]


@dataclass(frozen=True)
class PretrainRound:
    """One round: the perplexity that sites told, and the bytes that went each way."""

    round: int
    perplexity: float | None
    by_site: Mapping[str, float]
    sent: int
    received: int
    trained: Mapping[str, int]
    missing: Mapping[str, str]


@dataclass(frozen=True)
class SiteBeforeAfter:
    """A site's perplexity on the text that it holds out, before and after; and what its files held."""

    before: float | None
    after: float | None
    text: Counts | None = field(default=None, metadata=ABSENT)


@dataclass(frozen=True)
class PretrainResult:
    """What was trained: ``name`` is what a study writes as its ``model``, ``digest`` the model's, ``weights`` how many.

    ``before`` and ``after`` are perplexities over all sites, each counting once, before the first and after the last
    round. ``task`` is what the study's templates get right before and after, where cases were given.
    """

    name: str
    digest: str
    folder: str
    weights: int
    study: str
    run: str
    sites: Mapping[str, SiteBeforeAfter]
    rounds: tuple[PretrainRound, ...]
    before: float
    after: float
    task: TaskAccuracy | None
    sentences: tuple[str, ...]
    seconds: float


def pretrain_result(
    name: str,
    folder: Path,
    size: int,
    digest: str,
    run: str,
    records: Sequence[PretrainRecord],
    counts: Mapping[str, Counts],
    task: TaskAccuracy | None,
    began: float,
) -> PretrainResult:
    """Return what a run found.

    Args:
        name: of the model, whose ``folder`` is written and which has ``size`` weights.
        digest: of the study.
        records: the rounds, the look at the start first.
        counts: site -> what its files held, of the sites of this machine.
        task: what the study's templates get right.
        began: when the work began, by the monotonic clock.
    """
    first, last = records[0], records[-1]
    before, after = first.perplexities, last.perplexities
    sites = {
        site: SiteBeforeAfter(before.get(site), after.get(site), counts.get(site))
        for site in sorted({*before, *after, *counts})
    }
    assert first.perplexity is not None and last.perplexity is not None  # both are looked at
    return PretrainResult(
        name=name,
        digest=model_digest(folder),
        folder=str(folder),
        weights=size,
        study=digest,
        run=run,
        sites=sites,
        rounds=tuple(
            PretrainRound(
                one.number,
                one.perplexity,
                one.perplexities,
                sum(one.sent.values()),
                sum(one.received.values()),
                one.trained,
                {f"{m.site} {m.step}": m.why for m in one.missing},
            )
            for one in records
        ),
        before=first.perplexity,
        after=last.perplexity,
        task=task,
        sentences=_sentences(sites, first.perplexity, last.perplexity, task),
        seconds=round(time.monotonic() - began, 3),
    )


def _sentences(
    sites: Mapping[str, SiteBeforeAfter], before: float, after: float, task: TaskAccuracy | None
) -> tuple[str, ...]:
    fall = 100 * (1 - after / before)
    word = "fell" if after <= before else "rose"
    said = [f"The perplexity of held-out text {word} from {before:.2f} to {after:.2f} ({abs(fall):.1f} %)."]
    worse = [
        s for s, one in sites.items() if one.before is not None and one.after is not None and one.after > one.before
    ]
    if worse:
        said.append(f"It rose at {', '.join(worse)}: the model predicts their text less well than before.")
    if task is not None:
        said.append(task.sentence)
    return tuple(said)
