"""A case: named input fields, an answer, the group it belongs to, and where it stood in its file.

Invariant: two cases whose inputs differ only in case, white space or Unicode composition have one input key;
the answer is no part of it, so that contradictory duplicates share it. A case's text never shows in its
``repr``.
"""

import json
import unicodedata
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

__all__ = ["ANSWER", "Case", "input_key", "normalise"]

ANSWER = "answer"  # what a file's answer is called beside a study's fields


@dataclass(frozen=True)
class Case:
    """One labelled example.

    Args:
        fields: field -> text.
        answer: the label, or the wanted text.
        group: what must stay in one split (a patient, a document), or None.
        line: 1-based line of its file (row for Parquet) on which the case begins, 0 where there is no file.
        row: a digest of all columns of its row, those that the study does not read included; empty where there is none.
    """

    fields: Mapping[str, str] = field(repr=False, hash=False)
    answer: str = field(repr=False)
    group: str | None = field(default=None, repr=False)
    line: int = 0
    row: bytes = field(default=b"", repr=False, compare=False)


def normalise(text: str) -> str:
    """Return the text in NFC, case folded, with runs of white space as one space and none at the ends."""
    folded = unicodedata.normalize("NFC", unicodedata.normalize("NFC", text).casefold())
    return " ".join(folded.split())


def input_key(case: Case, fields: Sequence[str] | None = None) -> str:
    """Return a case's input in canonical form: a JSON list of normalised values in the order of field names.

    Args:
        case: the case.
        fields: the fields that make up the input; all of the case's fields if None.

    Raises:
        KeyError: the case lacks a field.
    """
    names = sorted(case.fields if fields is None else fields)
    return json.dumps([normalise(case.fields[name]) for name in names], ensure_ascii=False, separators=(",", ":"))
