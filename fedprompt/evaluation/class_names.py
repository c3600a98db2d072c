"""What a file calls the classes of a pack: equal names but for case by themselves, others by what its owner says.

Invariant: no class is guessed. An answer that neither equals a label nor was said to mean one is refused with the names
of both sides; of the file's side only what has a label's form and repeats, or is near a label, is shown.
"""

from collections.abc import Iterable, Mapping, Sequence

from fedprompt.errors import DataError, did_you_mean
from fedprompt.evaluation.cases import ANSWER, normalise
from fedprompt.evaluation.column_map import called
from fedprompt.evaluation.tables.names import label_like
from fedprompt.evaluation.tables.table import Table
from fedprompt.evaluation.unknown_labels import UnknownLabels

__all__ = ["ClassNames", "read_words"]

SHOWN = 20
SHOWN_LINES = 5
OPTION = "--words"


def read_words(given: Iterable[str]) -> dict[str, str]:
    """Return ``mine=theirs`` options as a mapping.

    Raises:
        DataError: one is no such pair, or says of one name two things.
    """
    found: dict[str, str] = {}
    for text in given:
        mine, equals, theirs = (part.strip() for part in text.partition("="))
        if not (mine and equals and theirs):
            raise DataError(
                f'{OPTION}: give your own name of a class, "=", and the pack\'s, such as {OPTION} "good=positive"; '
                "repeat the option for each class",
                code="not-a-pair",
            )
        if found.setdefault(mine, theirs) != theirs:
            raise DataError(f"{OPTION} maps one class twice; name each class once", code="named-twice")
    return found


class ClassNames(UnknownLabels):
    """The labels of a pack, and what a file calls them.

    Raises:
        DataError: a name is said to mean what is no label.
    """

    def __init__(self, labels: Sequence[str], words: Mapping[str, str] | None = None) -> None:
        super().__init__(labels)
        self._exact = {label: label for label in labels}
        self._folded = _unique(labels)
        self._said: dict[str, str] = {}
        self._heard = 0
        self.found_names: dict[str, str] = {}  # what the file calls a class -> the label that it means
        for mine, theirs in (words or {}).items():
            label = self._label(theirs)
            if label is None:
                turned = f' (write your own name first: {OPTION} "{theirs}={mine}")' if self._label(mine) else ""
                raise DataError(
                    f"{OPTION}: '{theirs}' is not a class of the pack{did_you_mean(theirs, labels)}{turned}; "
                    f"its classes are {_listed(labels)}",
                    code="unknown-class",
                )
            if self._said.setdefault(normalise(mine), label) != label:
                raise DataError(f"{OPTION} maps one class twice; name each class once", code="named-twice")

    def label_of(self, answer: str) -> str:
        """Return the label that an answer means, or the answer itself where it means none."""
        self._heard += 1
        label = self._said.get(normalise(answer)) or self._label(answer)
        if label is None:
            return answer
        self.found_names[answer] = label
        return label

    def sentence(self, table: Table, column: str) -> str:
        """Return which of a file's classes mean no label, and which labels there are."""
        usual = 2 * len(self._found) <= self._heard  # values that repeat are classes, not texts
        shown: list[tuple[str, str, int]] = []
        hidden: list[tuple[str, str, int]] = []
        for name, (times, line) in self._found.items():
            near = did_you_mean(name, self._labels) if label_like(name) else ""
            fit = label_like(name) and (times > 1 or near or usual) and len(shown) < SHOWN
            (shown if fit else hidden).append((name, near, line))
        where = f"{table.path}, column '{called(column, table.columns)}'"
        if not shown:
            lines = ", ".join(str(line) for *_, line in hidden[:SHOWN_LINES])
            return (
                f"{where}: the texts in {table.unit} {lines}{', ...' if len(hidden) > SHOWN_LINES else ''} are no "
                f"classes of the pack; its classes are {_listed(self._labels)}; if another column holds the class, say "
                f"so with --map {ANSWER}=COLUMN"
            )
        one = len(shown) + len(hidden) == 1
        more = f" and {len(hidden)} more" if hidden else ""
        hint = next((near for _, near, _ in shown if near), "")
        theirs = self._labels[0]
        return (
            f"{where}: {_listed([name for name, *_ in shown])}{more} {'is no class' if one else 'are no classes'} of "
            f"the pack{hint}; its classes are {_listed(self._labels)}; say which of them is meant, such as "
            f'{OPTION} "{shown[0][0]}={theirs}", or leave those cases out'
        )

    def _label(self, name: str) -> str | None:
        return self._exact.get(name) or self._folded.get(normalise(name))


def _unique(labels: Sequence[str]) -> dict[str, str]:
    """Return normalised name -> label, of those that no other label has but for case."""
    found: dict[str, list[str]] = {}
    for label in labels:
        found.setdefault(normalise(label), []).append(label)
    return {name: same[0] for name, same in found.items() if len(same) == 1}


def _listed(names: Sequence[str]) -> str:
    more = f" and {len(names) - SHOWN} more" if len(names) > SHOWN else ""
    return ", ".join(f"'{name}'" for name in names[:SHOWN]) + more
