"""What the demo found, as the one value that its command, its page and its tests read."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from fedprompt.models.work import Work
from fedprompt.prompts.prompt import Prompt
from fedprompt.study.score import Score
from fedprompt.workspace.as_json import ABSENT, INLINE
from fedprompt.workspace.demo.worthwhile import DonorsGain, NewcomerResult
from fedprompt.workspace.results.shown import ShownWork
from fedprompt.workspace.rounds.alone import AloneResult, alone_result
from fedprompt.workspace.rounds.federated import RoundValues
from fedprompt.workspace.rounds.result_table import headline
from fedprompt.workspace.rounds.steps import Found

__all__ = ["DemoResult", "DemoRound", "DemoTemplate", "Joined", "demo_result"]

POOLED = "the prompt 'centralised' is tuned on pooled cases. Only this demo can do that, because its texts are public"
SHARED = (
    "the newcomer took part in no round. What it and the sites learn from their own cases stays with them. The "
    "other demo, 'fedprompt demo --task sentiment', shows a task with little to gain"
)


@dataclass(frozen=True)
class DemoTemplate:
    """A candidate template on validation: its mean over all cases, over sites, the worst site, and every site."""

    prompt: str
    name: str
    pooled: float
    mean: float
    worst: float
    by_site: Mapping[str, float]


@dataclass(frozen=True)
class DemoRound(RoundValues):
    """A round with its prompt, and whether that one was ``kept``."""

    prompt: str
    kept: bool


@dataclass(frozen=True)
class Joined:
    """What shared prompts gave a newcomer and those who took part, and what that took of the model at the newcomer."""

    newcomer: NewcomerResult
    donors: DonorsGain
    work: Work


@dataclass(frozen=True)
class DemoResult:
    """A finished demo: its templates, its rounds, and what joining gave each site beside tuning alone.

    ``newcomer`` and ``donors`` are of a task that has a newcomer, and then ``headline`` is the newcomer's sentence.
    ``settings`` are the demo's and, as ``machine``, what moves a number in its last digits. ``clipped`` cases were too
    long for the model, by site; ``seconds`` are by stage, and ``total``.
    """

    seed: int
    run: str
    study: str
    model: str
    settings: Mapping[str, Any]
    templates: tuple[DemoTemplate, ...]
    rounds: tuple[DemoRound, ...]
    outcome: AloneResult = field(metadata=INLINE)
    headline: str
    note: str
    work: ShownWork = field(metadata=INLINE)
    clipped: Mapping[str, int]
    seconds: Mapping[str, float]
    newcomer: NewcomerResult | None = field(default=None, metadata=ABSENT)
    donors: DonorsGain | None = field(default=None, metadata=ABSENT)


def demo_result(
    *,
    run: str,
    study: str,
    model: str,
    settings: Mapping[str, Any],
    seconds: Mapping[str, float],
    work: ShownWork,
    clipped: Mapping[str, int],
    templates: Sequence[Prompt],
    found: Found,
    joined: Joined | None = None,
) -> DemoResult:
    """Return the demo's result.

    Args:
        study: the study's digest.
        settings: the demo's and the machine's, the ``seed`` among them.
        seconds: stage -> how long it took.
        work: what all of it took of the model.
        clipped: site -> cases that were too long for the model's window.
        found: what the steps of the federation found.
        joined: what shared prompts gave, where the task has a newcomer.
    """
    nominated = found.alone
    assert nominated is not None, "the demo's sites tune alone too"
    outcome = alone_result(nominated, found.look, settings["seed"])
    assert outcome is not None, "every site of the demo is looked at"
    return DemoResult(
        seed=settings["seed"],
        run=run,
        study=study,
        model=model,
        settings=dict(settings),
        templates=_ranking(found.scores, templates, tuple(nominated.alone)),
        rounds=tuple(
            DemoRound(
                round=record.number,
                by_site=record.by_site,
                mean=record.mean,
                bytes=record.bytes,
                prompt=record.prompt.id,
                kept=record.prompt.id == nominated.federated.id,
            )
            for record in found.records
        ),
        outcome=outcome,
        headline=(
            headline(outcome.test, outcome.differences["federated_vs_manual"])
            if joined is None
            else joined.newcomer.sentence
        ),
        note=POOLED if nominated.centralised is not None else SHARED,
        work=work,
        clipped=dict(clipped),
        seconds={**seconds, "total": round(sum(seconds.values()), 3)},
        newcomer=None if joined is None else joined.newcomer,
        donors=None if joined is None else joined.donors,
    )


def _ranking(
    scores: Mapping[str, Mapping[str, Score]], templates: Sequence[Prompt], sites: Sequence[str]
) -> tuple[DemoTemplate, ...]:
    rows = []
    for prompt in templates:
        found = {site: scores[site][prompt.id] for site in sites}
        values = {site: score.total / score.n for site, score in found.items()}
        rows.append(
            DemoTemplate(
                prompt=prompt.id,
                name=prompt.name,
                pooled=sum(s.total for s in found.values()) / sum(s.n for s in found.values()),
                mean=sum(values.values()) / len(values),
                worst=min(values.values()),
                by_site=values,
            )
        )
    return tuple(sorted(rows, key=lambda row: -row.pooled))
