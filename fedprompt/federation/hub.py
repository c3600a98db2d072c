"""The hub's side of a conversation: makes tasks, reads replies, counts bytes. It sees what left the gates, no more."""

import re
import threading
from collections import Counter
from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from fedprompt.errors import EgressRefused, FederationError, SiteRefused
from fedprompt.federation.transports.transport import Delivered, Transport
from fedprompt.privacy.quantise import restore
from fedprompt.privacy.wire import Parcel, pack_task, unpack_reply
from fedprompt.prompts.ids import canonical_json, content_id
from fedprompt.prompts.prompt import Prompt
from fedprompt.strategies.strategy import Update
from fedprompt.study.messages import (
    Choice,
    DescribeReply,
    DescribeTask,
    EvaluateTask,
    Refusal,
    Reply,
    ScoreReply,
    ScoreTask,
    Task,
    TuneReply,
    TuneTask,
)
from fedprompt.study.schema import Precision
from fedprompt.study.score import Score, SplitName
from fedprompt.study.versions import OWN, misfit
from fedprompt.trust.chain import follow

__all__ = ["Hub"]

HEAD = re.compile(r"[0-9a-f]{64}")
WHY = {
    "unknown-study": "it has not accepted this study, or this revision of it",
    "unknown-prompt": "a prompt is not of the accepted study",
    "too-few-cases": "it has fewer cases than the study's min_cases",
    "budget-spent": "its budget of replies is spent",
    "bad-soft-prompt": "the soft prompt's shape, norm or id is off",
    "failed": "it could not be done there; the site's own log says why",
    "bad-task": "the task was not understood",
    "not-allowed": "its operator does not allow this, or not that many steps",
    "not-supported": "it does not know how to do that",
    "paused": "its operator has paused it, or these are its quiet hours",
}


class Hub:
    """Asks sites through a transport. ``sent`` and ``received`` count the bytes of tasks and replies by site.

    Several threads may ask at a time where the transport is ``concurrent``.
    """

    def __init__(self, transport: Transport, study: str, version: str = OWN) -> None:
        self._transport, self._study, self._version = transport, study, version
        self.sent: Counter[str] = Counter()
        self.received: Counter[str] = Counter()
        self._counting = threading.Lock()
        self.heads: dict[str, str] = {}

    @property
    def sites(self) -> tuple[str, ...]:
        """The sites, in the order in which the hub sums."""
        return self._transport.sites

    @property
    def concurrent(self) -> bool:
        """Whether sites may be asked side by side."""
        return self._transport.concurrent

    def among(self, sites: Sequence[str]) -> "Hub":
        """Return a hub for some of the sites, which goes on from the same ledgers and counts bytes for itself.

        Raises:
            FederationError: one of them is not among this hub's.
        """
        if unknown := sorted(set(sites) - set(self.sites)):
            raise FederationError(f"there is no site '{unknown[0]}'; there are {', '.join(self.sites)}")
        found = Hub(_Some(self._transport, sites), self._study, self._version)
        found.heads = self.heads
        return found

    def describe(self, site: str) -> DescribeReply:
        """Ask for the sizes of a site's splits.

        Raises:
            SiteRefused: the site refused; says why.
            FederationError: it could not be asked, its answer is none, or its version is too far from the hub's.
        """
        task = DescribeTask(task=self._id(site, "describe"), study=self._study, version=self._version)
        reply = self._ask(site, task).message
        assert isinstance(reply, DescribeReply)
        if (told := misfit(self._version, reply.version)) is not None:
            raise FederationError(f"site '{site}': {told}")
        return reply

    def score(self, site: str, prompts: Sequence[str], reference: str | None = None) -> ScoreReply:
        """Ask for validation scores of templates of the study.

        Raises:
            SiteRefused: the site refused; says why.
            FederationError: it could not be asked, or its answer is none.
        """
        task = ScoreTask(
            task=self._id(site, "score", [*prompts], reference),
            study=self._study,
            prompts=tuple(prompts),
            reference=reference,
        )
        reply = self._ask(site, task).message
        assert isinstance(reply, ScoreReply)
        wanted = {*prompts, *([] if reference is None else [reference])}
        pairs = [] if reference is None else [(prompt, reference) for prompt in prompts if prompt != reference]
        return _expected(site, reply, wanted, "validation", pairs)

    def tune(
        self,
        site: str,
        start: NDArray[np.float32],
        *,
        round: int,
        steps: int,
        seed: int,
        precision: Precision = "float32",
    ) -> tuple[Update, float]:
        """Ask a site to tune from ``start`` ([tokens, width] float32); return its update and its mean loss.

        Args:
            precision: how the study says that updates travel; another is refused.

        Raises:
            SiteRefused: the site refused; says why.
            FederationError: it could not be asked, or its answer is none.
        """
        identity = self._id(site, "tune", round, steps, seed, content_id("v1", start.tobytes()))
        task = TuneTask(task=identity, study=self._study, round=round, steps=steps, seed=seed)
        parcel = self._ask(site, task, {"start": start})
        reply = parcel.message
        assert isinstance(reply, TuneReply)
        delta = restore(parcel.arrays)
        if delta.shape != start.shape or reply.round != round or reply.precision != precision:
            raise FederationError(
                f"site '{site}' sent an update of another shape, round or precision than it was asked for"
            )
        return Update(site, delta, reply.cases), reply.loss

    def evaluate(
        self,
        site: str,
        prompts: Sequence[Prompt],
        split: SplitName,
        pairs: Sequence[tuple[str, str]] = (),
        own: str | None = None,
    ) -> ScoreReply:
        """Ask for scores of any prompts; templates go by id, soft prompts with their vectors.

        Args:
            own: the hidden id of what the site chose for itself, to be scored too.

        Raises:
            SiteRefused: the site refused; says why.
            FederationError: it could not be asked, or its answer is none.
        """
        soft = {prompt.id: prompt.soft.vectors for prompt in prompts if prompt.soft is not None}
        asked: list[Any] = ["evaluate", split, [prompt.id for prompt in prompts], [*map(list, pairs)]]
        task = EvaluateTask(
            task=self._id(site, *asked, *([] if own is None else [own])),
            study=self._study,
            split=split,
            templates=tuple(prompt.id for prompt in prompts if prompt.soft is None),
            soft=tuple(soft),
            pairs=tuple(pairs),
            own=own,
        )
        reply = self._ask(site, task, {f"soft-{n}": v for n, v in enumerate(soft.values())}).message
        assert isinstance(reply, ScoreReply)
        wanted = {prompt.id for prompt in prompts} | ({own} if own is not None else set())
        return _expected(site, reply, wanted, split, pairs)

    def choose(
        self, site: str, templates: Sequence[str], soft: Sequence[Prompt], start: NDArray[np.float32], seed: int
    ) -> tuple[Choice, Score]:
        """Ask what a site would keep for itself, and how good it is there on validation.

        Args:
            templates: ids of the study's templates.
            soft: the common prompt, then its group's if it has one.
            start: [tokens, width] float32, what the site's own prompt is tuned from.
            seed: the run's.

        Raises:
            SiteRefused: the site refused; says why.
            FederationError: it could not be asked, or its answer is none.
        """
        sent = {prompt.id: prompt.soft.vectors for prompt in soft if prompt.soft is not None}
        shown = content_id("v1", start.tobytes())
        task = EvaluateTask(
            task=self._id(site, "choose", seed, [*templates], [*sent], shown),
            study=self._study,
            split="validation",
            templates=tuple(templates),
            soft=tuple(sent),
            choose=seed,
        )
        arrays = {"start": start, **{f"soft-{place}": vectors for place, vectors in enumerate(sent.values())}}
        reply = self._ask(site, task, arrays).message
        assert isinstance(reply, ScoreReply)
        choice = reply.choice
        known = {"manual": {*templates}, "global": {*[*sent][:1]}, "group": {*[*sent][1:]}}
        if (
            choice is None
            or (choice.prompt not in known[choice.kind] if choice.kind in known else choice.prompt[:3] != "h1:")
            or (choice.share is not None) != choice.kind.startswith("mixture")
        ):
            raise FederationError(f"site '{site}' answered a choice that it was not given")
        return choice, _expected(site, reply, {choice.prompt}, "validation", ()).scores[0]

    def _ask(self, site: str, task: Task, arrays: dict[str, NDArray[np.float32]] | None = None) -> Parcel[Reply]:
        known = self.heads.get(site)
        data = pack_task(task.model_copy(update={"known": known}), arrays or {})
        delivered = self._transport.ask(site, data)
        with self._counting:
            self.sent[site] += len(data)
            self.received[site] += len(delivered.data)
        if not HEAD.fullmatch(delivered.head):
            raise FederationError(f"site '{site}' sent no head of a ledger with its reply, so the reply was dropped")
        if known is not None and follow(known, delivered.trail) != delivered.head:
            raise FederationError(
                f"site '{site}' showed a ledger that does not continue the one it showed before, so entries were "
                "removed or rewritten there; ask its operator for 'fedprompt site ledger --verify'"
            )
        self.heads[site] = delivered.head
        try:
            parcel = unpack_reply(delivered.data)
        except EgressRefused as error:
            raise FederationError(f"site '{site}' sent what is no reply: {error}") from error
        reply = parcel.message
        if reply.task != task.task:
            raise FederationError(f"site '{site}' answered another task than it was asked")
        if isinstance(reply, Refusal):
            raise SiteRefused(f"site '{site}' refused to {task.verb}: {WHY[reply.code]}")
        if reply.verb != task.verb:
            raise FederationError(f"site '{site}' answered '{reply.verb}' to '{task.verb}'")
        return parcel

    def _id(self, *parts: Any) -> str:
        return content_id("t1", canonical_json([self._study, *parts]))


class _Some:
    """Some of a transport's sites, in its order."""

    def __init__(self, transport: Transport, sites: Sequence[str]) -> None:
        self._transport, self.concurrent = transport, transport.concurrent
        self.sites = tuple(site for site in transport.sites if site in set(sites))

    def ask(self, site: str, task: bytes) -> Delivered:
        return self._transport.ask(site, task)


def _expected(
    site: str, reply: ScoreReply, prompts: set[str], split: SplitName, pairs: Sequence[tuple[str, str]]
) -> ScoreReply:
    """Return the reply if it scores exactly these prompts on this split and compares exactly these pairs."""
    scored = [score.prompt for score in reply.scores]
    compared = [(pair.first, pair.second) for pair in reply.comparisons]
    sizes = [(score.split, score.n) for score in reply.scores]
    sizes += [(pair.split, pair.n) for pair in reply.comparisons]
    if (
        sorted(scored) != sorted(prompts)
        or sorted(compared) != sorted(pairs)
        or any(given != split or n == 0 for given, n in sizes)
    ):
        raise FederationError(f"site '{site}' scored something else than it was asked")
    return reply
