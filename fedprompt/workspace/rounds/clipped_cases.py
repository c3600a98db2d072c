"""How many cases of each site were too long for the model's window and lost their end, kept with the run.

A site tells the count of a split with its scores; prompts differ in length, so the largest count of a split stands.
"""

from fedprompt.bank.store import Bank
from fedprompt.study.score import SplitName

__all__ = ["ClippedCases"]

STAGE = "clipped"


class ClippedCases:
    """The counts of one run; a run that was stopped and goes on has those from before."""

    def __init__(self, bank: Bank, run: str) -> None:
        self._bank, self._run = bank, run
        self._found: dict[tuple[str, str], int] = {}
        for name, body in bank.stages(run).items():
            if name.startswith(f"{STAGE} "):
                self._take(str(body["site"]), str(body["split"]), int(body["cases"]))

    def note(self, site: str, split: SplitName, cases: int) -> None:
        """Keep what a site said of a split."""
        if self._take(site, split, cases):
            body = {"site": site, "split": split, "cases": cases}
            self._bank.record_stage(self._run, f"{STAGE} {site} {split} {cases}", body)

    def of(self, site: str) -> int:
        """Return how many of a site's cases were cut, over its splits, which share no case."""
        return sum(cases for (name, _), cases in self._found.items() if name == site)

    def _take(self, site: str, split: str, cases: int) -> bool:
        more = cases > self._found.get((site, split), 0)
        if more:
            self._found[site, split] = cases
        return more
