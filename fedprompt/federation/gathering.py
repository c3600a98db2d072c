"""Asking many sites one thing: who answered in time, who was late, who failed or refused, and when it is enough.

A gathering closes once every site has answered or failed. It closes earlier once the deadline has passed and the
quorum has answered; while the quorum is not met, it waits for late ones too. Answers come in the order of sites, those
admitted after the deadline last, so that sums depend on who answered and never on who came first.
"""

import threading
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from queue import Empty, SimpleQueue
from typing import Generic, Literal, TypeVar

from fedprompt.errors import FederationError, FedPromptError, SiteRefused

__all__ = ["PATIENCE", "Gathering", "Missing"]

T = TypeVar("T")
Why = Literal["late", "failed", "refused"]
PATIENCE = 10  # deadlines; a quorum that has not answered by then is not coming


@dataclass(frozen=True)
class Missing:
    """A site whose answer a round did without: at which step, and why."""

    site: str
    step: Literal["tune", "evaluate"]
    why: Why
    reason: str


class Gathering(Generic[T]):
    """Iterate over it once for (site, answer); afterwards ``missing`` and ``seconds`` are whole.

    Args:
        sites: whom to ask, in the order in which answers are given.
        ask: asks one site and waits; raises FedPromptError where it fails.
        step: what it is, for ``missing``.
        quorum: how many answers are enough past the deadline, and needed in any case.
        deadline: seconds for each site, from when it was asked; None waits for all.
        concurrent: ask all at once, each in a thread, or one after the other.
        told: hears a site's name before it is asked (one after the other), or waited for.
        clock: seconds; simulated sites have their own.
    """

    def __init__(
        self,
        sites: Sequence[str],
        ask: Callable[[str], T],
        *,
        step: Literal["tune", "evaluate"],
        quorum: int,
        deadline: float | None,
        concurrent: bool = False,
        told: Callable[[str], None] | None = None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._sites, self._ask, self._step, self._quorum = tuple(sites), ask, step, quorum
        self._told, self._clock = told, clock
        # Where every site is needed, none is late: it is waited for, as long as it may still answer.
        self._deadline = None if quorum >= len(self._sites) else deadline
        self._patience = None if deadline is None else PATIENCE * deadline
        self._concurrent = concurrent
        self.missing: list[Missing] = []
        self.seconds: dict[str, float] = {}

    def __iter__(self) -> Iterator[tuple[str, T]]:
        """Give the answers.

        Raises:
            FederationError: fewer sites than the quorum answered; tells the last reason.
        """
        answered = 0
        for found in self._at_once() if self._concurrent else self._one_by_one():
            answered += 1
            yield found
        self.missing.sort(key=lambda one: one.site)
        if answered < self._quorum:
            reason = self.missing[-1].reason if self.missing else "no site was asked"
            raise FederationError(
                f"{answered} of {len(self._sites)} sites answered and {self._quorum} are needed ({reason})"
            )

    def _one_by_one(self) -> Iterator[tuple[str, T]]:
        answered = 0
        late: list[tuple[float, str, T]] = []
        for site in self._sites:
            if self._told is not None:
                self._told(site)
            began = self._clock()
            try:
                found = self._ask(site)
            except FedPromptError as error:
                self._failed(site, error)
                continue
            took = self.seconds[site] = self._clock() - began
            if self._deadline is not None and took > self._deadline:
                late.append((took, site, found))
                continue
            answered += 1
            yield site, found
        late.sort(key=lambda one: one[0])
        admitted = max(0, self._quorum - answered)
        for took, site, _ in late[admitted:]:
            self._late(site, f"it answered after {took:.0f} s")
        for _, site, found in sorted(late[:admitted], key=lambda one: one[1]):
            yield site, found

    def _at_once(self) -> Iterator[tuple[str, T]]:
        came: SimpleQueue[tuple[str, T | None, FedPromptError | None]] = SimpleQueue()
        began = self._clock()

        def work(site: str) -> None:
            try:
                found = self._ask(site)
            except FedPromptError as error:
                came.put((site, None, error))
            except Exception as error:  # a thread's error would be lost, and its site waited for
                came.put((site, None, FederationError(f"site '{site}' could not be asked ({type(error).__name__})")))
            else:
                # Also of one that comes when all is over: the next deadline is to admit it.
                self.seconds[site] = self._clock() - began
                came.put((site, found, None))

        for site in self._sites:
            threading.Thread(target=work, args=(site,), name=f"asks {site}", daemon=True).start()
        waiting = dict.fromkeys(self._sites)
        early: dict[str, T] = {}
        late: dict[str, T] = {}
        answered = 0
        order = iter(self._sites)
        turn = next(order, None)
        while waiting:
            if self._told is not None:
                self._told(next(iter(waiting)))
            passed = self._clock() - began
            over = self._deadline is not None and passed > self._deadline
            if over and answered >= self._quorum:
                break
            if self._patience is not None and passed > self._patience:
                break
            try:
                site, found, error = came.get(timeout=self._left(passed, over))
            except Empty:
                continue
            del waiting[site]
            if error is not None:
                self._failed(site, error)
            else:
                assert found is not None
                answered += 1
                (late if over else early)[site] = found
            while turn is not None and turn not in waiting and turn not in late:
                if turn in early:
                    yield turn, early.pop(turn)
                turn = next(order, None)
        for site in waiting:
            self._late(site, f"it had not answered after {self._clock() - began:.0f} s")
        for some in (early, late):
            for site in self._sites:
                if site in some:
                    yield site, some[site]

    def _left(self, passed: float, over: bool) -> float | None:
        until = self._patience if over or self._deadline is None else self._deadline
        return None if until is None else max(0.0, until - passed) + 0.001

    def _failed(self, site: str, error: FedPromptError) -> None:
        why: Why = "refused" if isinstance(error, SiteRefused) else "failed"
        self.missing.append(Missing(site, self._step, why, str(error)))

    def _late(self, site: str, reason: str) -> None:
        self.missing.append(Missing(site, self._step, "late", f"site '{site}' was late: {reason}"))
