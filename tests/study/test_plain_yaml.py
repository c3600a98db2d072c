"""YAML from elsewhere is read within bounds, and what is refused is told with its line and what to do."""

import datetime
from collections.abc import Iterator

import pytest
import yaml

from fedprompt.study.plain_yaml import MAX_DEPTH, MAX_PARTS, YamlProblem, read_yaml

REPEATED = "base: &b {steps: 2, batch: 4}\nones: [*b, *b]\nmore: {<<: *b, steps: 3}\n"
BOMB = "a0: &a0 [x, x, x, x, x, x, x, x, x]\n" + "".join(
    f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 9)}]\n" for n in range(1, 20)
)


def problem(text: str | bytes, *, aliases: bool = False) -> YamlProblem:
    with pytest.raises(YamlProblem) as caught:
        read_yaml(text, aliases=aliases)
    assert "\n" not in caught.value.reason
    return caught.value


@pytest.mark.parametrize(
    "text",
    [
        "a: 1\nb: [x, 'y', \"z\\n\", 1.5, true, ~, 2026-01-01]\nc: {d: e}\n",
        "a: |\n  one\n  two\nb: >-\n  one\n  two\nc:\n- 0x1F\n- 1_000\n- 12:30\n- 010\n",
        "",
        "plain words",
        "? a\n: b\n",
        "a: !!str 5\nb: ''\nc:\n",
        "é: ü\n",
    ],
)
def test_plain_yaml_is_read_as_the_library_reads_it(text: str) -> None:
    assert read_yaml(text).value == yaml.safe_load(text)
    assert read_yaml(b"\xef\xbb\xbf" + text.encode()).value == yaml.safe_load(text)
    assert read_yaml(text.replace("\n", "\r\n")).value == yaml.safe_load(text)


def test_wide_text_with_its_mark_is_read_too() -> None:
    assert read_yaml("a: é".encode("utf-16")).value == {"a": "é"}


def test_a_lone_equals_sign_is_text() -> None:
    assert read_yaml("labels: [=, <]").value == {"labels": ["=", "<"]}


def test_aliases_are_followed_where_they_are_asked_for() -> None:
    one = {"steps": 2, "batch": 4}
    expected = {"base": one, "ones": [one, one], "more": {"steps": 3, "batch": 4}}
    assert read_yaml(REPEATED, aliases=True).value == expected == yaml.safe_load(REPEATED)
    assert problem(REPEATED).line == 1 and "'&b'" in problem(REPEATED).reason
    assert "to nothing above it" in problem("a: &a [*a]", aliases=True).reason


@pytest.mark.parametrize(
    ("text", "line", "place"),
    [
        ("a: 1\nb: 2\na: 3\n", 3, ("a",)),
        ("a:\n  - {x: 1, y: 2}\n  - {x: 1, x: 2}\n", 3, ("a", 1, "x")),
        ("'a': 1\na: 2\n", 2, ("a",)),
        ("a: 1\n<<: {b: 1}\n", 2, ()),
        ("a: !!python/object/apply:os.getcwd []\n", 1, ("a",)),
        ("a: 1\nb: !local x\n", 2, ("b",)),
        ("a: 1\nb: [1, &x 2]\n", 2, ("b", 1)),
        ("a: 2026-13-45\n", 1, ("a",)),
        ("a:\n  - {text: b, [c]: d}\n", 2, ("a", 0)),
        ("a: 1\n---\nb: 1\n", 2, ()),
    ],
)
def test_what_would_be_dropped_or_made_into_something_is_refused_at_its_place(
    text: str, line: int, place: tuple[str | int, ...]
) -> None:
    found = problem(text)
    assert (found.line, found.place) == (line, place)


@pytest.mark.parametrize(
    ("text", "line", "said"),
    [
        ("a:\n\t- b\n", 2, "indented with a tab"),
        ("a: Review: {text}\n", 1, "': '; put the value of 'a' in quotes"),
        ("- {name: x, text: Review: {text}}\n", 1, "put the value of 'text' in quotes"),
        ("a: {text} is it?\n", 1, "'{' starts a mapping; put the value of 'a' in quotes"),
        ("a: [x] is it?\n", 1, "'[' starts a list; put the value of 'a' in quotes"),
        ("a: @you\n", 1, "'@'"),
        ("b: 1\na: `x`\n", 2, "'`'"),
        ("a: %s\n", 1, "'%' starts a directive; put the value of 'a' in quotes"),
        ("a: > b\n", 1, "'>' starts a text of several lines"),
        ("a: - b\n", 1, "'-' starts a list"),
        ("a: 'it's'\n", 1, "closing quote"),
        ('a: "x\nb: y\n', 1, "never closed"),
        ('a: "\\d"\n', 1, "escape"),
        ("a: [b\nc: d\n", 2, "the '[' that opens in line 1 has no ']'"),
        ("a:b\nc: d\n", 1, "after the colon"),
        ("a: b\n  c: d\n", 2, "more indentation"),
        ("a: [", 1, "ends in the middle of a list or a mapping"),
        ("a: b\nc: \x07\n", 2, "cannot be printed"),
        ("a: \ud800\n", 1, "surrogate"),
    ],
)
def test_a_slip_is_told_with_its_line_and_what_to_write(text: str, line: int, said: str) -> None:
    found = problem(text)
    assert found.line == line and said in found.reason


def test_bytes_that_are_no_text_are_told_with_their_line() -> None:
    found = problem(b"a: b\nc: M\xfcller\n")
    assert (found.line, "byte 9" in found.reason) == (2, True)


@pytest.mark.parametrize("text", ["[" * 1_000_000, "{" * 1_000_000, "? " * 1_000_000, "- " * 1_000_000])
def test_depth_is_refused_after_as_many_parts_as_are_allowed(text: str, monkeypatch: pytest.MonkeyPatch) -> None:
    assert "nested deeper" in problem(text).reason
    assert _parts_read(text, monkeypatch) <= MAX_DEPTH + 5


@pytest.mark.parametrize("text", ["a: [" + "b," * 1_000_000, "".join(f"k{n}: 1\n" for n in range(200_000))])
def test_parts_are_counted_while_they_are_read(text: str, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(YamlProblem, match="more than 1,000 parts"):
        read_yaml(text, max_parts=1000)
    assert _parts_read(text, monkeypatch, max_parts=1000) <= 1010


def test_what_aliases_repeat_is_counted_each_time() -> None:
    # Nine to the sixth are more than the bound: line 6 names the list that would be too large.
    found = problem(BOMB, aliases=True)
    assert f"more than {MAX_PARTS:,} parts" in found.reason and found.line == 6


@pytest.mark.parametrize("number", ["9" * 4000, "0x" + "f" * 500, "1:" * 2000 + "1", "1." + "0" * 100, "9" * 3_000_000])
def test_a_number_of_many_digits_is_never_made(number: str) -> None:
    assert "at most 36 characters" in problem(f"a: {number}").reason


def _parts_read(text: str, monkeypatch: pytest.MonkeyPatch, **bounds: int) -> int:
    """Return how many events the parser was asked for."""
    read = 0

    def counting(given: str, Loader: type) -> Iterator[object]:
        nonlocal read
        for event in parse(given, Loader=Loader):
            read += 1
            yield event

    parse = yaml.parse
    monkeypatch.setattr(yaml, "parse", counting)
    with pytest.raises(YamlProblem):
        read_yaml(text, **bounds)
    return read


def test_dates_are_dates_until_a_schema_asks_for_text() -> None:
    document = read_yaml("labels: [2026-01-01]")
    assert document.value == {"labels": [datetime.date(2026, 1, 1)]}
    line, node = document.find(("labels", 0))
    assert node is not None and (line, node.kind, document.written(node)) == (1, "date", "2026-01-01")
