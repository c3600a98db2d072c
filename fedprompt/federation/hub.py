"""The hub's side of a conversation: makes tasks, reads replies, counts bytes. It sees what left the gates, no more."""

import re
import threading
from collections import Counter
from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from fedprompt.errors import EgressRefused, FederationError, SiteRefused
from fedprompt.federation.strategies.strategy import Update
from fedprompt.federation.transports.transport import Transport
from fedprompt.privacy.egress import Parcel, pack_task, unpack_reply
from fedprompt.privacy.quantise import restore
from fedprompt.prompts.ids import canonical_json, content_id
from fedprompt.prompts.prompt import Prompt
from fedprompt.site.ledger import follow
from fedprompt.study.messages import (
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
from fedprompt.study.score import SplitName

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

    def __init__(self, transport: Transport, study: str) -> None:
        self._transport, self._study = transport, study
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

    def describe(self, site: str) -> DescribeReply:
        """Ask for the sizes of a site's splits.

        Raises:
            SiteRefused: the site refused; says why.
            FederationError: it could not be asked, or its answer is none.
        """
        reply = self._ask(site, DescribeTask(task=self._id(site, "describe"), study=self._study)).message
        assert isinstance(reply, DescribeReply)
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
    ) -> ScoreReply:
        """Ask for scores of any prompts; templates go by id, soft prompts with their vectors.

        Raises:
            SiteRefused: the site refused; says why.
            FederationError: it could not be asked, or its answer is none.
        """
        soft = {prompt.id: prompt.soft.vectors for prompt in prompts if prompt.soft is not None}
        task = EvaluateTask(
            task=self._id(site, "evaluate", split, [prompt.id for prompt in prompts], [*map(list, pairs)]),
            study=self._study,
            split=split,
            templates=tuple(prompt.id for prompt in prompts if prompt.soft is None),
            soft=tuple(soft),
            pairs=tuple(pairs),
        )
        reply = self._ask(site, task, {f"soft-{n}": v for n, v in enumerate(soft.values())}).message
        assert isinstance(reply, ScoreReply)
        return _expected(site, reply, {prompt.id for prompt in prompts}, split, pairs)

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
