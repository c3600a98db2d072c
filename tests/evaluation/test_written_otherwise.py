"""Files as other programs write them: separators, line ends, quotes, numbers; read as meant, told, or refused."""

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import pytest

from fedprompt.errors import DataError
from fedprompt.evaluation.column_map import Columns
from fedprompt.evaluation.readers import CaseFile, read_cases
from fedprompt.evaluation.tables.assumed import Assumed

LABELS = ("positive", "negative")
ROWS = [(f"remark {n} of many", LABELS[n % 2]) for n in range(6)]


def write(folder: Path, content: str | bytes, name: str = "a.csv") -> Path:
    path = folder / name
    path.write_bytes(content.encode() if isinstance(content, str) else content)
    return path


def read(path: Path, labels: Sequence[str] | None = LABELS, mapping: Mapping[str, str] | None = None) -> CaseFile:
    return read_cases(path, fields=["text"], labels=labels, columns=Columns(mapping or {}))


def refusal(path: Path, labels: Sequence[str] | None = LABELS, **options: Any) -> str:
    with pytest.raises(DataError) as caught:
        read(path, labels, **options)
    assert "remark" not in str(caught.value)
    return str(caught.value).removeprefix(str(path))


def table(separator: str = ",", end: str = "\n", rows: Sequence[Sequence[str]] = ROWS) -> str:
    return "".join(separator.join(row) + end for row in [("text", "answer"), *rows])


def texts(found: CaseFile) -> list[str]:
    return [case.fields["text"] for case in found.cases]


@pytest.mark.parametrize("separator", [",", ";", "\t", "|"])
@pytest.mark.parametrize(("end", "called"), [("\n", "LF"), ("\r\n", "CRLF"), ("\r", "CR")])
def test_separators_and_line_ends_are_found_out_and_told(tmp_path: Path, separator: str, end: str, called: str) -> None:
    found = read(write(tmp_path, table(separator, end)))
    assert texts(found) == [text for text, _ in ROWS]
    assert [case.line for case in found.cases] == [2, 3, 4, 5, 6, 7]
    assert found.assumed == Assumed(
        "CSV", "UTF-8", separator, "none", "line 1", {called: 7}, rows_with_line_breaks=0, blank_lines=0
    )


@pytest.mark.parametrize("stated", ["sep=^", '"sep=^"', "SEP=^\r"])
def test_a_first_line_that_states_the_separator_is_obeyed(tmp_path: Path, stated: str) -> None:
    found = read(write(tmp_path, f"{stated}\n" + table("^")))
    assert (len(found.cases), found.assumed.separator, found.assumed.header) == (6, "^", "line 2")


def test_the_separator_that_fits_the_records_wins_over_one_that_stands_in_the_header_alone(tmp_path: Path) -> None:
    content = "a remark, or two;answer\n" + "".join(f"{text};{label}\n" for text, label in ROWS)
    found = read(write(tmp_path, content), mapping={"text": "#1", "answer": "answer"})
    assert found.assumed.separator == ";"


def test_two_separators_that_fit_equally_are_asked_about(tmp_path: Path) -> None:
    message = refusal(write(tmp_path, "a,b;c\n1,2;3\n4,5;6\n"))
    assert "',' or by ';'" in message and "'sep=,' or 'sep=;'" in message


def test_one_column_alone_is_told_how_to_state_the_separator(tmp_path: Path) -> None:
    assert "put 'sep=' and that sign in a first line" in refusal(write(tmp_path, table("^")))


def test_mixed_line_ends_are_read_and_told(tmp_path: Path) -> None:
    content = table().replace("remark 3", "remark 3").split("\n")
    found = read(write(tmp_path, "\r\n".join(content[:3]) + "\r\n" + "\n".join(content[3:])))
    assert len(found.cases) == 6 and found.assumed.line_ends == {"CRLF": 3, "LF": 4}


def test_a_lone_cr_outside_quotes_is_refused_and_inside_is_text(tmp_path: Path) -> None:
    message = refusal(write(tmp_path, table(rows=[*ROWS, ("one\rtwo", "positive")])))
    assert message.startswith(" line 8: a carriage return inside a cell without quotes")
    found = read(write(tmp_path, table(rows=[*ROWS, ('"one\rtwo"', "positive")])))
    assert texts(found)[-1] == "one\rtwo" and found.assumed.rows_with_line_breaks == 1


@pytest.mark.parametrize("sign", ["\u2028", "\u2029", "\x85", "\x0b", "\x0c", "\x1c"])
def test_other_line_ends_of_unicode_are_text(tmp_path: Path, sign: str) -> None:
    rows = [*ROWS, (f"one{sign}two", "positive")]
    assert texts(read(write(tmp_path, table(rows=rows))))[-1] == f"one{sign}two"
    lines = "".join(json.dumps({"text": t, "answer": a}, ensure_ascii=False) + "\n" for t, a in rows)
    assert texts(read(write(tmp_path, lines, "a.jsonl")))[-1] == f"one{sign}two"


def test_a_header_of_several_lines_is_read(tmp_path: Path) -> None:
    content = '"What went well?\n(one sentence)","Overall, how was it?"\n' + table().split("\n", 1)[1]
    found = read(write(tmp_path, content), mapping={"text": "#1", "answer": "#2"})
    assert [case.line for case in found.cases] == [3, 4, 5, 6, 7, 8]
    assert read(write(tmp_path, content), mapping={"text": "What went well?\n(one sentence)", "answer": "#2"}).rows == 6
    assert refusal(write(tmp_path, content)).endswith("--map 'text=#1,answer=#2'")


def test_columns_without_a_name_and_with_anothers_are_called_by_place(tmp_path: Path) -> None:
    rows = "".join(f"{n},{text},x,{label}\n" for n, (text, label) in enumerate(ROWS))
    path = write(tmp_path, ",note,note,answer\n" + rows)
    assert refusal(path).startswith(": no column 'text'; the columns there are #1, #2, #3, answer")
    assert texts(read(path, mapping={"text": "#2"}))[0] == "remark 0 of many"


SWALLOWED = {
    "in the first column": 'text,answer\n"remark A,positive\nremark B,negative\nremark C so",positive\n',
    "two rows alone": 'text,answer\n"remark A,positive\nremark B so",negative\n',
    "before an id": 'text,answer,id\n"remark B,negative,2\nremark C,positive,3\nD so",negative,4\n',
    "in a middle column": 'id,text,answer\n1,"remark A,positive\n2,remark B,negative\n3,remark C so",positive\n',
    "the label first": 'answer,text\npositive,"remark A\nnegative,remark B\npositive,remark C so"\n',
}


@pytest.mark.parametrize("kind", SWALLOWED)
@pytest.mark.parametrize("end", ["\n", "\r\n", "\r"])
def test_rows_inside_another_rows_cell_are_refused(tmp_path: Path, kind: str, end: str) -> None:
    head, _, body = SWALLOWED[kind].partition("\n")
    names = head.split(",")
    more = [{"id": str(n + 9), "text": text, "answer": label} for n, (text, label) in enumerate(ROWS)]
    content = head + "\n" + body + "".join(",".join(row[name] for name in names) + "\n" for row in more)
    path = write(tmp_path, content.replace("\n", end))
    for labels in (LABELS, None):
        message = refusal(path, labels)
        assert "a quoted cell" in message


@pytest.mark.parametrize(
    "text",
    [
        "Dear all,\nI liked it, and so did he.\nYours, J",
        "one\ntwo\nthree",
        "It was, in short,\nvery, very good",
        '1. bread\n2. "butter", salted\n3. jam',
    ],
)
def test_texts_of_several_lines_are_no_rows(tmp_path: Path, text: str) -> None:
    quoted = '"' + text.replace('"', '""') + '"'
    found = read(write(tmp_path, table(rows=[*ROWS, (quoted, "positive")])))
    assert texts(found)[-1] == text and found.assumed.rows_with_line_breaks == 1


@pytest.mark.parametrize(
    ("line", "part"),
    [
        ('"remark,positive', "line 8: the record cannot be read (a quote is never closed)"),
        ('"remark" x,positive', "line 8: the record cannot be read"),
        ('"remark \\"so\\" x",positive', "line 8: the record cannot be read"),
        ("remark,positive,", "line 8: 3 cells, but the header has 2 columns"),
    ],
)
def test_quotes_and_cells_that_do_not_add_up_are_refused(tmp_path: Path, line: str, part: str) -> None:
    assert part in refusal(write(tmp_path, table() + line + "\n"))


def test_what_looks_damaged_is_told_with_its_lines(tmp_path: Path) -> None:
    rows = [('lost"', "positive"), ("caf\ufffd", "negative"), ("nan", " positive"), ("N/A", "negative")]
    found = read(write(tmp_path, table(rows=[*ROWS, *rows])))
    marks = (
        ("U+FFFD", "(line 9)"),
        ("quote", "(line 8)"),
        ("missing value", "(lines 10, 11)"),
        ("spaces", "(line 10)"),
    )
    for (what, where), note in zip(marks, found.assumed.notes, strict=True):
        assert what in note and note.endswith(where)
    assert set(found.assumed.notes) <= set(found.warnings)


def test_utf16_without_a_mark_is_named(tmp_path: Path) -> None:
    assert "probably UTF-16" in refusal(write(tmp_path, table().encode("utf-16-le")))


@pytest.mark.parametrize(
    ("label", "value"), [("1", "1.0"), ("1.0", "1"), ("007", "7"), ("true", "True"), ("caf\u00e9", "cafe\u0301")]
)
def test_a_label_in_another_form_is_not_changed_but_the_right_one_is_named(
    tmp_path: Path, label: str, value: str
) -> None:
    labels = (label, "other")
    message = refusal(write(tmp_path, table(rows=[("a", "other"), ("b", value)])), labels)
    assert " line 3" in message and f"'{label}'" in message
    assert ("another Unicode form" in message) == (label == "caf\u00e9")


NUMBERS = ["1", "1.0", "1.50", "1e3", "-0", "0.1", "9" * 400, "123456789012345678901234567890"]


def test_json_numbers_are_the_text_that_stands_there(tmp_path: Path) -> None:
    lines = "".join(f'{{"text": {n}, "answer": "{LABELS[at % 2]}"}}\n' for at, n in enumerate(NUMBERS))
    assert texts(read(write(tmp_path, lines, "a.jsonl"))) == NUMBERS


GOOD = [{"text": text, "answer": label} for text, label in ROWS]


@pytest.mark.parametrize(
    ("content", "part"),
    [
        (
            json.dumps(GOOD),
            "line 1: a JSON list, not an object: the file is one array, not JSON lines; write one object",
        ),
        (json.dumps(GOOD, indent=1), "line 1, column 1: not JSON (Expecting value); where the file is one array"),
        (json.dumps(GOOD[0], indent=1), "where an object takes several lines, write one object a line (jq -c . OLD"),
        ('{"text": "remark", "answer": "positive",}\n', "comma before the closing brace"),
        ('{"text": "remark", "answer": "positive"},\n', "comma after the object"),
        ('{"text": "remark", "answer": "positive"}{"text": "b"}\n', "between two objects"),
        ('{"text": "remark", "answer": "positive", "answer": "negative"}\n', "line 1: the key 'answer' appears twice"),
        ('{"text": {"remark": "b"}, "answer": "positive"}\n', "line 1, field 'text': has an object, not text"),
        ('{"text": "remark", "answer": NaN}\n', "line 1, field 'answer': no value"),
        ('{"text": "remark", "answer": null}\n', "line 1, field 'answer': no value"),
        ('{"text": "remark\\u0000", "answer": "positive"}\n', "line 1: a NUL character"),
    ],
)
def test_json_lines_are_refused_with_the_line_and_the_way_out(tmp_path: Path, content: str, part: str) -> None:
    assert part in refusal(write(tmp_path, content, "a.jsonl"))


@pytest.mark.parametrize("at", [0, 3])
def test_a_key_that_one_line_lacks_is_told_with_that_line(tmp_path: Path, at: int) -> None:
    rows: list[dict[str, Any]] = [dict(row) for row in GOOD]
    del rows[at]["answer"]
    path = write(tmp_path, "".join(json.dumps(row) + "\n" for row in rows), "a.jsonl")
    assert refusal(path).startswith(f" line {at + 1}, field 'answer': this line lacks that key")


def test_what_nobody_asked_for_may_be_anything(tmp_path: Path) -> None:
    lines = "".join(json.dumps({**row, "id": 10**400, "meta": {"a": [1]}}) + "\n" for row in GOOD)
    assert read(write(tmp_path, lines, "a.jsonl")).rows == 6


def test_json_in_a_csv_file_is_recognised(tmp_path: Path) -> None:
    assert "looks like JSON" in refusal(write(tmp_path, json.dumps(GOOD[0]) + "\n"))


def parquet(folder: Path, **columns: Any) -> Path:
    import pyarrow as pa
    import pyarrow.parquet as pq

    path = folder / "a.parquet"
    pq.write_table(
        pa.table({"text": [text for text, _ in ROWS], "answer": [label for _, label in ROWS], **columns}), path
    )
    return path


def test_parquet_values_are_written_as_they_are(tmp_path: Path) -> None:
    from datetime import date, datetime
    from decimal import Decimal

    import pyarrow as pa

    values = {
        "float32": (pa.array([0.1] * 6, pa.float32()), "0.1"),
        "float64": (pa.array([1.0] * 6), "1.0"),
        "int64": (pa.array([2**62] * 6), "4611686018427387904"),
        "bool": (pa.array([True] * 6), "true"),
        "date": (pa.array([date(2024, 5, 3)] * 6), "2024-05-03"),
        "time": (pa.array([datetime(2024, 5, 3, 1)] * 6, pa.timestamp("us")), "2024-05-03 01:00:00"),
        "decimal": (pa.array([Decimal("1E+3")] * 6, pa.decimal128(6, 2)), "1000.00"),
        "dictionary": (pa.array(["a"] * 6).dictionary_encode(), "a"),
        "large": (pa.array(["a"] * 6, pa.large_string()), "a"),
    }
    path = parquet(tmp_path, **{name: column for name, (column, _) in values.items()})
    for name, (_, text) in values.items():
        found = read_cases(path, fields=["text", name], labels=LABELS)
        assert {case.fields[name] for case in found.cases} == {text}, name


def test_parquet_columns_without_text_are_refused_by_kind_and_spoil_no_other(tmp_path: Path) -> None:
    import pyarrow as pa

    from fedprompt.evaluation.columns import survey

    odd = {
        "list": pa.array([["a"]] * 6),
        "object": pa.array([{"a": 1}] * 6),
        "bytes": pa.array([b"a"] * 6),
        "never": pa.array([2**62] * 6, pa.timestamp("ms")),
    }
    path = parquet(tmp_path, **odd)
    assert read(path).rows == 6
    assert [one.name for one in survey(path).columns if not one.filled] == list(odd)
    for name in odd:
        message = refusal(path, mapping={"text": name})
        assert message.startswith(f" row 1, field 'text' (column '{name}'): has ") and "not text" in message


def test_a_parquet_name_twice_is_refused_where_it_is_wanted(tmp_path: Path) -> None:
    import pyarrow as pa
    import pyarrow.parquet as pq

    path = tmp_path / "a.parquet"
    columns = [[text for text, _ in ROWS], [label for _, label in ROWS], ["x"] * 6]
    pq.write_table(pa.table(columns, names=["text", "answer", "text"]), path)
    assert "the column 'text' occurs twice" in refusal(path)
    pq.write_table(pa.table([*columns, ["y"] * 6], names=["text", "answer", "id", "id"]), path)
    assert read(path).rows == 6
