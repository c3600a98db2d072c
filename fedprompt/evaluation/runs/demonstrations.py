"""Which tune cases a template shows before a case: labels in turn, in the split's own (keyed) order.

Invariant: nothing that is shown has the case's own input or is of its group. So a tune case, which is tuned on, is
shown what a validation case is shown: cases of others, never its own answer.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

from fedprompt.errors import DataError
from fedprompt.evaluation.cases import Case, input_key
from fedprompt.prompts.template import Template

__all__ = ["Always", "Demonstrated", "Showing", "Shown", "demonstrated", "in_turn"]

Demonstrated = tuple[tuple[Mapping[str, str], str], ...]  # (fields, label) of each case that is shown


class Showing(Protocol):
    """Which cases stand before a case."""

    def to(self, case: Case) -> Demonstrated:
        """Return what stands before it."""
        ...


@dataclass(frozen=True)
class Always:
    """The same cases before every case, also before one of them: what a prompt that was made with them asks."""

    shown: Demonstrated

    def to(self, case: Case) -> Demonstrated:
        """Return them."""
        del case
        return self.shown


class Shown:
    """What one template shows of a tune split: the same to every case but those that would be shown themselves."""

    def __init__(self, template: Template, tune: Sequence[Case]) -> None:
        """Choose.

        Raises:
            DataError: the tune split has too few cases.
        """
        self._name, self._count = template.name, 0 if template.demonstrations is None else template.demonstrations.count
        self._tune = tuple(tune) if self._count else ()
        self._usual = self._chosen(self._tune, "the tune split has")
        self._keys = {key for one in self._usual for key in _keys(one)}

    def to(self, case: Case) -> Demonstrated:
        """Return what stands before a case, which is the whole case, not one that was cut to the model's window.

        Raises:
            DataError: too few other cases are in the tune split.
        """
        chosen = self._usual
        if chosen and self._keys & (own := _keys(case)):
            others = [one for one in self._tune if not own & _keys(one)]
            chosen = self._chosen(others, "without a case itself and those of its group the tune split has")
        return demonstrated(chosen)

    def _chosen(self, tune: Sequence[Case], there: str) -> tuple[Case, ...]:
        if len(tune) < self._count:
            raise DataError(
                f"template '{self._name}' shows {self._count} examples, but {there} only {len(tune)}",
                code="too-few-cases",
            )
        return in_turn(tune, self._count)


def in_turn(cases: Sequence[Case], count: int) -> tuple[Case, ...]:
    """Return so many cases, or all if there are fewer: of each label the next in order, labels in turn."""
    queues: dict[str, list[Case]] = {}
    for case in cases:
        queues.setdefault(case.answer, []).append(case)
    chosen: list[Case] = []
    while len(chosen) < min(count, len(cases)):
        for label in sorted(queues):
            if queues[label] and len(chosen) < count:
                chosen.append(queues[label].pop(0))
    return tuple(chosen)


def demonstrated(cases: Sequence[Case]) -> Demonstrated:
    """Return cases as they are shown."""
    return tuple((case.fields, case.answer) for case in cases)


def _keys(case: Case) -> set[tuple[str, str]]:
    """Return what a case shares with those that it may not be shown: its input and, if it has one, its group."""
    own = {("input", input_key(case))}
    return own if case.group is None else own | {("group", case.group)}
