"""A home's own cases and texts, as ``adapt`` reads them: its names for the classes, and nothing of the pack's own text.

Invariant: a case that the pack was made from is used for nothing, for the pack's prompts know its answer.
"""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from fedprompt.errors import DataError
from fedprompt.evaluation.cases import Case, input_key
from fedprompt.evaluation.class_names import ClassNames
from fedprompt.evaluation.column_map import Columns
from fedprompt.evaluation.readers import read_cases
from fedprompt.evaluation.unlabelled import read_texts
from fedprompt.workspace.exchange.pack_text import text_digest

__all__ = ["MOST_CASES", "MOST_TEXTS", "HomeCases", "home_cases"]

MOST_CASES = 5000  # labelled; more are no few, and each is asked of every member
MOST_TEXTS = 1000  # without a label; more tell the class shares hardly better


@dataclass(frozen=True)
class HomeCases:
    """``cases`` with ``answers`` ([cases], each a label's place), ``groups`` that stay together, ``texts`` without any.

    ``counts``: label -> how many cases; ``words``: what the file calls a class -> the label that it means; ``notes``:
    sentences for people.
    """

    cases: tuple[Case, ...]
    answers: NDArray[np.int64]
    groups: tuple[str, ...]
    texts: tuple[Case, ...]
    counts: Mapping[str, int]
    words: Mapping[str, str]
    notes: tuple[str, ...]

    @property
    def alike(self) -> bool:
        """Whether all cases have one label, from which nothing can be learnt of the others."""
        return len(set(self.answers.tolist())) < 2


def home_cases(
    data: Path | None,
    unlabelled: Path | None,
    *,
    fields: Sequence[str],
    labels: Sequence[str],
    columns: Columns,
    words: Mapping[str, str] | None = None,
    known: Collection[bytes] = (),
) -> HomeCases:
    """Read what there is.

    Args:
        data: a file of labelled cases, None where there is none.
        unlabelled: a file of texts, None where there is none.
        fields: the pack's fields.
        labels: the pack's labels.
        columns: what was said of the files' columns.
        words: a name that the file has for a class -> the pack's.
        known: digests of the texts that the pack was made from.

    Raises:
        DataError: a file cannot be used, has a class that the pack lacks, too many cases, or only the pack's own.
    """
    names = ClassNames(labels, words)
    cases: tuple[Case, ...] = ()
    notes: list[str] = []
    if data is not None:
        found = read_cases(data, fields=fields, labels=labels, columns=columns, names=names)
        cases = _not_of_the_pack(data, found.cases, known, notes)
        if len(cases) > MOST_CASES:
            raise DataError(
                f"{data} has {len(cases):,} cases, but adapt uses at most {MOST_CASES:,}; with that many, tune "
                "your own prompt or use a sample",
                code="too-many-cases",
            )
        notes += found.warnings
    texts: tuple[Case, ...] = ()
    if unlabelled is not None:
        read = read_texts(unlabelled, fields=fields, columns=columns, most=MOST_TEXTS)
        texts = read.texts
        if read.rows > len(texts) == MOST_TEXTS:
            notes.append(f"{unlabelled}: only the first {MOST_TEXTS:,} texts are used")
    places = {label: place for place, label in enumerate(labels)}
    answers = np.array([places[case.answer] for case in cases], dtype=np.int64)
    counts = np.bincount(answers, minlength=len(labels)).tolist() if len(cases) else [0] * len(labels)
    groups = tuple(input_key(case) if case.group is None else f"group {case.group}" for case in cases)
    counted = dict(zip(labels, counts, strict=True))
    return HomeCases(cases, answers, groups, texts, counted, names.found_names, tuple(notes))


def _not_of_the_pack(
    data: Path, cases: tuple[Case, ...], known: Collection[bytes], notes: list[str]
) -> tuple[Case, ...]:
    if not known:
        return cases
    kept = tuple(case for case in cases if text_digest(case) not in known)
    if not kept:
        raise DataError(
            f"{data}: all of its cases are among the texts from which the pack was made, so they measure "
            "nothing new; give your own cases, or leave out --data",
            code="cases-of-the-pack",
        )
    if len(kept) < len(cases):
        notes.append(
            f"{len(cases) - len(kept)} of {len(cases)} cases are left out, because the pack was made from them"
        )
    return kept
