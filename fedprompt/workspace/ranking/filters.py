"""Which prompts of a ranking a visitor asks for, as values that a page can keep."""

from dataclasses import dataclass

from fedprompt.workspace.ranking.ranking_page import Filter, Order

__all__ = ["RankingFilters"]


@dataclass(frozen=True)
class RankingFilters:
    """The filters as the visitor set them; ``least`` in per cent."""

    words: str = ""
    kind: str | None = None
    origin: str | None = None
    tag: str = ""
    site: str | None = None
    least: float = 0.0
    order: Order = "mean"

    def filter(self, study: str) -> Filter:
        """Return what the store is asked."""
        return Filter(
            study=study,
            kind=self.kind,
            origin=self.origin,
            tag=self.tag or None,
            site=self.site,
            minimum=self.least / 100 if self.site and self.least else None,
            words=self.words or None,
        )
