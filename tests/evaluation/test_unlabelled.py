"""Texts without answers: each input once, no column of answers needed, no text in a message."""

from pathlib import Path

import pytest

from fedprompt.errors import DataError
from fedprompt.evaluation.column_map import Columns
from fedprompt.evaluation.unlabelled import TextFile, read_texts
from tests.coded import coded


def read(folder: Path, content: str, columns: Columns | None = None, most: int = 100) -> TextFile:
    path = folder / "texts.csv"
    path.write_text(content, encoding="utf-8")
    return read_texts(path, fields=["text"], columns=columns or Columns(), most=most)


def test_no_answer_is_needed_and_each_input_is_kept_once(tmp_path: Path) -> None:
    found = read(tmp_path, "text,other\nfine day,1\nbad day,2\nFINE  day,3\n")
    assert [case.fields["text"] for case in found.texts] == ["fine day", "bad day"] and found.rows == 3
    assert {case.answer for case in found.texts} == {""}


def test_answers_that_are_there_are_not_read(tmp_path: Path) -> None:
    columns = Columns({"text": "note", "answer": "label"})
    assert {case.answer for case in read(tmp_path, "note,label\na b,x\nc d,y\n", columns).texts} == {""}


def test_columns_by_place_need_no_answer_either(tmp_path: Path) -> None:
    found = read(tmp_path, "fine day\nbad day\n", Columns.said(None, None, False))
    assert len(found.texts) == 2


def test_the_first_so_many_are_kept(tmp_path: Path) -> None:
    assert len(read(tmp_path, "text\n" + "".join(f"text {n}\n" for n in range(9)), most=4).texts) == 4


@pytest.mark.parametrize(
    ("content", "code"), [("note\na b\n", "no-such-column"), ("text\n", "no-cases"), ("text,x\n ,1\n", "no-value")]
)
def test_a_file_without_texts_is_refused(tmp_path: Path, content: str, code: str) -> None:
    with pytest.raises(DataError, check=coded(code)):
        read(tmp_path, content)
