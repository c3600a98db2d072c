"""JSON from elsewhere is measured before it is parsed, and refused at the first thing that is wrong."""

from pathlib import Path
from typing import Annotated

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import Field, ValidationError
from pydantic_core import from_json, to_json

import fedprompt
from fedprompt.boundary.checked import Bounds, Unfit, checked_json, checked_value, plain_json
from fedprompt.boundary.closed import Closed
from fedprompt.boundary.json_bounds import measure
from fedprompt.boundary.tensor_header import check_tensors

SMALL = Bounds(size=1000, values=20, nested=5, members=4, depth=3, digits=10)

PLAIN = st.none() | st.booleans() | st.integers(-(2**63), 2**63) | st.floats(allow_nan=False, allow_infinity=False)
VALUES = st.recursive(
    PLAIN | st.text(),
    lambda inner: st.lists(inner, max_size=5) | st.dictionaries(st.text(), inner, max_size=5),
    max_leaves=30,
)


class Inner(Closed):
    count: int
    names: tuple[str, ...]


class Outer(Closed):
    inner: tuple[Inner, ...]
    by_name: dict[str, int] = Field(default_factory=dict)
    type: Annotated[int, Field(ge=0)] = 0
    metadata: int = 0


@pytest.mark.parametrize(
    ("data", "said"),
    [
        (b"1" * 1001, "has 1,001 bytes"),
        (b"[" + b"1," * 20 + b"1]", "more than 20 values"),
        (b'["' + b'","' * 20 + b'"]', "more than 20 values"),
        (b"[[],[],[],[],[]]", "more than 5 lists"),
        (b"[{},{},{},{},{}]", "more than 5 lists"),
        (b"[[[[1]]]]", "deeper than 3"),
        (b'[{"a":[{}]}]', "deeper than 3"),
        (b'{"a":1,"b":2,"c":3,"d":4,"e":5}', "more than 4 fields"),
        (b'{"a" :1,"b"\n:2,"c"\t :3,"d"  :4,"e":5}', "more than 4 fields"),
        (b"[12345678901]", "more than 10 digits"),
        (b"[-1.234567e89]", "more than 10 digits"),
        (b"[0.00000000000000]", "more than 10 digits"),
        (b"[1E+0000000001]", "more than 10 digits"),
    ],
)
def test_what_passes_a_bound_is_refused_before_it_is_parsed(data: bytes, said: str) -> None:
    with pytest.raises(Unfit, match=said):
        measure(data, SMALL)


def test_marks_inside_a_text_count_for_nothing() -> None:
    data = to_json({"a": '[[[[{{{{1234567890123,,,,"\\', "b\\": "::::::::::::", '"c': "}]}]"})
    assert plain_json(data, SMALL) == from_json(data)


def test_a_text_without_an_end_takes_as_long_as_it_is() -> None:
    with pytest.raises(Unfit, match="is not JSON"):  # a search from each quote on would take hours
        plain_json(b'"' + b'\\"' * 1_000_000, Bounds(3_000_000))


@given(VALUES)
def test_what_is_within_bounds_is_read_as_any_parser_reads_it(value: object) -> None:
    data = to_json(value)
    assert plain_json(data, Bounds(10**6)) == from_json(data)


@pytest.mark.parametrize("data", [b"NaN", b"[Infinity]", b'"\\ud800"', b"\xff", b"", b"{", b"[1,]", b"\xef\xbb\xbf1"])
def test_half_characters_and_what_is_no_number_are_not_json(data: bytes) -> None:
    with pytest.raises(Unfit, match="is not JSON"):
        plain_json(data, SMALL)


def test_the_first_wrong_member_is_the_last_that_is_looked_at() -> None:
    for body in ({"inner": [{}] * 1000}, {"inner": [], "by_name": {str(n): "x" for n in range(1000)}}):
        with pytest.raises(ValidationError) as caught:
            Outer.model_validate(body)
        assert caught.value.error_count() <= 2  # the two fields that one of Inner lacks


@pytest.mark.parametrize("digits", ["9" * 30, "-" + "9" * 30, "9" * 300])
def test_a_whole_number_is_bounded_in_every_form(digits: str) -> None:
    for written in (digits, f'"{digits}"', f"{digits}.0"):
        for body in (f'{{"inner":[],"type":{written}}}', f'{{"inner":[],"by_name":{{"a":{written}}}}}'):
            with pytest.raises(Unfit):
                checked_json(Outer, body.encode(), Bounds(10_000, digits=1_000))
    with pytest.raises(Unfit, match="digits"):
        checked_value(Outer, {"inner": [], "type": int(digits + "9" * 300)}, Bounds(0))


@pytest.mark.parametrize("number", ["1e298", "-1e298", "3e38", "1e19"])
def test_a_number_with_a_fraction_is_bounded_where_its_field_names_no_bound(number: str) -> None:
    class Measured(Closed):
        value: float | None

    with pytest.raises(Unfit, match=r"equal to -?9223372036854776000"):
        checked_json(Measured, f'{{"value":{number}}}'.encode(), SMALL)
    assert checked_json(Measured, b'{"value":-2.5}', SMALL).value == -2.5


def test_fields_with_names_that_schemas_use_are_bounded_like_others() -> None:
    with pytest.raises(Unfit, match=r"metadata: .*less than or equal to 9223372036854775808"):
        checked_value(Outer, {"inner": [], "metadata": 2**64}, Bounds(0))


def test_a_value_that_was_parsed_already_is_counted_too() -> None:
    for value in ([[[[1]]]], [1] * 21, {str(n): 1 for n in range(5)}, [10**40]):
        with pytest.raises(Unfit):
            checked_value(Outer, {"inner": value}, SMALL)


def test_a_refusal_is_one_short_sentence_with_its_place_and_no_value() -> None:
    body = {"inner": [{"count": "a secret text", "names": []}]}
    with pytest.raises(Unfit) as caught:
        checked_json(Outer, to_json(body), Bounds(1000))
    assert str(caught.value).startswith("inner.0.count: ") and "secret" not in str(caught.value)
    with pytest.raises(Unfit) as caught:
        checked_json(Outer, to_json({"inner": [], "\x1b[2J" + "k" * 5000: 1}), Bounds(10_000))
    assert len(str(caught.value)) < 200 and str(caught.value).isprintable()
    assert str(caught.value).endswith("is not a field of it; refused")


def test_a_message_has_the_bounds_of_its_verb_and_one_without_has_the_least() -> None:
    by = {"long": Bounds(10_000, values=100), "short": Bounds(10_000, values=10)}
    for verb, count, passes in (("long", 50, True), ("short", 50, False), ("other", 50, False), ("short", 3, True)):
        body = to_json({"verb": verb, "x": [1] * count})
        with pytest.raises(Unfit) as caught:
            checked_json(Outer, body, Bounds(10_000, values=100), by=("verb", by))
        assert ("more than" not in str(caught.value)) is passes


@pytest.mark.parametrize(
    "body",
    [
        b'{"inner":[],"inner":[]}',
        b'{"inner":[],"in\\u006eer":[]}',
        b'{"inner" :[],\n"inner"\t:[]}',
        b'{"inner":[{"count":1,"names":[],"count":2}]}',
        '{"inner":[],"n\u00e4her":1,"n\\u00e4her":2}'.encode(),
    ],
)
def test_an_object_that_has_one_key_twice_is_refused_since_two_readers_take_two_values(body: bytes) -> None:
    with pytest.raises(Unfit, match="one key twice"):
        checked_json(Outer, body, Bounds(1_000))


def test_the_same_key_in_two_objects_or_as_a_text_is_no_key_twice() -> None:
    body = {"inner": [{"count": 1, "names": ["count", "names", "count"]}, {"count": 2, "names": []}]}
    assert len(checked_json(Outer, to_json(body), Bounds(1_000)).inner) == 2


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"\x01",
        (2**63).to_bytes(8, "little"),
        (10**6).to_bytes(8, "little") + b" " * 10**6,
        (100).to_bytes(8, "little") + b"{}",
        (60_000).to_bytes(8, "little") + b"[" * 60_000,
        (90_002).to_bytes(8, "little") + b"{" + b'"a":{},' * 13_000 + b" " * 90_000,
    ],
)
def test_a_header_of_tensors_is_measured_before_the_library_reads_it(data: bytes) -> None:
    with pytest.raises(Unfit):
        check_tensors(data)


def test_every_model_is_closed_and_every_error_is_told_by_one_place() -> None:
    root = Path(fedprompt.__file__).parent
    found: dict[str, set[str]] = {}
    for path in root.rglob("*.py"):
        text, name = path.read_text(encoding="utf-8"), path.relative_to(root).as_posix()
        for mark in ("(BaseModel):", ".errors(", "validate_json("):
            if mark in text and not name.startswith("bank/"):  # a bank's rows are its own
                found.setdefault(mark, set()).add(name)
    assert found == {
        "(BaseModel):": {"boundary/closed.py"},
        ".errors(": {"boundary/unfit.py"},
        "validate_json(": {"boundary/checked.py"},
    }
