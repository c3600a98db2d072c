"""Labelled cases that a visitor chooses as a prompt's examples, written out in its text.

Invariant: a text that is to be run is never among the examples it is run with.
"""

from collections.abc import Mapping, Sequence

from fedprompt.errors import DataError
from fedprompt.evaluation.cases import Case, input_key
from fedprompt.evaluation.column_map import Columns
from fedprompt.evaluation.readers import read_cases
from fedprompt.evaluation.runs.demonstrations import Shown
from fedprompt.prompts.template import Template
from fedprompt.workspace.cases.evaluation_sets import evaluation_sets
from fedprompt.workspace.home import Home
from fedprompt.workspace.playground.trial_files import TrialFolder

__all__ = ["example_sources", "with_examples"]


def example_sources(home: Home, folder: TrialFolder, fields: Sequence[str], *, files: bool) -> tuple[str, ...]:
    """Return the names of what examples may come from: test sets with right answers and, with ``files``, files here."""
    sets = [name for name, body in folder.sets().items() if any(body["expected"]) and _has(body["rows"], fields)]
    read = [one for one in evaluation_sets(home) if one.reading is not None and set(fields) <= set(one.reading.fields)]
    return (*sets, *(one.id for one in read if files and one.id not in sets))


def with_examples(
    home: Home, folder: TrialFolder, source: str, template: Template, rows: Sequence[Mapping[str, str]]
) -> Template:
    """Return a template with its examples written out, each label in turn.

    Args:
        source: one of :func:`example_sources`.
        template: one that shows labelled cases.
        rows: the texts that it is going to run on.

    Raises:
        DataError: the source is gone, cannot be read, or has too few cases.
        PromptError: the text would be too long.
    """
    assert template.demonstrations is not None, "the template shows examples"
    fields, words = template.variables, template.words
    run = {input_key(_case({field: row.get(field, "") for field in fields}, "")) for row in rows}
    kept = [
        case
        for case in _cases(home, folder, source, fields)
        if case.answer and (not words or case.answer in words) and input_key(case) not in run
    ]
    if len(kept) < (count := template.demonstrations.count):
        raise DataError(
            f"“{template.name}” shows {count} examples, but “{source}” has only {len(kept)} that are not among "
            "the texts to run; choose another set",
            code="too-few-cases",
        )
    return template.showing(Shown(template, kept).to(_case({}, "")))


def _cases(home: Home, folder: TrialFolder, source: str, fields: Sequence[str]) -> Sequence[Case]:
    body = folder.sets().get(source)
    if body is not None:
        given = zip(body["rows"], body["expected"], strict=False)
        return [_case({field: str(row.get(field, "")) for field in fields}, str(answer)) for row, answer in given]
    found = next((one for one in evaluation_sets(home) if one.id == source and one.reading is not None), None)
    if found is None or found.reading is None:
        raise DataError(f"“{source}” no longer exists; choose another set", code="no-such-file")
    columns = Columns.of(found.reading.mapping_of(fields), found.reading.group)
    return read_cases(found.path, fields=fields, labels=None, columns=columns).cases


def _has(rows: Sequence[Mapping[str, str]], fields: Sequence[str]) -> bool:
    return bool(rows) and all(field in rows[0] for field in fields)


def _case(fields: Mapping[str, str], answer: str) -> Case:
    return Case(dict(fields), answer)
