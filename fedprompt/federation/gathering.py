"""Asking many sites one thing: who answered in time, who was late, who failed or refused, and when it is enough.

A gathering closes once every site has answered or failed, or so many have failed that the quorum cannot be met. It
closes earlier once the deadline has passed and the quorum has answered; while the quorum is not met, it waits for late
ones too. Its operator may lengthen it, close it once the quorum has answered, or have it go on without a site. A site
whose answer cannot be true is listed like one that failed; where every site is needed, it is no longer one of them, so
that a lie ends nobody's round. Answers come in the order of sites, those admitted after the deadline last, so that sums
depend on who answered and never on who came first.
"""

import secrets
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from queue import Empty
from typing import Any, Generic, Literal, TypeVar, cast

from fedprompt.errors import BankError, FederationError, FedPromptError, ReplyUntrue, SiteRefused
from fedprompt.federation.beside import Beside
from fedprompt.federation.orders import LEFT_OUT, Controls
from fedprompt.stopping import NEVER, StopToken

__all__ = ["PATIENCE", "POLL", "Gathering", "Missing", "Step", "Why", "why_missing"]

T = TypeVar("T")
Step = Literal[
    "describe",
    "score",
    "keys",
    "shares",
    "tune",
    "confirm",
    "unmask",
    "evaluate",
    "compare",
    "alone",
    "choose",
    "worth",
    "head",
    "test",
]
Why = Literal["late", "failed", "refused", "untrue", "closed", "left-out"]
PATIENCE = 10  # deadlines; a quorum that has not answered by then is not coming
POLL = 0.5  # seconds between looks at the operator's orders
CLOSED = "closed by the hub operator"


@dataclass(frozen=True)
class Missing:
    """A site whose answer a step did without: which step, and why."""

    site: str
    step: Step
    why: Why
    reason: str


class Gathering(Generic[T]):
    """Iterate over it once for (site, answer); afterwards ``missing`` and ``seconds`` are whole.

    Args:
        sites: whom to ask, in the order in which answers are given.
        ask: asks one site and waits; raises FedPromptError where it fails. What the bank raises ends the gathering.
        step: what it is, for ``missing``.
        quorum: how many answers are enough past the deadline, and needed in any case.
        everyone: whether that is every site there is; by default, whether it is every site that is asked.
        deadline: seconds for each site, from when it was asked; None waits for all.
        concurrent: ask all at once, each in a thread, or one after the other.
        told: hears a site's name before it is asked (one after the other), or waited for.
        clock: seconds; simulated sites have their own.
        controls: takes the operator's orders, between two sites or while answers are out.
        number: of the round, for whoever looks on.
        stop: ends it before a site is asked, and while answers are out.
    """

    def __init__(
        self,
        sites: Sequence[str],
        ask: Callable[[str], T],
        *,
        step: Step,
        quorum: int,
        deadline: float | None,
        concurrent: bool = False,
        told: Callable[[str], None] | None = None,
        clock: Callable[[], float] = time.monotonic,
        controls: Controls | None = None,
        number: int = 0,
        stop: StopToken = NEVER,
        everyone: bool | None = None,
    ) -> None:
        self._sites, self._ask, self._step, self._needed = tuple(sites), ask, step, quorum
        self._told, self._clock = told, clock
        # Where every site is needed, none is late: it is waited for, as long as it may still answer.
        self._deadline = None if quorum >= len(self._sites) else deadline
        self._patience = None if deadline is None else PATIENCE * deadline
        self._concurrent = concurrent
        self._controls, self._number, self._stop = controls, number, stop
        self._looked = -POLL
        self._shown: object = None
        self._waiting = dict.fromkeys(self._sites)
        self._asked: dict[str, float] = {}
        self._dropped: set[str] = set()
        self._everyone = quorum >= len(self._sites) if everyone is None else everyone
        self._untrue: set[str] = set()
        self._closed = False
        self._given = self._rejected = 0
        self.token = secrets.token_hex(8)
        self.answered = 0
        self.missing: list[Missing] = []
        self.seconds: dict[str, float] = {}

    @property
    def quorum(self) -> int:
        """How many answers are needed; a site that was left out counts for nothing, nor does a liar among all."""
        if not (self._everyone and self._untrue):
            return min(self._needed, len(self._sites) - len(self._dropped))
        return max(1, min(self._needed, len(self._sites) - len(self._dropped | self._untrue)))

    @property
    def taking_part(self) -> tuple[str, ...]:
        """The sites, without those left out meanwhile."""
        return tuple(site for site in self._sites if site not in self._dropped)

    def extend(self, seconds: float) -> float | None:
        """Let sites have so many seconds more; return what they have now, None where they are waited for anyway."""
        if self._deadline is None and self._patience is None:
            return None
        self._patience = None if self._patience is None else self._patience + seconds
        self._deadline = None if self._deadline is None else self._deadline + seconds
        return self._patience if self._deadline is None else self._deadline

    def close(self) -> tuple[str, ...]:
        """Take no more answers; return whose are still out."""
        self._closed = True
        return tuple(self._waiting)

    def drop(self, site: str) -> bool:
        """Go on without a site; say whether its answer was still out."""
        if any(one.site == site for one in self.missing):
            self._dropped.add(site)
        if site not in self._waiting:
            return False
        del self._waiting[site]
        self._dropped.add(site)
        reason = LEFT_OUT if self._controls is None else self._controls.left_out.get(site, LEFT_OUT)
        self.missing.append(Missing(site, self._step, "left-out", reason))
        return True

    def reject(self, site: str, error: FedPromptError) -> None:
        """Let an answer that was given count for nothing: it does not fit what the others said."""
        self._rejected += 1
        self._failed(site, error)

    @property
    def _hopeless(self) -> bool:
        """Whether the quorum cannot be met any more, whoever still answers."""
        return self.answered - self._rejected + len(self._waiting) < self.quorum

    def __iter__(self) -> Iterator[tuple[str, T]]:
        """Give the answers.

        Raises:
            FederationError: fewer sites than the quorum answered; tells the last reason.
            Stopped: it was to end.
        """
        for found in self._at_once() if self._concurrent else self._one_by_one():
            self._given += 1
            yield found
        if self._controls is not None:
            self._controls.show(None)
        self.settle()

    def settle(self) -> None:
        """Say whether what was given is enough, where some of it was rejected after all had come.

        Raises:
            FederationError: fewer sites than the quorum answered; tells the last reason.
        """
        self.missing.sort(key=lambda one: one.site)
        given = self._given - self._rejected
        if given < self.quorum:
            failed = [one for one in self.missing if one.why in ("failed", "refused", "untrue")] or self.missing
            reason = failed[-1].reason if failed else "no site was asked"
            lied = bool(failed) and all(one.why == "untrue" for one in failed)
            raise (ReplyUntrue if lied else FederationError)(
                f"{given} of {len(self.taking_part)} sites answered; {self.quorum} are required ({reason})",
                code="too-few-answers",
            )

    def _one_by_one(self) -> Iterator[tuple[str, T]]:
        late: list[tuple[float, str, T]] = []
        early = 0
        for site in self._sites:
            self._stop.check()
            self._look(at_once=True)
            if self._hopeless:
                break
            if site not in self._waiting or self._closed:
                continue
            if self._told is not None:
                self._told(site)
            self._asked[site] = time.time()
            self._show()
            began = self._clock()
            try:
                found = self._ask(site)
            except FedPromptError as error:
                self._failed(site, error)
                continue
            took = self.seconds[site] = self._clock() - began
            del self._waiting[site]
            self.answered += 1
            if self._deadline is not None and took > self._deadline:
                late.append((took, site, found))
                continue
            early += 1
            yield site, found
        self._look(at_once=True)
        self._close_rest()
        late.sort(key=lambda one: one[0])
        admitted = max(0, self.quorum - early)
        if self._deadline is not None:  # it may have been lengthened since
            admitted = max(admitted, sum(took <= self._deadline for took, _, _ in late))
        for took, site, _ in late[admitted:]:
            self._late(site, f"it answered after {took:.0f} s")
        for _, site, found in sorted(late[:admitted], key=lambda one: one[1]):
            yield site, found

    def _at_once(self) -> Iterator[tuple[str, T]]:
        came: Beside[T] = Beside()
        began = self._clock()

        def work(site: str) -> T:
            found = self._ask(site)
            # Also of one that comes when all is over: the next deadline is to admit it.
            self.seconds[site] = self._clock() - began
            return found

        self._asked = dict.fromkeys(self._sites, time.time())
        for site in self._sites:
            came.start(site, partial(work, site))
        early: dict[str, T] = {}
        late: dict[str, T] = {}
        order = iter(self._sites)
        turn = next(order, None)
        while self._waiting:
            self._stop.check()
            self._look()
            if self._closed or not self._waiting or self._hopeless:
                break
            if self._told is not None:
                self._told(next(iter(self._waiting)))
            passed = self._clock() - began
            over = self._deadline is not None and passed > self._deadline
            if over and self.answered >= self.quorum:
                break
            if self._patience is not None and passed > self._patience:
                break
            try:
                ended = came.next(self._left(passed, over))
            except Empty:
                continue
            site = ended.site
            if site not in self._waiting:  # it was left out meanwhile
                continue
            if ended.error is not None:
                self._failed(site, _told(site, ended.error))
            else:
                del self._waiting[site]
                self.answered += 1
                (late if over else early)[site] = cast(T, ended.found)  # what ``ask`` returned, which may be None
            while turn is not None and turn not in self._waiting and turn not in late:
                if turn in early:
                    yield turn, early.pop(turn)
                turn = next(order, None)
        self._close_rest()
        for site in () if self._hopeless else self._waiting:
            self._late(site, f"it had not answered after {self._clock() - began:.0f} s")
        for some in (early, late):
            for site in self._sites:
                if site in some:
                    yield site, some[site]

    def _left(self, passed: float, over: bool) -> float | None:
        until = self._patience if over or self._deadline is None else self._deadline
        left = None if until is None else max(0.0, until - passed) + 0.001
        # Between two looks the work may have to end, and the operator may give orders.
        return POLL if left is None else min(POLL, left)

    def _look(self, *, at_once: bool = False) -> None:
        """Take the operator's orders, now and then."""
        now = time.monotonic()
        if self._controls is None or (not at_once and now - self._looked < POLL):
            return
        self._looked = now
        self._show()
        self._controls.look(self)
        self._show()

    def _show(self) -> None:
        """Show who has answered, where that or the deadline has changed."""
        if self._controls is None:
            return
        facts = (len(self._asked), len(self._waiting), len(self.missing), self._deadline, self._patience)
        if facts == self._shown:
            return
        self._shown = facts
        self._controls.show(self.state())

    def state(self) -> dict[str, Any]:
        """Return who has answered and who is waited for, as JSON; times are seconds since 1970."""
        missing = {one.site: one.reason for one in self.missing}
        until = self._patience if self._deadline is None else self._deadline
        return {
            "token": self.token,
            "round": self._number,
            "step": self._step,
            "quorum": self.quorum,
            "answered": self.answered,
            "seconds": until,
            "asked": {site: self._asked[site] for site in self._waiting if site in self._asked},
            "waiting": list(self._waiting),
            "came": [site for site in self._sites if site not in self._waiting and site not in missing],
            "missing": missing,
        }

    def _close_rest(self) -> None:
        """List whoever is still out where the operator closed the step."""
        if self._closed:
            for site in self._waiting:
                self.missing.append(Missing(site, self._step, "closed", CLOSED))
            self._waiting.clear()

    def _failed(self, site: str, error: FedPromptError) -> None:
        if isinstance(error, BankError):  # the hub's own, whatever it was doing for the site
            raise error
        self._waiting.pop(site, None)
        why = why_missing(error)
        if why == "untrue":
            self._untrue.add(site)
        self.missing.append(Missing(site, self._step, why, str(error)))

    def _late(self, site: str, reason: str) -> None:
        self.missing.append(Missing(site, self._step, "late", f"site '{site}' was late: {reason}"))


def why_missing(error: FedPromptError) -> Literal["failed", "refused", "untrue"]:
    """Return in a word why a site gave no answer that counts."""
    if isinstance(error, SiteRefused):
        return "refused"
    return "untrue" if isinstance(error, ReplyUntrue) else "failed"


def _told(site: str, error: Exception) -> FedPromptError:
    if isinstance(error, FedPromptError):
        return error
    return FederationError(f"site '{site}' could not be asked ({type(error).__name__})", code="site-not-asked")
