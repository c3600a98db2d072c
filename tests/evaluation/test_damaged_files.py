"""Whatever happened to a file of cases, it is read or refused in one sentence, and no sentence shows a case's text."""

import io
import json
from dataclasses import replace
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fedprompt.errors import DataError
from fedprompt.evaluation.column_map import Columns
from fedprompt.evaluation.drafting import draft_study
from fedprompt.evaluation.readers import read_cases
from fedprompt.workspace.cases.data_view import FileView, look_at
from tests.mutated import damaged, examples

SECRET = "the quixotry of Jane Roe hurts her badly"
LABELS = ("positive", "negative")
ROWS = [(f"{n} times {SECRET}, or not", LABELS[n % 2]) for n in range(12)]


def table(separator: str, end: str) -> bytes:
    lines = [separator.join(("text", "answer")), *(separator.join((f'"{text}"', label)) for text, label in ROWS)]
    return "".join(line + end for line in lines).encode()


def parquet() -> bytes:
    import pyarrow as pa
    import pyarrow.parquet as pq

    out = io.BytesIO()
    columns = {"text": [text for text, _ in ROWS], "answer": [label for _, label in ROWS], "n": list(range(12))}
    pq.write_table(pa.table(columns), out)
    return out.getvalue()


WHOLE = {
    "a.csv": table(",", "\r\n"),
    "a.tsv": table("\t", "\n"),
    "mac.csv": table(";", "\r"),
    "a.jsonl": "".join(json.dumps({"text": t, "answer": a, "n": 1.0}) + "\n" for t, a in ROWS).encode(),
    "lists.jsonl": "".join(json.dumps(row) + "\n" for row in ROWS).encode(),
    "a.parquet": parquet(),
}


def shown(view: FileView) -> FileView:
    """Return what people are shown: a column's own name, which only asks for it, may be a text out of place."""
    return replace(view, columns=tuple(replace(one, name="") for one in view.columns), reading=None)


def tried(name: str, content: bytes) -> None:
    with TemporaryDirectory() as folder:
        path = Path(folder) / name
        path.write_bytes(content)
        in_order = {"answer": "#", "#header": "no"}
        for attempt in (
            lambda: read_cases(path, fields=("text",), labels=LABELS),
            lambda: read_cases(path, fields=("text",), labels=None, columns=Columns(group="answer")),
            lambda: read_cases(path, fields=("text",), labels=LABELS, columns=Columns.of(in_order)),
            lambda: draft_study(path),
            lambda: draft_study(path, header=False),
            lambda: shown(look_at(path)),
        ):
            try:
                said = attempt()
            except DataError as error:
                assert "\n" not in str(error) and "\r" not in str(error)
                assert error.__cause__ is None or isinstance(error.__cause__, OSError)
                said = str(error)
            assert SECRET not in (json.dumps(said) if isinstance(said, dict) else str(said))


@pytest.mark.parametrize("name", WHOLE)
@settings(max_examples=examples())
@given(data=st.data())
def test_a_damaged_file_is_read_or_refused_in_a_sentence(name: str, data: st.DataObject) -> None:
    tried(name, data.draw(damaged(WHOLE[name])))


@settings(max_examples=examples())
@given(content=st.binary(max_size=200), name=st.sampled_from(sorted(WHOLE)))
def test_any_bytes_are_read_or_refused_in_a_sentence(content: bytes, name: str) -> None:
    tried(name, content)


def test_a_column_whose_name_is_a_text_out_of_place_is_shown_by_its_number(tmp_path: Path) -> None:
    rows = [{"text": text, f"a {SECRET} b" if not n else "answer": answer} for n, (text, answer) in enumerate(ROWS)]
    path = tmp_path / "a.jsonl"
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    view = look_at(path)
    assert [one.shown for one in view.columns] == ["text", "column 2", "answer"]
    assert SECRET not in str(shown(view))
