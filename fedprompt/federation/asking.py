"""How a run asks its sites, whatever it asks: whom, how many must answer, and side by side where the transport can."""

import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TypeVar

from fedprompt.errors import FederationError, ReplyUntrue
from fedprompt.federation.gathering import Gathering, Step
from fedprompt.federation.hub import Hub
from fedprompt.federation.orders import Controls
from fedprompt.stopping import NEVER, StopToken
from fedprompt.study.schema import Rounds

__all__ = ["Asking", "in_round"]

T = TypeVar("T")


@dataclass(frozen=True)
class Asking:
    """The sites of a hub under a study's rounds.

    ``controls`` takes the orders of the hub's operator; ``clock`` gives seconds, simulated sites have their own;
    ``stop`` ends the asking between two sites, or while sites are waited for.
    """

    hub: Hub
    rounds: Rounds
    controls: Controls | None = None
    clock: Callable[[], float] = time.monotonic
    stop: StopToken = NEVER

    @property
    def left_out(self) -> dict[str, str]:
        """Site -> why it is not asked, in a sentence: the operator left it out."""
        out = {} if self.controls is None else self.controls.left_out
        return {site: why for site, why in out.items() if site in self.hub.sites}

    @property
    def sites(self) -> tuple[str, ...]:
        """The sites that are asked now."""
        return self.of(self.hub.sites)

    def of(self, sites: Sequence[str]) -> tuple[str, ...]:
        """Return those of some sites that are asked now."""
        return tuple(sites) if self.controls is None else self.controls.remaining(sites)

    def quorum(self, sites: Sequence[str] | None = None) -> int:
        """Return how many of these sites (by default, all that are asked) must answer."""
        many = len(self.sites if sites is None else sites)
        return min(self.rounds.quorum or many, many)

    @property
    def everyone(self) -> bool:
        """Whether every site that is asked is needed."""
        return self.rounds.quorum is None or self.rounds.quorum >= len(self.sites)

    def look(self) -> None:
        """Take the operator's orders between two steps."""
        if self.controls is not None:
            self.controls.look(None)

    def gather(
        self,
        step: Step,
        ask: Callable[[str], T],
        *,
        sites: Sequence[str] | None = None,
        quorum: int | None = None,
        deadline: float | None = None,
        told: Callable[[str], None] | None = None,
        number: int = 0,
    ) -> Gathering[T]:
        """Return one step: every site is asked once it is iterated over.

        Args:
            step: what is asked, for the record and for whoever looks on.
            ask: asks one site; called in a thread of its own where the transport is concurrent.
            sites: whom; all by default, without those left out in any case.
            quorum: how many must answer, where it is not that of ``sites``.
            deadline: seconds for each site; None waits for all.
            told: hears a site's name before it is asked or while it is waited for, in the thread that iterates.
            number: of the round.
        """
        asked = self.of(self.hub.sites if sites is None else sites)
        return Gathering(
            asked,
            ask,
            step=step,
            quorum=self.quorum(asked) if quorum is None else quorum,
            deadline=deadline,
            concurrent=self.hub.concurrent,
            told=told,
            clock=self.clock,
            controls=self.controls,
            number=number,
            stop=self.stop,
            everyone=self.everyone,
        )


@contextmanager
def in_round(number: int) -> Iterator[None]:
    """Say which round it was that could not be completed."""
    try:
        yield
    except FederationError as error:
        kind = ReplyUntrue if isinstance(error, ReplyUntrue) else FederationError
        raise kind(f"round {number}: {error}", code=error.code) from error
