"""What a site may keep for itself: a common prompt, its own or a mixture, whichever is best on its validation cases.

A mixture is ``share x own + (1 - share) x common``, as in APFL (Deng, Kamani and Mahdavi 2020, arXiv 2003.13461,
equation 3), with shares to choose among in place of one that is learned. Since the best of the study's templates is
among the candidates, what is chosen is never worse than it on validation.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Annotated, Literal, TypeVar

from pydantic import Field

from fedprompt.adapting.finishing import interpolated
from fedprompt.prompts.prompt import Prompt
from fedprompt.prompts.soft import SoftPrompt
from fedprompt.study.schema import Closed
from fedprompt.verbs.forms import PromptId

__all__ = ["CHOICES", "Candidate", "Choice", "ChoiceKind", "candidates", "choice_words", "first_best"]

K = TypeVar("K")
ChoiceKind = Literal["manual", "global", "group", "own", "mixture-global", "mixture-group"]
CHOICES: Mapping[ChoiceKind, str] = {
    "manual": "one of the study's templates",
    "global": "the common prompt",
    "group": "its group's prompt",
    "own": "the prompt it tuned alone",
    "mixture-global": "a mixture of its own prompt ({share}) and the common prompt",
    "mixture-group": "a mixture of its own prompt ({share}) and its group's prompt",
}


class Choice(Closed):
    """Which prompt a site keeps; ``share`` is its own prompt's part of a mixture. ``prompt`` may be a hidden id."""

    kind: ChoiceKind
    prompt: PromptId
    share: Annotated[float, Field(gt=0, lt=1)] | None = None


@dataclass(frozen=True)
class Candidate:
    """A prompt that a site may keep; ``share`` is its own prompt's part of a mixture, None of all others."""

    kind: ChoiceKind
    prompt: Prompt
    share: float | None = None

    @property
    def hidden(self) -> bool:
        """Whether the hub does not know it."""
        return self.kind == "own" or self.share is not None


def first_best(values: Mapping[K, float]) -> K:
    """Return the key of the highest value, the first of equals."""
    return max(values, key=lambda key: values[key])


def candidates(
    template: Sequence[Prompt], common: Prompt, group: Prompt | None, own: Prompt, shares: Sequence[float]
) -> tuple[Candidate, ...]:
    """Return what a site chooses among, in the order in which the first of equals is taken."""
    found = [Candidate("own", own)]
    known: list[tuple[ChoiceKind, ChoiceKind, Prompt]] = [("global", "mixture-global", common)]
    if group is not None and group.id != common.id:
        known.insert(0, ("group", "mixture-group", group))
    found += [Candidate(kind, prompt) for kind, _, prompt in known]
    found += [Candidate(kind, mixed(own, prompt, share), share) for _, kind, prompt in known for share in shares]
    return (*found, *(Candidate("manual", prompt) for prompt in template))


def mixed(own: Prompt, common: Prompt, share: float) -> Prompt:
    """Return ``share`` of one soft prompt and the rest of another, vector by vector."""
    assert own.soft is not None and common.soft is not None
    vectors = interpolated(common.soft.vectors, own.soft.vectors, share)
    return Prompt(common.template, SoftPrompt(vectors, common.soft.model))


def choice_words(kind: str, share: float | None) -> str | None:
    """Return what a site keeps for itself in words, None for a kind that is not known here."""
    found = next((words for name, words in CHOICES.items() if name == kind), None)
    return None if found is None else found.format(share=f"{100 * (share or 0):.0f} %")
