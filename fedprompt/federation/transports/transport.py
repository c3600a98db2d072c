"""The seam to the sites: one method."""

from dataclasses import dataclass
from typing import Protocol

__all__ = ["Delivered", "Transport"]


@dataclass(frozen=True)
class Delivered:
    """A reply's bytes as the site's gate made them, the head of the site's ledger after it, and how it grew.

    ``trail`` are the digests of the ledger's entries since the head that the task said the hub knows.
    """

    data: bytes
    head: str
    trail: tuple[str, ...] = ()


class Transport(Protocol):
    """Carries tasks to sites.

    ``concurrent``: several threads may ask at a time, so that sites work side by side.
    """

    concurrent: bool

    @property
    def sites(self) -> tuple[str, ...]:
        """The sites that can be asked, in a fixed order."""
        ...

    def ask(self, site: str, task: bytes) -> Delivered:
        """Carry one task and wait for its reply."""
        ...
