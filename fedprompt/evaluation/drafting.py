"""Drafts a study file from a file of cases: guesses columns, lists labels, writes candidate templates.

Invariant: no case text is in the draft. Only values of the answer column appear, and only if they repeat and have a
label's form (``columns.labels_of``), so that a wrong guess cannot spill texts; a column's name appears only where it
has a name's form.
"""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from fedprompt.errors import DataError, did_you_mean
from fedprompt.evaluation.column_map import map_option
from fedprompt.evaluation.columns import MAX_LABELS, Column, Survey, labels_of, survey
from fedprompt.evaluation.readers import ANSWER
from fedprompt.evaluation.tables.names import at_place, place_of, plausible, same_name
from fedprompt.evaluation.tables.table import ReadLimits

__all__ = [
    "ColumnGuess",
    "Drafted",
    "draft_study",
    "drafted",
    "dump_study",
    "field_name",
    "guess_columns",
    "study_body",
]

ANSWER_NAMES = (
    "label",
    "answer",
    "sentiment",
    "class",
    "category",
    "target",
    "topic",
    "intent",
    "rating",
    "y",
)
FREE_ANSWER_NAMES = ("answer", "summary", "response", "completion", "output", "target")
RESERVED = frozenset({ANSWER, "soft", "demonstrations"})
LISTED_LABELS = 8


class _Dumper(yaml.SafeDumper):
    """Writes texts with line ends on one line, quoted."""


def _text(dumper: yaml.SafeDumper, text: str) -> yaml.ScalarNode:
    return dumper.represent_scalar("tag:yaml.org,2002:str", text, style='"' if "\n" in text else None)


_Dumper.add_representer(str, _text)


@dataclass(frozen=True)
class ColumnGuess:
    """Which columns look like the text and the answer, the field's name in a study, and the labels if they are few."""

    text: str
    field: str
    answer: str
    labels: tuple[str, ...]


@dataclass(frozen=True)
class Drafted:
    """A drafted study's YAML, and the ``options`` with which commands read its file, as they are typed in a shell."""

    text: str
    options: str


def guess_columns(
    path: Path, columns: Sequence[Column], *, answer: str | None = None, text: str | None = None
) -> ColumnGuess:
    """Return the columns that look like text and answer; ``answer`` and ``text`` name those that are known.

    Raises:
        DataError: a named column is not there, or the columns cannot be guessed.
    """
    there = [_called(column) for column in columns]
    known = {}
    for what, wanted in (("answer", answer), ("text", text)):
        known[what] = None if wanted is None else _named(columns, wanted)
        if wanted is not None and known[what] is None:
            shown = f"'{wanted}'" if plausible(wanted) else "of that name"
            raise DataError(
                f"{path}: no column {shown}{did_you_mean(wanted, there)}; the columns there are "
                f"{', '.join(there[:20])}",
                code="no-such-column",
            )
    answer, text = known["answer"], known["text"]
    target = _answer(path, columns, answer, text)
    source = _source(path, columns, target, text)
    return ColumnGuess(source.name, field_name(source.name), target.name, labels_of(target))


def draft_study(
    path: Path,
    *,
    name: str | None = None,
    model: str = "smollm2-135m-instruct",
    answer: str | None = None,
    text: str | None = None,
    limits: ReadLimits | None = None,
    header: bool | None = None,
) -> str:
    """Return the YAML text of a study for a file of cases; the arguments are those of :func:`drafted`."""
    return drafted(path, name=name, model=model, answer=answer, text=text, limits=limits, header=header).text


def drafted(
    path: Path,
    *,
    name: str | None = None,
    model: str = "smollm2-135m-instruct",
    answer: str | None = None,
    text: str | None = None,
    limits: ReadLimits | None = None,
    header: bool | None = None,
) -> Drafted:
    """Return a study for a file of cases, and how commands read the file.

    Args:
        path: a CSV, JSONL or Parquet file.
        name: the study's name; the file's if None.
        model: the study's model.
        answer: the column with the label or wanted text; guessed if None.
        text: the column with the input; guessed if None.
        limits: bounds on lines, bytes and cases.
        header: whether the file has a header; None where nobody said.

    Raises:
        DataError: the file cannot be read, a named column is not there, or the columns cannot be guessed.
        HeaderDoubt: ``header`` is None and its first line may be a case.
    """
    path = Path(path)
    found = survey(path, limits, header)
    guess = guess_columns(path, found.columns, answer=answer, text=text)
    body = study_body(name or path.stem, (guess.field,), guess.answer, guess.labels, model=model)
    options = _options(guess, found, header)
    return Drafted(_header(path, guess, found, options) + dump_study(body), options)


def study_body(
    name: str, fields: Sequence[str], answer: str, labels: Sequence[str], *, model: str = "smollm2-135m-instruct"
) -> dict[str, Any]:
    """Return the content of a drafted study.

    Args:
        name: what it is to be called; characters that a study's name cannot have are replaced.
        fields: its fields, the one with the text first.
        answer: what the answer's column is called.
        labels: the labels to choose among; empty where the answer is free text.
    """
    return _study(_study_name(name), model, fields, _heading(answer), labels)


def dump_study(body: Mapping[str, Any]) -> str:
    """Return a study's content as YAML, texts with line ends on one line."""
    return yaml.dump(
        dict(body), Dumper=_Dumper, sort_keys=False, allow_unicode=True, width=10_000, default_flow_style=None
    )


def _named(columns: Sequence[Column], wanted: str) -> str | None:
    """Return the column that is meant, by name or by place."""
    for column in columns:
        if same_name(column.name, wanted):
            return column.name
    place = int(wanted) - 1 if wanted.isdecimal() else place_of(wanted)
    return next((column.name for column in columns if column.place == place), None)


def _answer(path: Path, columns: Sequence[Column], named: str | None, text: str | None) -> Column:
    if named is not None:
        return next(column for column in columns if column.name == named)
    free = [column for column in columns if column.name != text and column.filled]
    choices = [column for column in free if labels_of(column)]
    if choices:
        return min(choices, key=lambda column: (_rank(column.name, ANSWER_NAMES), len(column.values or ())))
    worded = [c for c in free if _rank(c.name, FREE_ANSWER_NAMES) < len(FREE_ANSWER_NAMES) * 2]
    if len(free) > 1 and worded:
        return min(worded, key=lambda column: _rank(column.name, FREE_ANSWER_NAMES))
    raise DataError(
        f"{path}: no column looks like an answer (2 to {MAX_LABELS} short values that repeat); the columns are "
        f"{', '.join(_called(c) for c in columns[:20])}; name the answer column, or rename it to 'answer'",
        code="no-answer-column",
    )


def _rank(name: str, words: Sequence[str]) -> int:
    """Return how near a column's name is to the usual ones.

    Equal first, then holding one as a word, then the rest.
    """
    parts = [part for part in re.split(r"[\W_]+", name.casefold()) if part]
    if name.casefold().strip() in words:
        return words.index(name.casefold().strip())
    held = [words.index(part) for part in parts if part in words]
    return len(words) + min(held) if held else len(words) * 2


def _source(path: Path, columns: Sequence[Column], target: Column, named: str | None) -> Column:
    rest = [column for column in columns if column.name != target.name and column.filled]
    if named is not None:
        rest = [column for column in rest if column.name == named]
    if not rest:
        raise DataError(
            f"{path}: no text column beside the answer '{_called(target)}'; add one, or name another answer column",
            code="no-text-column",
        )
    return max(rest, key=lambda column: column.mean_length)


def field_name(column: str) -> str:
    """Return what a column's field may be called in a study; ``text`` where its name may be a case's text."""
    if not plausible(column) or place_of(column) is not None:
        return "text"
    plain = re.sub(r"[^A-Za-z0-9_]+", "_", column).strip("_")[:80]
    return plain if re.match(r"[A-Za-z_]", plain) and plain not in RESERVED else "text"


def _heading(column: str) -> str:
    """Return words for the answer: its column's name with spaces, if it is made of plain letters."""
    words = re.sub(r"[\s_-]+", " ", column).strip()
    if not plausible(column):
        return "Answer"
    return words.capitalize() if re.fullmatch(r"[A-Za-z ]{2,30}", words) else "Answer"


def _study_name(stem: str) -> str:
    return re.sub(r"[^\w +-]+", "-", stem).strip(" +-")[:80] or "study"


def _study(name: str, model: str, fields: Sequence[str], heading: str, labels: Sequence[str]) -> dict[str, Any]:
    what = heading.casefold()
    # What stands before the slot of the first field; further fields come before it, a line each.
    said = {field: field.replace("_", " ").strip().capitalize() or "Text" for field in fields}
    *before, field = [*fields[1:], fields[0]]
    source = "".join(f"{said[other]}: {{{other}}}\n" for other in before) + said[field]
    slot = f"{{{field}}}"
    if labels:
        listed = [label.replace("{", "{{").replace("}", "}}") for label in labels]
        choice = ", ".join(listed[:-1]) + f" or {listed[-1]}" if len(labels) <= LISTED_LABELS else "one of the labels"
        ask = f"Give the {what} of the following text: {choice}."
    else:
        ask = f"Give the {what} for the following text."
    answer: dict[str, Any] = (
        {"type": "choice", "labels": list(labels)} if labels else {"type": "generate", "scorers": ["exact", "contains"]}
    )
    return {
        "study": name,
        "model": model,
        "fields": list(fields),
        "answer": answer,
        "metric": "accuracy" if labels else "score",
        "templates": [
            {"name": "text-first", "text": f"{source}: {slot}\n{heading}:"},
            {"name": "instruction-first", "text": f"{ask}\n\n{source}: {slot}\n{heading}:"},
            {
                "name": "chat",
                "messages": [
                    {"role": "user", "content": f"{ask}\n\n{source}: {slot}" if before else f"{ask}\n\n{slot}"}
                ],
            },
            {
                "name": "two-shot",
                "text": f"{{demonstrations}}{source}: {slot}\n{heading}:",
                "demonstrations": {"count": 2},
            },
        ],
        **(_tuned(source, slot, heading, what) if labels else {}),
        "privacy": {"min_cases": 30},
    }


def _tuned(source: str, slot: str, heading: str, what: str) -> dict[str, Any]:
    """Return what only a choice among labels has: something to tune."""
    return {
        "soft": {
            "template": f"{source}: {slot}{{soft}}\n{heading}:",
            "tokens": 8,
            "init": f"Overall, the {what} here is clearly",
        },
        # As in the demo: chosen on the development task (benchmarks/LOG.md), where fewer and slower steps lost.
        "tuning": {"steps": 8, "batch": 16, "lr": 0.03, "prior_free": True},
        "rounds": {
            "count": 8,
            "scored": 2,
            "deadline": "auto",
            "strategy": {"name": "fedavgm", "options": {"momentum": 0.7}},
        },
    }


def _options(guess: ColumnGuess, found: Survey, header: bool | None) -> str:
    named = {column.name: _called(column) for column in found.columns}
    pairs = {guess.field: guess.text, ANSWER: guess.answer}
    said = {name: named[column] for name, column in pairs.items() if named[column] != name}
    flag = {None: [], True: ["--header"], False: ["--no-header"]}[header]
    return " ".join([*flag, *([map_option(said)] if said else [])])


def _header(path: Path, guess: ColumnGuess, found: Survey, options: str) -> str:
    named = {column.name: _called(column) for column in found.columns}
    count = f"{len(guess.labels)} labels" if guess.labels else "free text"
    lines = [
        f"A study drafted from {_shown(path.name)}. Review it, edit it, then check it.",
        f"Input: column '{named[guess.text]}'. Answer: column '{named[guess.answer]}', {count}.",
        f"Read as: {found.assumed.sentence}.",
    ]
    values = next(column.values for column in found.columns if column.name == guess.answer) or {}
    if guess.labels and len(values) > len(guess.labels):
        left = len(values) - len(guess.labels)
        lines.append(
            f"{left} value{'' if left == 1 else 's'} of that column {'is' if left == 1 else 'are'} not a label "
            "here: too rare, or like a sentence. 'fedprompt data check' lists the lines."
        )
    if options:
        lines.append(f"Use this file with: {options}")
    return "".join(f"# {line}\n" for line in lines)


def _called(column: Column) -> str:
    return column.name if column.named else at_place(column.place)


def _shown(text: str) -> str:
    return "".join(c if c.isprintable() else "?" for c in text)[:80]
