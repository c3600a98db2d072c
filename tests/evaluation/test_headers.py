"""Files without a header: a case is never taken for names, none of it is shown, and both answers can be said."""

import json
from pathlib import Path

import pytest

from fedprompt.errors import DataError
from fedprompt.evaluation.column_map import Columns
from fedprompt.evaluation.columns import survey
from fedprompt.evaluation.drafting import draft_study
from fedprompt.evaluation.readers import read_cases
from fedprompt.evaluation.tables.header import HeaderDoubt
from fedprompt.study.files import parse_study
from tests.coded import coded

LABELS = ("positive", "negative")
FIRST = "The patient complained of chest pain on 3 May"
ROWS = [(FIRST, "negative")] + [(f"A plain remark number {n} about nothing", LABELS[n % 2]) for n in range(20)]


def table(folder: Path, rows: list[tuple[str, ...]], separator: str = ",", name: str = "a.csv") -> Path:
    path = folder / name
    path.write_text("".join(separator.join(row) + "\n" for row in rows))
    return path


def as_jsonl(folder: Path, rows: list[tuple[str, ...]]) -> Path:
    path = folder / "a.jsonl"
    names, *body = rows
    path.write_text("".join(json.dumps(dict(zip(names, row, strict=True))) + "\n" for row in body))
    return path


def as_parquet(folder: Path, rows: list[tuple[str, ...]]) -> Path:
    import pyarrow as pa
    import pyarrow.parquet as pq

    path = folder / "a.parquet"
    names, *body = rows
    pq.write_table(pa.table({name: [row[at] for row in body] for at, name in enumerate(names)}), path)
    return path


@pytest.mark.parametrize("separator", [",", ";", "\t", "|"])
def test_a_label_among_the_names_is_a_case_and_nothing_of_it_is_shown(tmp_path: Path, separator: str) -> None:
    path = table(tmp_path, ROWS, separator)
    for attempt in (
        lambda: draft_study(path),
        lambda: survey(path),
        lambda: read_cases(path, fields=("text",), labels=LABELS),
        lambda: read_cases(path, fields=("text",), labels=None),
    ):
        with pytest.raises(HeaderDoubt) as caught:
            attempt()
        message = str(caught.value)
        assert message.startswith(f"{path} line 1: ") and "--no-header" in message and "--header" in message
        assert "patient" not in message and "negative" not in message


@pytest.mark.parametrize("convert", [as_jsonl, as_parquet])
def test_a_table_without_header_that_was_converted_is_no_better(tmp_path: Path, convert: object) -> None:
    path = convert(tmp_path, ROWS)  # type: ignore[operator]
    for attempt in (lambda: draft_study(path), lambda: read_cases(path, fields=("text",), labels=LABELS)):
        with pytest.raises(HeaderDoubt) as caught:
            attempt()
        assert "patient" not in str(caught.value) and "--header" in str(caught.value)


@pytest.mark.parametrize(
    "first",
    [
        ("What is the capital of the country that lies north of here?", "Paris, so they say."),
        ("It hurt. I went home.", "rest"),
        ("14", "03/05/2024"),
        ("jane.roe@example.org", "q"),
        ("The soup was cold", "q"),
        ("w" * 61, "q"),
    ],
)
def test_sentences_and_figures_are_no_names_even_where_no_value_repeats(tmp_path: Path, first: tuple[str, ...]) -> None:
    rows = [first, *((f"Is {n} more than one?", f"It is {n} times so") for n in range(9))]
    path = tmp_path / "a.jsonl"
    path.write_text("".join(json.dumps(dict(zip(first, row, strict=True))) + "\n" for row in rows[1:]))
    with pytest.raises(HeaderDoubt):
        survey(path)


@pytest.mark.parametrize(
    "names",
    [
        ("text", "label"),
        ("review", "how good it was"),
        ("0", "1"),  # as pandas names columns without names
        ("What did you like most about it, in your own words and at some length?", "Overall, how was it?"),
        ("Kommentar", "Bewertung"),
        ("\u8bc4\u8bba", "\u6807\u7b7e"),
    ],
)
def test_a_header_is_no_case(tmp_path: Path, names: tuple[str, str]) -> None:
    path = tmp_path / "a.csv"
    head = ",".join('"' + name + '"' for name in names)
    path.write_text(head + "\n" + "".join(",".join(row) + "\n" for row in ROWS))
    assert survey(path).rows == 21


def test_without_a_header_every_line_is_a_case(tmp_path: Path) -> None:
    path = table(tmp_path, ROWS)
    draft = draft_study(path, header=False)
    assert "patient" not in draft and "--no-header --map 'text=#1,answer=#2'" in draft
    study = parse_study(draft)
    assert (study.fields, study.answer.labels) == (("text",), ("negative", "positive"))
    mapping = {"text": "#1", "answer": "#2", "#header": "no"}
    found = read_cases(path, fields=study.fields, labels=study.answer.labels, columns=Columns.of(mapping))
    assert (found.rows, found.cases[0].fields["text"], found.cases[0].line) == (21, FIRST, 1)
    assert found.assumed.header == "none"


def test_without_a_header_the_studys_order_is_taken_unless_a_map_says_otherwise(tmp_path: Path) -> None:
    turned = table(tmp_path, [(answer, text) for text, answer in ROWS])
    in_order = {"answer": "#", "#header": "no"}
    with pytest.raises(DataError, check=coded("unknown-label")):
        read_cases(turned, fields=("text",), labels=LABELS, columns=Columns.of(in_order))
    named = {"text": "#2", "answer": "#1", "#header": "no"}
    assert read_cases(turned, fields=("text",), labels=LABELS, columns=Columns.of(named)).rows == 21
    wide = table(tmp_path, [(text, "x", answer) for text, answer in ROWS])
    with pytest.raises(DataError, match="text, answer", check=coded("columns-unlike-study")):
        read_cases(wide, fields=("text",), labels=LABELS, columns=Columns.of(in_order))


def test_somebody_can_say_that_odd_names_are_names_and_they_are_called_by_place(tmp_path: Path) -> None:
    path = table(tmp_path, ROWS)
    draft = draft_study(path, header=True)
    assert "patient" not in draft and "--header --map 'text=#1,answer=negative'" in draft
    columns = Columns({"text": "#1", "answer": "#2"}, header=True)
    found = read_cases(path, fields=("text",), labels=LABELS, columns=columns)
    assert found.rows == 20


def test_a_header_that_comes_again_is_told(tmp_path: Path) -> None:
    path = tmp_path / "a.csv"
    path.write_text("text,answer\nfine,positive\nbad,negative\n\ufefftext,answer\ngood,positive\n")
    with pytest.raises(DataError, match="line 4", check=coded("header-repeated")):
        read_cases(path, fields=("text",), labels=None)


def test_a_name_that_is_a_text_is_shown_nowhere_though_its_header_is_one(tmp_path: Path) -> None:
    path = table(tmp_path, [(FIRST + ".", "label"), *((text, label) for text, label in ROWS[1:])])
    with pytest.raises(DataError) as caught:
        read_cases(path, fields=("text",), labels=LABELS)
    assert "the columns there are #1, label" in str(caught.value)
    assert str(caught.value).endswith("--map 'text=#1,answer=label'")
    assert "patient" not in str(caught.value) + draft_study(path)


def test_lists_in_lines_are_read_without_a_header(tmp_path: Path) -> None:
    path = tmp_path / "a.jsonl"
    path.write_text("".join(json.dumps(row) + "\n" for row in ROWS))
    mapping = {"answer": "#", "#header": "no"}
    assert read_cases(path, fields=("text",), labels=LABELS, columns=Columns.of(mapping)).rows == 21
    with pytest.raises(DataError, match="line 1", check=coded("not-an-object")):
        read_cases(path, fields=("text",), labels=LABELS)


def test_values_that_are_rare_or_sentences_are_never_labels(tmp_path: Path) -> None:
    stray = [("I am well", "Jane Roe was admitted"), ("So am I", "He went home. Then he came.")]
    path = table(tmp_path, [("text", "label"), *ROWS[1:], *stray])
    draft = draft_study(path)
    assert parse_study(draft).answer.labels == ("negative", "positive")
    assert "Jane" not in draft and "went home" not in draft and "2 values of that column are not a label here" in draft


def test_short_texts_that_each_stand_there_twice_are_no_labels(tmp_path: Path) -> None:
    texts = [f"Jane came on day {n} again." for n in range(20)] * 2
    path = table(tmp_path, [("text", "remark"), *((f"case {n} of them", text) for n, text in enumerate(texts))])
    with pytest.raises(DataError, check=coded("no-answer-column")) as caught:
        draft_study(path)
    assert "Jane" not in str(caught.value)
