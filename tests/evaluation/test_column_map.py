"""The printed ``--map`` is read back as it was meant, whatever the columns are called."""

import shlex

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fedprompt.errors import DataError
from fedprompt.evaluation.column_map import map_option, read_map, with_header, without_header

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
    with pytest.raises(DataError, match="is not name=column"):
        read_map(text)


def test_what_was_said_of_the_header_travels_with_the_columns() -> None:
    assert with_header(None, None) is None
    assert with_header({"text": "a"}, None) == {"text": "a"}
    assert with_header({"text": "2", "answer": "#1"}, False) == {"text": "#2", "answer": "#1", "#header": "no"}
    assert without_header({"text": "#2", "#header": "no"}) == ({"text": "#2"}, False)
    assert without_header({"text": "a", "#header": "yes"}) == ({"text": "a"}, True)
    assert without_header({"text": "a"}) == ({"text": "a"}, None)
