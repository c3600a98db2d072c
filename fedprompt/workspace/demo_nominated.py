"""The prompts that the demo looks at on test, once, and which rows of its table are compared."""

from collections.abc import Mapping
from dataclasses import dataclass
from itertools import combinations
from typing import Any

from fedprompt.errors import FedPromptError
from fedprompt.prompts.prompt import Prompt

__all__ = ["COMPARED", "Nominated"]

COMPARED = (
    ("federated", "manual"),
    ("federated", "local_own"),
    ("federated", "centralised"),
    ("kept", "local_own"),
    ("kept", "manual"),
)


@dataclass(frozen=True)
class Nominated:
    """The prompts that are evaluated on test, and which of three each site would keep."""

    manual: Prompt
    federated: Prompt
    centralised: Prompt
    alone: Mapping[str, Prompt]
    kept: Mapping[str, str]

    @property
    def prompts(self) -> tuple[Prompt, ...]:
        """All of them, each once."""
        found = (self.manual, self.federated, self.centralised, *self.alone.values())
        return tuple({prompt.id: prompt for prompt in found}.values())

    def kept_prompt(self, site: str) -> Prompt:
        """Return what a site keeps."""
        return self.named(self.kept[site], site)

    def named(self, name: str, site: str) -> Prompt:
        """Return the prompt that a row of the table means at a site."""
        known = {
            "manual": self.manual,
            "federated": self.federated,
            "centralised": self.centralised,
            "local_own": self.alone[site],
        }
        if name == "kept":
            return self.kept_prompt(site)
        if name not in known:
            raise FedPromptError(f"no row of the table is called '{name}'")
        return known[name]

    @property
    def pairs(self) -> dict[str, list[tuple[str, str]]]:
        """The comparisons to ask each site for: every two of the nominated prompts."""
        ids = [prompt.id for prompt in self.prompts]
        return {site: list(combinations(ids, 2)) for site in self.alone}

    def ids(self) -> dict[str, Any]:
        """The prompts' ids."""
        return {
            "manual": self.manual.id,
            "federated": self.federated.id,
            "centralised": self.centralised.id,
            "alone": {site: prompt.id for site, prompt in self.alone.items()},
        }
