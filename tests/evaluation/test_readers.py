"""Files of cases: what is read, and the sentence that each kind of bad file gets."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from fedprompt.errors import DataError
from fedprompt.evaluation.column_map import Columns
from fedprompt.evaluation.readers import CaseFile, Contradiction, ReadLimits, read_cases

LABELS = ("positive", "negative")
GOOD = "text,answer\nfine,positive\nbad,negative\n"


def write(folder: Path, name: str, content: str | bytes) -> Path:
    path = folder / name
    path.write_bytes(content.encode() if isinstance(content, str) else content)
    return path


def read(path: Path, mapping: Mapping[str, str] | None = None, group: str | None = None, **options: Any) -> CaseFile:
    columns = Columns(mapping or {}, group)
    return read_cases(path, **{"fields": ["text"], "labels": LABELS, "columns": columns, **options})


def refusal(path: Path, **options: Any) -> str:
    with pytest.raises(DataError) as caught:
        read(path, **options)
    message = str(caught.value)
    assert message.startswith(str(path))
    assert "\n" not in message
    return message


def pairs(found: CaseFile) -> list[tuple[str, str, int]]:
    return [(case.fields["text"], case.answer, case.line) for case in found.cases]


@pytest.mark.parametrize("separator", [",", ";", "\t"])
def test_the_separator_is_found_out(tmp_path: Path, separator: str) -> None:
    path = write(tmp_path, "a.csv", GOOD.replace(",", separator))
    assert pairs(read(path)) == [("fine", "positive", 2), ("bad", "negative", 3)]


def test_a_comma_in_another_column_name_does_not_mislead(tmp_path: Path) -> None:
    path = write(tmp_path, "a.csv", "text;a,b,c,d;answer\nfine;1;positive\nbad;2;negative\n")
    assert [case.fields["text"] for case in read(path).cases] == ["fine", "bad"]


def test_a_record_over_several_lines_has_the_line_it_begins_on(tmp_path: Path) -> None:
    path = write(tmp_path, "a.csv", 'text,answer\r\n"one\r\ntwo, ""three""",positive\r\n\r\nbad,negative\r\n')
    assert pairs(read(path)) == [('one\r\ntwo, "three"', "positive", 2), ("bad", "negative", 5)]


def test_a_byte_order_mark_is_accepted(tmp_path: Path) -> None:
    assert len(read(write(tmp_path, "a.csv", b"\xef\xbb\xbf" + GOOD.encode())).cases) == 2
    line = b'\xef\xbb\xbf{"text": "fine", "answer": "positive"}\n{"text": "bad", "answer": "negative"}'
    assert len(read(write(tmp_path, "a.jsonl", line)).cases) == 2


def test_jsonl_numbers_and_booleans_become_the_text_that_stands_there(tmp_path: Path) -> None:
    lines = '{"text": 12, "answer": 1}\n\n{"text": 2.50, "answer": 0}\n{"text": true, "answer": "1"}\n'
    found = read(write(tmp_path, "a.jsonl", lines), labels=("0", "1"))
    assert pairs(found) == [("12", "1", 1), ("2.50", "0", 3), ("true", "1", 4)]


def test_a_number_that_is_a_label_in_another_form_is_refused_with_that_label(tmp_path: Path) -> None:
    lines = '{"text": "fine", "answer": 1.0}\n{"text": "bad", "answer": 0.0}\n'
    message = refusal(write(tmp_path, "a.jsonl", lines), labels=("0", "1"))
    assert "line 1" in message and "unknown label '1.0', did you mean '1'?" in message


def test_parquet_reads_the_same_cases_as_csv(tmp_path: Path) -> None:
    import pyarrow as pa
    import pyarrow.parquet as pq

    table = pa.table({"note": ["fine", "bad", "fine"], "y": ["positive", "negative", "positive"], "other": [1, 2, 3]})
    path = tmp_path / "a.parquet"
    pq.write_table(table, path)
    found = read(path, mapping={"text": "note", "answer": "y"})
    assert pairs(found) == [("fine", "positive", 1), ("bad", "negative", 2)]
    assert found.warnings == ("1 duplicate left out (row 3)",)


def test_parquet_nulls_are_missing_values(tmp_path: Path) -> None:
    import pyarrow as pa
    import pyarrow.parquet as pq

    path = tmp_path / "a.parquet"
    pq.write_table(pa.table({"text": ["fine", None], "answer": ["positive", "negative"]}), path)
    assert "row 2, field 'text': no value" in refusal(path)


def test_mapping_and_group_name_other_columns(tmp_path: Path) -> None:
    path = write(tmp_path, "a.csv", "id,note,label\np1,fine,positive\np2,bad,negative\n")
    found = read(path, mapping={"text": "note", "answer": "label"}, group="id")
    assert [(case.fields, case.group) for case in found.cases] == [
        ({"text": "fine"}, "p1"),
        ({"text": "bad"}, "p2"),
    ]


def test_free_answers_need_no_labels(tmp_path: Path) -> None:
    found = read(write(tmp_path, "a.csv", "text,answer\nhow,so\nwhy,so\n"), labels=None)
    assert len(found.cases) == 2
    assert found.by_answer == {}


def test_duplicates_are_kept_once_and_counted(tmp_path: Path) -> None:
    body = "text,answer\nfine,positive\nbad,negative\n FINE ,positive\nbad,negative\n"
    found = read(write(tmp_path, "a.csv", body))
    assert (found.rows, found.inputs, len(found.cases)) == (4, 2, 2)
    assert found.duplicates == (4, 5)
    assert found.by_answer == {"positive": 1, "negative": 1}
    assert found.warnings == ("2 duplicates left out (lines 4, 5)",)


def test_one_input_under_two_labels_is_kept_and_reported_with_lines(tmp_path: Path) -> None:
    found = read(write(tmp_path, "a.csv", "text,answer\nfine,positive\nbad,negative\nFine,negative\n"))
    assert len(found.cases) == 3
    assert found.inputs == 2
    assert found.contradictions == (Contradiction((2, 4)),)
    assert found.warnings == ("1 input with two or more answers, kept together (lines 2, 4)",)  # wording


@pytest.mark.parametrize("order", [("b", "a"), ("a", "b")])
def test_a_duplicate_in_two_groups_stays_in_the_least_whatever_the_order(
    tmp_path: Path, order: tuple[str, str]
) -> None:
    body = f"text,answer,who\nfine,positive,{order[0]}\nfine,positive,{order[1]}\nbad,negative,c\n"
    assert [case.group for case in read(write(tmp_path, "a.csv", body), group="who").cases] == ["a", "c"]


def test_a_label_that_never_occurs_is_said(tmp_path: Path) -> None:
    found = read(write(tmp_path, "a.csv", GOOD), labels=("positive", "negative", "mixed"))
    assert found.warnings == ("no case has the label 'mixed'",)


def test_wrong_columns_are_listed_with_the_map_to_write(tmp_path: Path) -> None:
    message = refusal(write(tmp_path, "a.csv", "texts,label\nfine,positive\n"))
    assert "no column 'text', 'answer'; the columns there are texts, label" in message
    assert "--map text=texts,answer=label" in message


def test_a_mapped_column_that_is_not_there_names_its_field(tmp_path: Path) -> None:
    message = refusal(write(tmp_path, "a.csv", "note,answer\nfine,positive\n"), mapping={"text": "nots"})
    assert "no column 'nots' for 'text'" in message
    assert message.endswith("--map text=note")


def test_a_map_to_no_field_suggests_the_nearest(tmp_path: Path) -> None:
    assert ", did you mean 'text'?" in refusal(write(tmp_path, "a.csv", GOOD), mapping={"txt": "text"})


def test_one_column_for_two_fields_is_refused(tmp_path: Path) -> None:
    assert "gives the column 'text' to 'text' and 'answer'" in refusal(
        write(tmp_path, "a.csv", GOOD), mapping={"answer": "text"}
    )


def test_a_group_column_that_is_not_there_suggests_the_nearest(tmp_path: Path) -> None:
    path = write(tmp_path, "a.csv", "text,answer,patient_id\nfine,positive,1\n")
    assert "no column 'patient' for --group, did you mean 'patient_id'?" in refusal(path, group="patient")


@pytest.mark.parametrize(
    ("name", "content", "part"),
    [
        ("a.csv", "", "is empty"),
        ("a.csv", "\n\n", "is empty"),
        ("a.jsonl", "\n \n", "is empty"),
        ("a.csv", "text,answer\n", "has a header but no cases"),
        ("a.csv", "text,answer\nfine,positive\nbad\n", "line 3: 1 cell, but the header has 2"),
        (
            "a.csv",
            "text,answer\nfine,positive\nbad,very,negative\n",
            "line 3: 3 cells, but the header has 2",
        ),
        (
            "a.csv",
            'text,answer\nfine,positive\n"bad,negative\nx,positive\n',
            "line 3: the record cannot be read",
        ),
        ("a.csv", "text,answer,text\nfine,positive,x\n", "line 1: the column 'text' occurs twice"),
        ("a.csv", "text,answer\nfine,positive\n   ,negative\n", "line 3, field 'text': no value"),
        ("a.csv", "text,answer\nfine,\n", "line 2, field 'answer': no value"),
        ("a.csv", b"text,answer\nfi\0ne,positive\n", "line 2, byte 3: a NUL byte"),
        ("a.csv", b"text,answer\nfine,positive\ncaf\xe9,positive\n", "line 3, byte 4: not UTF-8"),
        ("a.csv", GOOD.encode("utf-16"), "UTF-16"),
        (
            "a.jsonl",
            '{"text": "fine", "answer": "positive"}\n{"text": oops}\n',
            "line 2, column 10: not JSON",
        ),
        (
            "a.jsonl",
            '{"text": "fine", "answer": "positive"}\n["bad"]\n',
            "line 2: a JSON list, not an object",
        ),
        (
            "a.jsonl",
            '{"text": "fine", "answer": "positive"}\n{"text": "x"}\n',
            "line 2, field 'answer': this line lacks that key",
        ),
        (
            "a.jsonl",
            '{"text": ["fine"], "answer": "positive"}\n',
            "line 1, field 'text': has a list, not text",
        ),
        ("a.jsonl", '{"text": "\\ud83d", "answer": "positive"}\n', "line 1: an escape that is half"),
        ("a.jsonl", "[" * 100_000, "line 1: not usable JSON (RecursionError)"),
        ("a.parquet", "not parquet at all", "not a Parquet file"),
        ("a.parquet", b"PAR1" + b"\xff" * 64 + b"PAR1", "not a Parquet file"),
        ("a.jsnl", GOOD, "'.jsnl', did you mean '.jsonl'?"),
        ("cases", GOOD, "unknown ending ''"),
    ],
)
def test_bad_files_get_a_sentence_with_the_place(tmp_path: Path, name: str, content: str | bytes, part: str) -> None:
    assert part in refusal(write(tmp_path, name, content))


def test_a_missing_file_and_a_folder_are_refused(tmp_path: Path) -> None:
    assert "cannot be opened (No such file or directory)" in refusal(tmp_path / "none.csv")
    assert "is a folder" in refusal(tmp_path)


def test_a_one_class_file_is_refused(tmp_path: Path) -> None:
    message = refusal(write(tmp_path, "a.csv", "text,answer\nfine,positive\ngood,positive\n"))
    assert "line 2 and all others, field 'answer' (column 'answer'): every case has the label 'positive'" in message


def test_an_unknown_label_suggests_the_nearest_and_a_long_one_is_not_shown(tmp_path: Path) -> None:
    message = refusal(write(tmp_path, "a.csv", "text,answer\nfine,positive\nbad,Negative\n"))
    assert "line 3, field 'answer' (column 'answer'): unknown label 'Negative', did you mean 'negative'?" in message
    long = refusal(write(tmp_path, "b.csv", f"text,answer\nfine,{'x' * 500}\n"))
    assert "line 2, field 'answer' (column 'answer'): " in long
    assert "xx" not in long


def test_no_message_shows_a_cases_text(tmp_path: Path) -> None:
    secret = "Jane Roe has"
    for name, body in {
        "a.csv": f"text,answer\n{secret},wrong\n",
        "b.csv": f"text,answer\n{secret},\n",
        "c.csv": f'text,answer\n"{secret},positive\n',
        "d.csv": f"text,answer\n{secret},too,many\n",
        "e.jsonl": f'{{"text": "{secret}", }}',
        "f.jsonl": f'"{secret}"',
        "g.csv": f"text,answer\n{secret},positive\n",
    }.items():
        path = write(tmp_path, name, body)
        with pytest.raises(DataError) as caught:
            read(path)
        error: BaseException | None = caught.value
        assert secret not in str(error)
        assert error is not None
        # A decoder's own error would keep the whole line.
        assert error.__cause__ is None


def test_a_line_of_100_mb_is_refused_unread(tmp_path: Path) -> None:
    import tracemalloc

    path = tmp_path / "big.csv"
    with path.open("wb") as file:
        file.write(b"text,answer\nfine,positive\n")
        file.truncate(100 * 1024 * 1024)
    tracemalloc.start()
    try:
        message = refusal(path)
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert "line 3: the line is longer than 1,048,576 bytes" in message
    assert peak < 16 * 1024 * 1024


def test_an_open_quote_does_not_swallow_the_file(tmp_path: Path) -> None:
    path = write(tmp_path, "a.csv", 'text,answer\n"' + "x" * 99 + ("\n" + "y" * 99) * 30_000)
    assert "line 2: the record cannot be read" in refusal(path)


def test_sizes_are_bounded(tmp_path: Path) -> None:
    path = write(tmp_path, "a.csv", GOOD)
    assert "more than 20" in refusal(path, limits=ReadLimits(max_file_bytes=20))
    assert "more than 1 cases" in refusal(path, limits=ReadLimits(max_cases=1))
    assert "line 1: the line is longer than 5 bytes" in refusal(path, limits=ReadLimits(max_line_bytes=5))


def test_parquet_is_bounded(tmp_path: Path) -> None:
    import pyarrow as pa
    import pyarrow.parquet as pq

    path = tmp_path / "a.parquet"
    pq.write_table(pa.table({"text": ["fine" * 100, "b\0d"], "answer": ["positive", "negative"]}), path)
    assert "more than 1 cases" in refusal(path, limits=ReadLimits(max_cases=1))
    assert "row 1, 'text': longer than 50 characters" in refusal(path, limits=ReadLimits(max_line_bytes=50))
    assert "row 2, 'text': a NUL character" in refusal(path)


def test_a_field_called_answer_is_refused(tmp_path: Path) -> None:
    assert "a field may not be called 'answer'" in refusal(write(tmp_path, "a.csv", GOOD), fields=["answer"])


def test_a_long_text_within_the_bound_is_read(tmp_path: Path) -> None:
    long = "x" * 500_000
    found = read(write(tmp_path, "a.csv", f"text,answer\n{long},positive\nbad,negative\n"))
    assert found.cases[0].fields["text"] == long
    line = json.dumps({"text": long, "answer": "positive"})
    assert len(read(write(tmp_path, "a.jsonl", line), labels=("positive",)).cases) == 1
