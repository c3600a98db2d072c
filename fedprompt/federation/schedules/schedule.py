"""What a schedule is: a way to ask sites for updates and scores, over and over, until the rounds are done."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

from fedprompt.federation.arrivals import Journal
from fedprompt.federation.asking import Asking
from fedprompt.federation.kept_sums import SumKeeper
from fedprompt.federation.kept_updates import UpdateKeeper
from fedprompt.federation.round_record import RoundRecord, RoundWriter
from fedprompt.prompts.prompt import Prompt
from fedprompt.prompts.template import Template
from fedprompt.prompts.tensors import Tensors
from fedprompt.stopping import Stopped
from fedprompt.study.allowed_rounds import Among
from fedprompt.study.schema import Rounds, Tuning
from fedprompt.study.score import Score
from fedprompt.verbs.evaluate import ask_evaluate

__all__ = ["Course", "Progress", "Schedule"]

Progress = Callable[[int, str, str], None]
"""Hears (round, site, "tune" or "evaluate") before each step."""


@dataclass(frozen=True)
class Course:
    """Everything that rounds are made of.

    ``start`` is what round 1 starts from. ``after`` counts the rounds that led to it; numbers go on from there.
    ``keeper`` keeps each round's updates, ``sums`` the steps of secure sums, ``journal`` what a schedule without rounds
    has buffered. No round after ``pause_after`` begins. ``among`` is what sites are told of who takes part. Where
    rounds are not ``looked`` at, no site scores their prompts on validation; else those are scored that
    ``rounds.scored`` names.
    """

    asking: Asking
    template: Template
    start: Tensors
    tuning: Tuning
    seed: int
    writer: RoundWriter
    progress: Progress | None = None
    after: int = 0
    keeper: UpdateKeeper | None = None
    journal: Journal | None = None
    pause_after: int | None = None
    among: Among = "all"
    looked: bool = True
    sums: SumKeeper | None = None

    @property
    def rounds(self) -> Rounds:
        """The study's."""
        return self.asking.rounds

    def looks(self, number: int) -> bool:
        """Return whether sites score this round's prompt on validation."""
        return self.looked and number - self.after in self.rounds.scored_of(self.rounds.count)

    def before(self, number: int) -> None:
        """End the work here if it is to end, or to pause before this round.

        Raises:
            Stopped: it is.
        """
        self.asking.stop.check()
        if self.pause_after is not None and number > self.pause_after:
            raise Stopped("paused")

    def tell(self, number: int, site: str, step: str) -> None:
        """Tell that a site is at a step of a round."""
        if self.progress is not None:
            self.progress(number, site, step)

    def validated(self, site: str, prompt: Prompt) -> Score:
        """Ask a site for a prompt's score on validation."""
        return ask_evaluate(self.asking.hub, site, [prompt], "validation").scores[0]


class Schedule(Protocol):
    """One way; a new one is one file and one line in ``federation.rounds``."""

    name: str

    def run(self, course: Course) -> tuple[RoundRecord, ...]:
        """Run the rounds that are not written yet, and return all of them.

        Every round is written before the next begins, so that a run that stopped goes on with the same numbers.

        Raises:
            FederationError: fewer sites than the quorum answered.
            Stopped: the work was to end, or to pause before a round.
        """
        ...
