"""Federated pre-training, round by round: weights go out, sites take steps, changes come back and become one step.

Weights and changes are files by digest, mapped and worked on block by block, so that the hub's memory does not grow
with the model or the sites. Each round is written before the next begins: its weights and the strategy's state first,
then its record. A run that stopped goes on with the same numbers.
"""

import math
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, Protocol, TypeVar

import numpy as np
from numpy.typing import NDArray

from fedprompt.errors import FederationError, ReplyUntrue, SiteRefused
from fedprompt.federation.asking import Asking, in_round
from fedprompt.federation.gathering import Missing
from fedprompt.federation.pacing import deadline_of
from fedprompt.federation.weights import most_cases, weighed
from fedprompt.strategies.registry import strategy_named
from fedprompt.strategies.strategy import Update
from fedprompt.study.schema import Study
from fedprompt.study.weights_bound import longest_weights_update
from fedprompt.tuning.pretraining.flat_files import blocks, digest_of, mapped, write_flat
from fedprompt.verbs.describe import ask_describe
from fedprompt.verbs.perplexity import PerplexityReply, ask_perplexity
from fedprompt.verbs.pretrain import ask_pretrain
from fedprompt.verbs.update import take_update
from fedprompt.verbs.weights import send_weights

__all__ = ["PretrainRecord", "PretrainRounds", "RecordKeeper", "aggregate_files"]

ROUNDING = 1e-3  # of a norm: int8 rounds each number by itself
T = TypeVar("T")
Told = Callable[[int, str, str], None]  # hears (round, site, "tune" or "evaluate")


@dataclass(frozen=True)
class PretrainRecord:
    """What a round left. Round 0 is the start, which sites only look at.

    Attributes:
        digest: SHA-256 of the weights' bytes.
        losses: site -> mean loss on held-out text in nats, of the sites that looked; ``tokens`` and ``documents`` say
            over how many.
        trained: site -> documents that its update counts for.
        sent, received: bytes by site.
        seconds: step -> site -> seconds.
    """

    number: int
    digest: str
    losses: Mapping[str, float]
    tokens: Mapping[str, int]
    documents: Mapping[str, int]
    trained: Mapping[str, int] = field(default_factory=dict)
    sent: Mapping[str, int] = field(default_factory=dict)
    received: Mapping[str, int] = field(default_factory=dict)
    seconds: Mapping[str, Mapping[str, float]] = field(default_factory=dict)
    missing: tuple[Missing, ...] = ()

    @property
    def perplexities(self) -> dict[str, float]:
        """Site -> perplexity of its held-out text."""
        return {site: math.exp(min(700.0, loss)) for site, loss in self.losses.items()}

    @property
    def perplexity(self) -> float | None:
        """The exponential of the sites' mean loss, each site counting once; None where nobody looked."""
        return math.exp(min(700.0, sum(self.losses.values()) / len(self.losses))) if self.losses else None

    def body(self) -> dict[str, Any]:
        """Return it as JSON."""
        return asdict(self)

    @classmethod
    def of(cls, body: Mapping[str, Any]) -> "PretrainRecord":
        """Return the record that :meth:`body` gave."""
        return cls(**{**body, "missing": tuple(Missing(**one) for one in body["missing"])})


class RecordKeeper(Protocol):
    """Where records are kept; filled by whoever knows the bank."""

    def written(self) -> Sequence[PretrainRecord]:
        """Return the records, in order."""
        ...

    def write(self, record: PretrainRecord) -> None:
        """Keep one; it is durable when this returns."""
        ...


@dataclass(frozen=True)
class PretrainRounds:
    """The rounds of one run.

    Attributes:
        asking: the sites.
        study: with its ``pretraining``.
        size: numbers of the weights.
        folder: the run's, for weights, states and updates.
        keeper: of the records.
        seed: tells runs apart.
        told: hears who is at which step of which round.
        sent: site -> the digest of the weights that it has; filled here.
    """

    asking: Asking
    study: Study
    size: int
    folder: Path
    keeper: RecordKeeper
    seed: int
    told: Told | None = None
    sent: dict[str, str] = field(default_factory=dict)

    def run(self, start: Callable[[], NDArray[np.float32]]) -> tuple[PretrainRecord, ...]:
        """Run the rounds that are not written yet and return all of them, the look at the start first.

        Args:
            start: makes the weights that training starts from, [size] float32.

        Raises:
            FederationError: fewer sites than the quorum answered, or the weights of the last round are damaged.
            Stopped: it was to end; the rounds that are done are written.
        """
        self.folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        done = list(self.keeper.written())
        if not done:
            digest = write_flat(self._weights(0), [start()])
            done.append(self._looked(PretrainRecord(0, digest, {}, {}, {}), looks=True))
            self.keeper.write(done[-1])
        rounds = self.study.rounds
        for number in range(len(done), rounds.count + 1):
            self.asking.stop.check()
            self.asking.look()
            with in_round(number):
                made = self._round(number, done)
                done.append(self._looked(made, looks=number in rounds.scored_of(rounds.count)))
            self.keeper.write(done[-1])
            self._forget(number)
        return tuple(done)

    def weights_of(self, record: PretrainRecord) -> NDArray[np.float32]:
        """Return a round's weights, mapped.

        Raises:
            FederationError: they are gone or damaged.
        """
        found = mapped(self._weights(record.number), self.size)
        if found is None or digest_of(found) != record.digest:
            raise FederationError(
                f"{self._weights(record.number)}: the weights of round {record.number} are gone or damaged; restore "
                "the file, or begin the run anew with another seed",
                code="damaged",
            )
        return found

    def _round(self, number: int, done: Sequence[PretrainRecord]) -> PretrainRecord:
        hub, last = self.asking.hub, done[-1]
        weights = self.weights_of(last)
        before = hub.sent.copy(), hub.received.copy()
        found: dict[str, int] = {}

        def tune(site: str) -> int:
            reply = self._with_weights(
                site,
                weights,
                last.digest,
                lambda: ask_pretrain(hub, site, round=number, digest=last.digest, seed=self.seed),
            )
            if reply.documents < self.study.privacy.min_cases:
                raise ReplyUntrue(f"site '{site}' trained on fewer documents than min_cases")
            write_flat(self._update(number, site), self._checked(number, site))
            return reply.documents

        gathering = self.asking.gather(
            "tune",
            tune,
            deadline=deadline_of(self.study.rounds, [one.seconds for one in done], "tune"),
            told=lambda site: self._tell(number, site, "tune"),
            number=number,
        )
        found.update(gathering)
        digest = self._aggregate(number, weights, found)
        return PretrainRecord(
            number,
            digest,
            {},
            {},
            {},
            trained=dict(sorted(found.items())),
            sent=dict(sorted((hub.sent - before[0]).items())),
            received=dict(sorted((hub.received - before[1]).items())),
            seconds={"tune": dict(gathering.seconds)},
            missing=tuple(gathering.missing),
        )

    def _checked(self, number: int, site: str) -> Iterator[NDArray[np.float32]]:
        """Give a site's change part by part, and refuse one that is longer than the study allows."""
        spec, total = self.study.pretraining, 0.0
        assert spec is not None
        most = longest_weights_update(spec, self.study.privacy, self.size) * (1 + ROUNDING)
        parts = take_update(
            self.asking.hub, site, self.size, round=number, seed=self.seed, precision=self.study.rounds.update
        )
        for part in parts:
            self.asking.stop.check()
            with np.errstate(over="ignore", invalid="ignore"):
                total += float(np.square(part, dtype=np.float64).sum())
            if not total**0.5 <= most:
                raise ReplyUntrue(f"site '{site}' sent an update that is longer than the study's steps can make one")
            yield part

    def _aggregate(self, number: int, weights: NDArray[np.float32], found: Mapping[str, int]) -> str:
        rounds = self.study.rounds
        most = most_cases([*found.values()], rounds.max_weight)
        updates: dict[str, tuple[NDArray[np.float32], int]] = {}
        for site, documents in sorted(found.items()):
            change = mapped(self._update(number, site), self.size)
            assert change is not None  # it was written in this round
            updates[site] = change, documents
        names = tuple(sorted(path.name.partition(".")[0] for path in self.folder.glob(f"*.state-{number - 1}")))
        state = {name: mapped(self._state(name, number - 1), self.size, np.float64) for name in names}
        kept = {name: array for name, array in state.items() if array is not None}
        return aggregate_files(
            rounds.strategy.name,
            rounds.strategy.options,
            weights,
            updates,
            kept,
            to=self._weights(number),
            state_to=lambda name: self._state(name, number),
            most=most,
        )

    def _looked(self, record: PretrainRecord, *, looks: bool) -> PretrainRecord:
        """Return the record with how well its weights predict what sites hold out."""
        if not looks:
            return record
        hub, weights = self.asking.hub, self.weights_of(record)
        before = hub.sent.copy(), hub.received.copy()

        def look(site: str) -> PerplexityReply:
            if site not in hub.described:
                ask_describe(hub, site)
            return self._with_weights(
                site,
                weights,
                record.digest,
                lambda: ask_perplexity(hub, site, round=record.number, digest=record.digest, seed=self.seed),
            )

        gathering = self.asking.gather(
            "evaluate", look, told=lambda site: self._tell(record.number, site, "evaluate"), number=record.number
        )
        seen = dict(sorted(gathering))
        return PretrainRecord(
            record.number,
            record.digest,
            {site: one.loss for site, one in seen.items()},
            {site: one.tokens for site, one in seen.items()},
            {site: one.documents for site, one in seen.items()},
            record.trained,
            _sum(record.sent, hub.sent - before[0]),
            _sum(record.received, hub.received - before[1]),
            {**record.seconds, "evaluate": dict(gathering.seconds)},
            (*record.missing, *gathering.missing),
        )

    def _with_weights(self, site: str, weights: NDArray[np.float32], digest: str, ask: Callable[[], T]) -> T:
        """Ask a site something about weights, which are sent unless this run has sent it them last."""
        if self.sent.get(site) == digest:
            try:
                return ask()
            except SiteRefused as error:
                if error.code != "bad-weights":  # else it has lost them
                    raise
        for _ in send_weights(self.asking.hub, site, weights, digest):
            self.asking.stop.check()
        self.sent[site] = digest
        return ask()

    def _forget(self, number: int) -> None:
        """Remove the updates of a round that is written, and weights and states but the last two rounds'."""
        for path in self.folder.glob(f"*.update-{number}"):
            path.unlink(missing_ok=True)
        for path in (*self.folder.glob("weights-*"), *self.folder.glob("*.state-*")):
            if int(path.name.rpartition("-")[2]) < number - 1:
                path.unlink(missing_ok=True)

    def _tell(self, number: int, site: str, step: str) -> None:
        if self.told is not None:
            self.told(number, site, step)

    def _weights(self, number: int) -> Path:
        return self.folder / f"weights-{number}"

    def _update(self, number: int, site: str) -> Path:
        return self.folder / f"{site}.update-{number}"

    def _state(self, name: str, number: int) -> Path:
        return self.folder / f"{name}.state-{number}"


def aggregate_files(
    strategy: str,
    options: Mapping[str, float],
    weights: NDArray[np.float32],
    updates: Mapping[str, tuple[NDArray[np.float32], int]],
    state: Mapping[str, NDArray[np.float64]],
    *,
    to: Path,
    state_to: Callable[[str], Path],
    most: int | None,
) -> str:
    """Write the next weights and the strategy's state, block by block; return the SHA-256 of the weights.

    Args:
        strategy: one that looks at each number by itself.
        options: of the study.
        weights: [size] float32, mapped.
        updates: site -> its change ([size] float32, mapped) and its cases.
        state: what the last round left, [size] float64 each, mapped.
        to: where the weights go.
        state_to: where a part of the state goes.
        most: cases that a site counts for at most.

    Raises:
        FederationError: the result is not finite, or the strategy cannot be carried.
    """
    chosen = strategy_named(strategy)
    names: list[str] = []

    def aggregated(low: int, high: int) -> tuple[NDArray[np.float32], Mapping[str, NDArray[np.float64]]]:
        found = chosen.aggregate(
            np.array(weights[low:high])[None],
            [weighed(Update(site, np.array(u[low:high])[None], cases), most) for site, (u, cases) in updates.items()],
            options,
            {name: np.array(array[low:high])[None] for name, array in state.items()},
        )
        if not np.isfinite(found.vectors).all():
            raise FederationError("the aggregate is not finite; lower the learning rate", code="not-finite")
        return found.vectors[0], {name: array[0] for name, array in found.state.items()}

    def next_weights() -> Iterable[NDArray[np.float32]]:
        for low, high in blocks(len(weights)):
            vectors, after = aggregated(low, high)
            if low == 0:
                names.extend(sorted(after))
            yield vectors

    digest = write_flat(to, next_weights())
    for name in names:  # a pass for each, so that one block is held at a time
        write_flat(state_to(name), (aggregated(low, high)[1][name] for low, high in blocks(len(weights))))
    return digest


def _sum(one: Mapping[str, int], other: Mapping[str, int]) -> dict[str, int]:
    return {site: one.get(site, 0) + other.get(site, 0) for site in sorted({*one, *other})}
