"""What sites said at the end of a federation: of the nominated prompts on test, and of what each keeps for itself."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from fedprompt.prompts.prompt import Prompt
from fedprompt.study.score import Comparison, Score
from fedprompt.verbs.choosing import Choice

__all__ = ["BySite", "Kept", "TestLook"]

BySite = Mapping[str, Mapping[str, Score]]  # site -> prompt -> score


class TestLook:
    """What the sites said of test: scores and comparisons by site."""

    __test__ = False  # not a test case, whatever its name begins with

    def __init__(self, scores: BySite, comparisons: Mapping[str, Sequence[Comparison]]) -> None:
        self.scores = scores
        self._pairs = {site: {(c.first, c.second): c for c in found} for site, found in comparisons.items()}

    @property
    def sites(self) -> tuple[str, ...]:
        """The sites that scored every nominated prompt."""
        return tuple(sorted(self.scores))

    def pair(self, site: str, first: str, second: str) -> Comparison | None:
        """Return what a site said of two prompts, None where it was not asked or they are one."""
        return self._pairs[site].get((first, second))


@dataclass(frozen=True)
class Kept:
    """What a site keeps: its choice, the prompt (None where the site alone has it), its value on validation there."""

    choice: Choice
    prompt: Prompt | None
    value: float
