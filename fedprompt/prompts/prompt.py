"""A prompt: a template, alone or with what was tuned for it: a soft prompt in its slot, or other tensors beside it.

Its id is a digest of its canonical bytes.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np

from fedprompt.errors import PromptError
from fedprompt.prompts.adapter import Adapter
from fedprompt.prompts.ids import canonical_json, content_id
from fedprompt.prompts.soft import SoftPrompt
from fedprompt.prompts.template import Template
from fedprompt.prompts.tensors import Tensors

__all__ = ["Prompt"]


@dataclass(frozen=True)
class Prompt:
    """A template and what was tuned for it, if anything was: a soft prompt exactly where the template has a slot.

    Raises:
        PromptError: a slot without a soft prompt, or a soft prompt without a slot.
    """

    template: Template
    tuned: Tensors | None = None

    def __post_init__(self) -> None:
        if self.template.has_soft and self.soft is None:
            raise PromptError(
                f"template '{self.template.name}' has a soft slot but no soft prompt is given", code="no-soft-prompt"
            )
        if self.soft is not None and not self.template.has_soft:
            raise PromptError(
                f"template '{self.template.name}' has no {{soft}} slot for a soft prompt", code="no-soft-slot"
            )

    @property
    def soft(self) -> SoftPrompt | None:
        """The soft prompt in the template's slot, None where there is none."""
        return self.tuned if isinstance(self.tuned, SoftPrompt) else None

    @property
    def adapter(self) -> Adapter | None:
        """The adapter that it was tuned with, None where there is none."""
        return self.tuned if isinstance(self.tuned, Adapter) else None

    @cached_property
    def id(self) -> str:
        """``p1:`` and the blake2b-128 of canonical JSON and of what was tuned (``Tensors.content``)."""
        tail = b"" if self.tuned is None else self.tuned.content()
        return content_id("p1", canonical_json(self.canonical()) + tail)

    @property
    def name(self) -> str:
        """What people call it."""
        return self.template.name

    @property
    def kind(self) -> str:
        """``template``, or the kind of what was tuned: ``soft``, ``adapter``."""
        return "template" if self.tuned is None else self.tuned.kind

    def canonical(self) -> dict[str, Any]:
        """Return the JSON part of the identity."""
        soft = None if self.soft is None else self.soft.canonical()
        adapter = {} if self.adapter is None else {"adapter": self.adapter.canonical()}
        return {**adapter, "soft": soft, "template": self.template.canonical()}

    @classmethod
    def from_canonical(
        cls,
        name: str,
        body: Mapping[str, Any],
        vectors: np.ndarray | None,
        arrays: Mapping[str, np.ndarray] | None = None,
    ) -> "Prompt":
        """Rebuild a prompt from its name, its canonical JSON, its vectors ([tokens, width] float32) or its arrays.

        Raises:
            PromptError: the parts do not fit together.
        """
        if set(body) == {"adapter", "soft", "template"} and body["soft"] is vectors is None and arrays is not None:
            template = Template.from_canonical(name, body["template"])
            return cls(template, Adapter.from_canonical(body["adapter"], arrays))
        if set(body) != {"soft", "template"} or arrays is not None:
            raise PromptError(f"prompt '{name}' has the wrong keys", code="not-well-formed")
        template = Template.from_canonical(name, body["template"])
        described = body["soft"]
        if (described is None) != (vectors is None):
            raise PromptError(f"prompt '{name}' and its vectors do not belong together", code="not-well-formed")
        if described is None or vectors is None:
            return cls(template)
        if (
            not isinstance(described, Mapping)
            or set(described) != {"model", "tokens", "width"}
            or not isinstance(described["model"], str)
        ):
            raise PromptError(
                f"prompt '{name}' does not describe its vectors by model, tokens and width", code="not-well-formed"
            )
        soft = SoftPrompt(vectors, described["model"])
        if (soft.tokens, soft.width) != (described["tokens"], described["width"]):
            raise PromptError(
                f"prompt '{name}' says {described['tokens']} x {described['width']} "
                f"but its vectors are {soft.tokens} x {soft.width}",
                code="not-well-formed",
            )
        return cls(template, soft)
