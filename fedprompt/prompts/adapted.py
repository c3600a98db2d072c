"""An adapted prompt: several prompts asked side by side, their answers weighted, and a bias for each label.

Its members' normalised log-probabilities are added by weight, and the bias on top (``adapting/combining.py``). A prompt
with a bias is an adapted prompt of one member. Beside its members it may have a head, which answers by the sentence
encoder and has a part of the whole. Weights and bias are learnt from a home's own labels, so it is private to that
home. One member may show labelled cases of the home's own; these are then part of the adapted prompt, and it leaves
that home with them or not at all. Invariant: all members answer among the same labels and run on one model, the
weights are a share of one.
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import Any

from fedprompt.errors import PromptError
from fedprompt.prompts.head import Head
from fedprompt.prompts.ids import canonical_json, content_id
from fedprompt.prompts.prompt import Prompt

__all__ = [
    "LARGEST_BIAS",
    "MOST_CASES_SHOWN",
    "MOST_LABELS",
    "MOST_MEMBERS",
    "Adapted",
    "Case",
    "adapted_id",
    "check_head",
    "check_numbers",
]

MOST_MEMBERS = 64
MOST_LABELS = 256
MOST_CASES_SHOWN = 64
LARGEST_BIAS = 100.0  # the odds of e^100 to 1: more than any float32 likelihood is moved by
NEARLY = 1e-6

Case = tuple[Mapping[str, str], str]  # (fields, label) of a case that is shown


@dataclass(frozen=True)
class Adapted:
    """``members`` with a weight each, ``labels`` with a bias each; ``shown`` are the home's cases that a member shows.

    Where there is a ``head``, it has ``part`` of the whole, and the members share the rest.

    Raises:
        PromptError: the numbers do not belong to the members and labels, or a member cannot be asked like the others.
    """

    members: tuple[Prompt, ...]
    weights: tuple[float, ...]
    labels: tuple[str, ...]
    bias: tuple[float, ...]
    shown: tuple[Case, ...] = field(default=(), hash=False)
    head: Head | None = None
    part: float = 0.0

    def __post_init__(self) -> None:
        # Without the minus of zero, so that equal numbers have equal bytes.
        object.__setattr__(self, "weights", tuple(float(weight) + 0.0 for weight in self.weights))
        object.__setattr__(self, "bias", tuple(float(one) + 0.0 for one in self.bias))
        check_numbers(len(self.members), self.weights, self.labels, self.bias)
        self._check_shown()
        check_head(self.head, self.part, self.labels)
        for member in self.members:
            member.template.with_words(self.labels)  # refuses a word for what is no label
        if len({member.id for member in self.members}) != len(self.members):
            raise PromptError("an adapted prompt lists a member twice; list each once", code="named-twice")
        if len({member.soft.model for member in self.members if member.soft is not None}) > 1:
            raise PromptError(
                "the members of an adapted prompt were tuned for different models; use members for one model",
                code="another-model",
            )

    def _check_shown(self) -> None:
        """Refuse cases that no member shows, and a member that shows others than these."""
        showing = [member for member in self.members if member.template.demonstrations is not None]
        counts = [member.template.demonstrations.count for member in showing if member.template.demonstrations]
        if not self.shown and showing:
            raise PromptError(
                f"prompt '{showing[0].name}' shows a site's own examples, so other homes cannot use it; leave "
                "it out of the adapted prompt",
                code="sites-demonstrations",
            )
        named = set(self.fields)
        wrong = any(label not in self.labels or not named <= fields.keys() for fields, label in self.shown)
        if self.shown and (counts != [len(self.shown)] or len(self.members) < 2 or wrong):
            raise PromptError(
                "an adapted prompt shows cases in exactly one member, with all of its labels and fields, and "
                "has other members",
                code="wrong-shape",
            )

    @cached_property
    def id(self) -> str:
        """Its content id, which the order of the members does not change."""
        head = None if self.head is None else self.head.id
        return adapted_id(self.member_ids, self.weights, self.labels, self.bias, self.shown, head, self.part)

    @property
    def member_ids(self) -> tuple[str, ...]:
        """The members' ids, in their order."""
        return tuple(member.id for member in self.members)

    @property
    def model(self) -> str | None:
        """The digest of the model that the members' soft prompts were tuned for; None where none has a soft prompt."""
        return next((member.soft.model for member in self.members if member.soft is not None), None)

    @property
    def heaviest(self) -> Prompt:
        """The member that counts most and shows no cases, the first of equals."""
        plain = [place for place, one in enumerate(self.members) if one.template.demonstrations is None]
        return self.members[max(plain, key=self.weights.__getitem__)]

    @property
    def fields(self) -> tuple[str, ...]:
        """The fields that a case must have, those of the first member first."""
        read = () if self.head is None else self.head.fields
        return tuple(dict.fromkeys((*(name for one in self.members for name in one.template.variables), *read)))

    @property
    def all_weights(self) -> tuple[float, ...]:
        """What each member counts in the whole, and then the head where there is one."""
        if self.head is None:
            return self.weights
        return (*(weight * (1 - self.part) for weight in self.weights), self.part)

    def pruned(self, least: float = 0.01) -> "Adapted":
        """Return it without the members, and the head, that weigh less than ``least``; the heaviest member stays."""
        if self.head is not None and self.part < least:
            return replace(self, head=None, part=0.0).pruned(least)
        heaviest = self.members.index(self.heaviest)
        kept = [place for place, weight in enumerate(self.weights) if weight >= least or place == heaviest]
        if len(kept) == len(self.members):
            return self
        total = math.fsum(self.weights[place] for place in kept)
        return replace(
            self,
            members=tuple(self.members[place] for place in kept),
            weights=tuple(self.weights[place] / total for place in kept),
            shown=self.shown if any(self.members[place].template.demonstrations for place in kept) else (),
        )

    def canonical(self) -> dict[str, Any]:
        """Return its JSON: members by id, in their order."""
        head = {} if self.head is None else {"head": self.head.body().model_dump(mode="json"), "part": self.part}
        found = {
            **head,
            "bias": list(self.bias),
            "labels": list(self.labels),
            "members": list(self.member_ids),
            "weights": list(self.weights),
        }
        return {**found, "shown": _listed(self.shown)} if self.shown else found


def adapted_id(
    members: Sequence[str],
    weights: Sequence[float],
    labels: Sequence[str],
    bias: Sequence[float],
    shown: Sequence[Case] = (),
    head: str | None = None,
    part: float = 0.0,
) -> str:
    """Return ``a1:`` and the blake2b-128 of canonical JSON; the order of the members makes no difference."""
    weighed = [list(one) for one in sorted(zip(members, weights, strict=True))]
    body: dict[str, Any] = {"bias": list(bias), "labels": list(labels), "members": weighed}
    if head is not None:
        body |= {"head": head, "part": part}
    return content_id("a1", canonical_json({**body, "shown": _listed(shown)} if shown else body))


def _listed(shown: Sequence[Case]) -> list[list[Any]]:
    return [[dict(fields), label] for fields, label in shown]


def check_head(head: Head | None, part: float, labels: Sequence[str]) -> None:
    """Refuse a head that does not answer among the labels, and a part that is no share of one.

    Raises:
        PromptError: says which.
    """
    if head is not None and head.labels != tuple(labels):
        raise PromptError("the head of an adapted prompt has other labels than its members", code="wrong-labels")
    if not 0 <= part <= 1 or (head is None and part != 0):
        raise PromptError("the share of a head in an adapted prompt must be between 0 and 1", code="not-shares")


def check_numbers(members: int, weights: Sequence[float], labels: Sequence[str], bias: Sequence[float]) -> None:
    """Refuse weights that are no shares of so many members, and a bias that does not belong to the labels.

    Raises:
        PromptError: says which.
    """
    if not 1 <= members <= MOST_MEMBERS or len(weights) != members:
        raise PromptError(
            f"an adapted prompt has 1 to {MOST_MEMBERS} members and one weight for each, not {members} members "
            f"and {len(weights)} weights",
            code="wrong-shape",
        )
    if not 2 <= len(labels) <= MOST_LABELS or len(set(labels)) != len(labels) or not all(labels):
        raise PromptError(f"an adapted prompt has 2 to {MOST_LABELS} different labels", code="wrong-labels")
    if len(bias) != len(labels):
        raise PromptError(
            f"an adapted prompt has one bias for each label, not {len(bias)} for {len(labels)} labels",
            code="wrong-shape",
        )
    if not all(map(math.isfinite, (*weights, *bias))):
        raise PromptError("an adapted prompt has a value that is not a finite number", code="not-finite")
    if min(weights) < 0 or abs(math.fsum(weights) - 1) > NEARLY:
        raise PromptError(
            "the weights of an adapted prompt must not be negative and must add up to 1",
            code="not-shares",
        )
    if max(map(abs, bias)) > LARGEST_BIAS:
        raise PromptError(
            f"the bias of an adapted prompt is at most {LARGEST_BIAS:g} for each label", code="out-of-range"
        )
