"""The seam to the sites: one method."""

from dataclasses import dataclass
from typing import Protocol

__all__ = ["Delivered", "Transport"]


@dataclass(frozen=True)
class Delivered:
    """A reply's bytes as the site's gate made them, and the head of the site's ledger after it."""

    data: bytes
    head: str


class Transport(Protocol):
    """Carries tasks to sites."""

    @property
    def sites(self) -> tuple[str, ...]:
        """The sites that can be asked, in a fixed order."""
        ...

    def ask(self, site: str, task: bytes) -> Delivered:
        """Carry one task and wait for its reply."""
        ...
