"""What is looked at on test, once, where sites also tuned alone, and which rows of the table are compared."""

from collections.abc import Mapping
from dataclasses import dataclass
from itertools import combinations
from typing import Any

from fedprompt.errors import FedPromptError
from fedprompt.prompts.prompt import Prompt

__all__ = ["Nominated"]

COMPARED = (
    ("federated", "manual"),
    ("federated", "local_own"),
    ("federated", "centralised"),
    ("kept", "local_own"),
    ("kept", "manual"),
)


@dataclass(frozen=True)
class Nominated:
    """The prompts that are evaluated on test, and which of three each site would keep.

    ``alone`` and ``kept`` are of the sites that tuned alone. ``centralised`` is known to a demo only.
    """

    manual: Prompt
    federated: Prompt
    alone: Mapping[str, Prompt]
    kept: Mapping[str, str]
    centralised: Prompt | None = None

    @property
    def prompts(self) -> tuple[Prompt, ...]:
        """All of them, each once."""
        references = (self.centralised,) if self.centralised is not None else ()
        found = (self.manual, self.federated, *references, *self.alone.values())
        return tuple({prompt.id: prompt for prompt in found}.values())

    @property
    def compared(self) -> tuple[tuple[str, str], ...]:
        """The rows of the table that are compared, the first with the second."""
        return tuple(pair for pair in COMPARED if self.centralised is not None or "centralised" not in pair)

    def named(self, name: str, site: str) -> Prompt:
        """Return the prompt that a row of the table means at a site."""
        known = {
            "manual": self.manual,
            "federated": self.federated,
            "centralised": self.centralised,
            "local_own": self.alone[site],
        }
        found = known.get(self.kept[site] if name == "kept" else name)
        if found is None:
            raise FedPromptError(f"no row of the table is called '{name}'")
        return found

    def every_pair(self) -> dict[str, list[tuple[str, str]]]:
        """Return site -> every two of the nominated prompts."""
        ids = [prompt.id for prompt in self.prompts]
        return {site: list(combinations(ids, 2)) for site in self.alone}

    def pairs(self, site: str) -> list[tuple[str, str]]:
        """Return the pairs of prompts that the table compares at a site, each once."""
        found: list[tuple[str, str]] = []
        for names in self.compared:
            first, second = (self.named(name, site).id for name in names)
            if first != second and not {(first, second), (second, first)} & set(found):
                found.append((first, second))
        return found

    def ids(self) -> dict[str, Any]:
        """The prompts' ids."""
        return {
            "manual": self.manual.id,
            "federated": self.federated.id,
            **({} if self.centralised is None else {"centralised": self.centralised.id}),
            "alone": {site: prompt.id for site, prompt in self.alone.items()},
        }
