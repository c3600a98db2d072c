"""The printed ``--map`` is read back as it was meant, whatever the columns are called."""

import shlex

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fedprompt.errors import DataError
from fedprompt.evaluation.column_map import BY_NAME, Columns, map_option, read_map
from tests.coded import coded

NAMES = st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=20).filter(lambda name: name.strip())


@given(st.dictionaries(st.sampled_from(["text", "note_2", "answer"]), NAMES, min_size=1))
def test_what_is_printed_is_read_back_by_a_shell_and_the_parser(pairs: dict[str, str]) -> None:
    option, text = shlex.split(map_option(pairs))
    assert option == "--map" and read_map(text) == pairs


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("text=note, answer = label ", {"text": "note", "answer": "label"}),
        ('text="Overall, how was it?",answer=y', {"text": "Overall, how was it?", "answer": "y"}),
        ('text="say ""so""",answer="a=b"', {"text": 'say "so"', "answer": "a=b"}),
        ("text=price in $,answer=a=b", {"text": "price in $", "answer": "a=b"}),
        ("text=#2,answer=#1", {"text": "#2", "answer": "#1"}),
    ],
)
def test_commas_quotes_equals_signs_and_places_are_read(text: str, expected: dict[str, str]) -> None:
    assert read_map(text) == expected


@pytest.mark.parametrize("text", ["", "text", "text=", "=a", "text=a,", 'text="a', 'text="a"b', "text=a,b", "a,b=c"])
def test_anything_else_is_refused(text: str) -> None:
    with pytest.raises(DataError, check=coded("not-a-pair")):
        read_map(text)


def test_without_a_header_columns_go_by_place_and_nothing_named_is_the_studys_order() -> None:
    assert Columns.said({"text": "2", "answer": "#1"}, "3", False) == Columns(
        {"text": "#2", "answer": "#1"}, "#3", False
    )
    assert Columns.said(None, "who", False) == Columns({"answer": "#"}, "who", False)
    assert Columns.said(None, None, False).in_order and not Columns.said(None, None, True).in_order
    # with a header a number is a name
    assert Columns.said({"text": "2"}, "3", True) == Columns({"text": "2"}, "3", True)
    assert Columns.said(None, None, None) == BY_NAME


@pytest.mark.parametrize(
    ("columns", "mapping"),
    [
        (Columns({"text": "#2"}, "who", False), {"text": "#2", "#header": "no"}),
        (Columns({"text": "a"}, None, True), {"text": "a", "#header": "yes"}),
        (Columns({"text": "a"}, "who"), {"text": "a"}),
        (BY_NAME, {}),
    ],
)
def test_what_a_job_keeps_of_the_columns_is_read_back(columns: Columns, mapping: dict[str, str]) -> None:
    assert columns.mapping == mapping
    assert Columns.of(mapping, columns.group) == columns
    assert Columns.of(None) == BY_NAME
