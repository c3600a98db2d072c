"""Runs the prompts of an exported file on the local model, without a bank; promptfoo's provider asks through here."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from fedprompt.errors import ExportError
from fedprompt.exports.protocol import ImportContext
from fedprompt.exports.registry import format_of
from fedprompt.models.protocols import CausalModel
from fedprompt.models.registry import load
from fedprompt.prompts.adapted import Adapted
from fedprompt.prompts.prompt import Prompt
from fedprompt.study.schema import Answer
from fedprompt.workspace.answers.adapted_answers import answer_adapted
from fedprompt.workspace.answers.answering import Given, answer_case, default_answer
from fedprompt.workspace.home import find_home

__all__ = ["ExportedPrompts"]


@dataclass(frozen=True)
class ExportedPrompts:
    """``prompts``: id -> prompt; ``answers``: id -> how its answers are read; ``model``: what they run on.

    ``adapted``: id -> the prompt with a number for each label, where there are such numbers.
    """

    prompts: Mapping[str, Prompt]
    answers: Mapping[str, Answer]
    model: CausalModel
    adapted: Mapping[str, Adapted] = field(default_factory=dict)

    @classmethod
    def open(cls, path: Path, model: str, home: Path | None = None) -> "ExportedPrompts":
        """Read an export and load its model.

        Args:
            path: any export that fedprompt reads.
            model: the model's name or folder.
            home: where the models lie; the user's own by default.

        Raises:
            ExportError: the export is damaged, hostile, or none.
            ModelError: there is no such model.
            AssetError: the model was not fetched yet.
        """
        found = format_of(path).read(path, ImportContext())
        single = [one for one in found if one.adapted is None]
        prompts = {one.prompt.id: one.prompt for one in single}
        answers = {one.prompt.id: _answer(one.prompt, one.notes.get("reading") or {}) for one in single}
        biased = {one.prompt.id: _biased(one.prompt, one.notes.get("reading") or {}) for one in single}
        adapted = {id: one for id, one in biased.items() if one is not None}
        return cls(prompts, answers, load(model, find_home(home).path), adapted)

    def answer(self, id: str, fields: Mapping[str, str]) -> Given:
        """Answer one case with the prompt of that id.

        Raises:
            ExportError: the export holds no such prompt.
            PromptError: a field is missing.
            ModelError: it does not fit the window, or the soft prompt is for another model.
        """
        if id not in self.prompts:
            raise ExportError(
                f"the export has no prompt {id}; it has {', '.join(sorted(self.prompts))}", code="no-such-prompt"
            )
        if id in self.adapted:
            return answer_adapted(self.model, self.adapted[id], fields, self.answers[id])
        return answer_case(self.model, self.prompts[id], fields, self.answers[id])


def _biased(prompt: Prompt, reading: Mapping[str, Any]) -> Adapted | None:
    """Return the prompt with the number for each label that its reading adds, None where it adds none."""
    if not (bias := reading.get("bias")):
        return None
    labels = default_answer(prompt).labels
    return Adapted((prompt,), (1.0,), labels, tuple(float(bias.get(label, 0.0)) for label in labels))


def _answer(prompt: Prompt, reading: Mapping[str, Any]) -> Answer:
    answer = default_answer(prompt)
    if answer.type == "choice":
        return answer.model_copy(update={key: reading[key] for key in ("normalise", "prior") if key in reading})
    writing = reading.get("writing") or {}
    return answer.model_copy(update={**writing, "stop": tuple(writing.get("stop", ()))})
