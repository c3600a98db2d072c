"""Federated tuning, round by round: tune at the sites, aggregate, score on validation, write, next.

Each round is written before the next begins, so a run that stopped goes on from its last written round and ends with
the same numbers: a round depends on the round before, the seed and the settings alone.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np

from fedprompt.errors import FederationError
from fedprompt.federation.hub import Hub
from fedprompt.federation.strategies.registry import strategy_named
from fedprompt.prompts.prompt import Prompt
from fedprompt.prompts.soft import SoftPrompt
from fedprompt.prompts.template import Template
from fedprompt.study.schema import Rounds, Tuning
from fedprompt.study.score import Score

__all__ = ["RoundRecord", "RoundWriter", "best_round", "run_rounds"]


@dataclass(frozen=True)
class RoundRecord:
    """What a round left: the global prompt, each site's validation score and mean loss, and the bytes received."""

    number: int
    prompt: Prompt
    scores: Mapping[str, Score]
    loss: Mapping[str, float]
    bytes: int
    heads: Mapping[str, str]

    @property
    def by_site(self) -> dict[str, float]:
        """Site -> value of the metric on validation."""
        return {site: score.total / score.n for site, score in self.scores.items()}

    @property
    def mean(self) -> float:
        """The unweighted mean over sites."""
        values = [value for _, value in sorted(self.by_site.items())]
        return sum(values) / len(values)


class RoundWriter(Protocol):
    """Where rounds are kept; filled by whoever knows the bank."""

    def written(self) -> Sequence[RoundRecord]:
        """Return the rounds already written, in order."""
        ...

    def write(self, record: RoundRecord) -> None:
        """Keep one round; it is durable when this returns."""
        ...


def run_rounds(
    hub: Hub,
    template: Template,
    start: SoftPrompt,
    *,
    rounds: Rounds,
    tuning: Tuning,
    seed: int,
    writer: RoundWriter,
    progress: Callable[[int, str, str], None] | None = None,
) -> tuple[RoundRecord, ...]:
    """Run the rounds that are not written yet and return all of them.

    Args:
        start: what round 1 starts from.
        progress: hears (round, site, "tune" or "evaluate") before each step.

    A site that fails is left out of that step of the round; a round counts once the quorum has tuned and has scored.

    Raises:
        FederationError: fewer sites than the quorum answered.
    """
    strategy = strategy_named(rounds.strategy.name)
    done = list(writer.written())
    vectors = done[-1].prompt.soft.vectors if done and done[-1].prompt.soft is not None else start.vectors
    quorum = min(rounds.quorum or len(hub.sites), len(hub.sites))
    for number in range(len(done) + 1, rounds.count + 1):
        before = hub.received.total()
        updates, losses, failed = [], {}, []
        for site in hub.sites:
            if progress is not None:
                progress(number, site, "tune")
            try:
                update, loss = hub.tune(site, vectors, round=number, steps=tuning.steps, seed=seed)
            except FederationError as error:
                failed.append(str(error))
                continue
            updates.append(update)
            losses[site] = loss
        _require(quorum, len(updates), number, hub, failed)
        vectors = strategy.aggregate(vectors, updates, rounds.strategy.options)
        if not np.isfinite(vectors).all():
            raise FederationError(f"round {number}: the aggregate is not finite; lower the learning rate")
        prompt = Prompt(template, SoftPrompt(vectors, start.model))
        scores: dict[str, Score] = {}
        for site in hub.sites:
            if progress is not None:
                progress(number, site, "evaluate")
            try:
                scores[site] = hub.evaluate(site, [prompt], "validation").scores[0]
            except FederationError as error:
                failed.append(str(error))
        _require(quorum, len(scores), number, hub, failed)
        record = RoundRecord(number, prompt, scores, losses, hub.received.total() - before, dict(hub.heads))
        writer.write(record)
        done.append(record)
    return tuple(done)


def _require(quorum: int, answered: int, number: int, hub: Hub, failed: Sequence[str]) -> None:
    if answered < quorum:
        raise FederationError(
            f"round {number}: {answered} of {len(hub.sites)} sites answered and {quorum} are needed ({failed[-1]})"
        )


def best_round(records: Sequence[RoundRecord]) -> RoundRecord:
    """Return the round with the highest mean on validation, the earliest of equals.

    Among those that the most sites scored: a mean over fewer sites is another quantity.

    Raises:
        FederationError: there is none.
    """
    if not records:
        raise FederationError("no round was run, so there is none to keep")
    return max(records, key=lambda record: (len(record.scores), record.mean, -record.number))
