"""Asks a pack's members about a home's cases, and tells how long it takes as soon as the first were timed."""

import time

import numpy as np
from numpy.typing import NDArray

from fedprompt.evaluation.runs.label_scores import RunCost
from fedprompt.site.folder import SiteFolder
from fedprompt.stopping import StopToken
from fedprompt.workspace.answers.adapted_answers import head_tables, member_tables
from fedprompt.workspace.local.home_cases import HomeCases
from fedprompt.workspace.local.ready_pack import ReadyPack
from fedprompt.workspace.progress import Progress, Report

__all__ = ["Asking"]

AT_ONCE = 8  # cases whose answers are kept together: as much as a stop can lose
TIMED = 2  # cases that tell how long the others will take


class Asking:
    """Asks a pack's members about a home's cases, and tells how long it takes as soon as the first were timed."""

    def __init__(self, ready: ReadyPack, folder: SiteFolder, report: Report, stop: StopToken) -> None:
        self._ready, self._folder, self._report, self._stop = ready, folder, report, stop
        self.tokens = self.cached = self.clipped = 0
        self._began = time.monotonic()

    def ask(self, home: HomeCases) -> tuple[NDArray[np.float64], NDArray[np.float64] | None]:
        """Return [members, cases, labels] log-probabilities of the labelled cases, and of the texts if there are any.

        A pack's head comes after its members.

        Raises:
            ModelError, DataError: as ``member_tables``.
        """
        cases = (*home.cases, *home.texts)
        members, labels = len(self._ready.file.members), len(self._ready.file.pack.labels)
        found = np.zeros((members, len(cases), labels))
        what = f"{members} prompts on {len(cases)} {'text' if len(cases) == 1 else 'texts'}"
        began, at = time.monotonic(), 0
        while at < len(cases):
            # The first few by themselves: from their time the rest is told.
            upto = min(len(cases), at + (TIMED if at == 0 else AT_ONCE))
            found[:, at:upto], cost = member_tables(
                self._ready.model,
                self._ready.file.members,
                cases[at:upto],
                self._ready.answer,
                cache=self._folder.scores,
                stop=self._stop,
            )
            self.clipped, at = self.clipped + cost.clipped, upto
            self.spent(cost)
            left = (time.monotonic() - began) / at * (len(cases) - at)
            self._report(Progress("adapt", what, at, len(cases), left))
        known, head = len(home.cases), self._ready.file.pack.head
        if head is not None:
            answered = np.zeros((1, 0, labels)) if not cases else head_tables(head.made, cases, self._ready.encoder)
            found = np.concatenate([found, answered])
        return found[:, :known], found[:, known:] if len(home.texts) else None

    def showing(self, done: int, sets: int) -> None:
        """Tell how many of the prompts that show cases were asked."""
        if done == 0:
            self._began = time.monotonic()
        left = None if done == 0 else (time.monotonic() - self._began) / done * (sets - done)
        self._report(Progress("adapt", f"{sets} prompts with your own cases as examples", done, sets, left))

    def spent(self, cost: RunCost) -> None:
        """Count what was asked for, and what was known."""
        self.tokens, self.cached = self.tokens + cost.tokens, self.cached + cost.cached
