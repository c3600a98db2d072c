import os
import re
from datetime import UTC, datetime
from pathlib import Path

import pytest

from app.display.amounts import money
from app.display.plain import label, percent, plain, points, seconds, sentence
from app.display.titles import titles
from app.panels.federation.sites import said_balance
from app.panels.federation.transfer import transfer_sentence
from app.panels.prompts.answers import read_answers, said, write_answers
from app.panels.prompts.difference import marked_html, word_differences
from app.panels.ranking.ranking import table_key
from app.panels.runs.job import active_jobs
from app.panels.trials.case_table import parse_rows
from fedprompt.bank.rows import JobRow, PromptRow
from fedprompt.errors import DataError, PromptError
from tests.coded import coded

NOW = datetime(2026, 1, 1, tzinfo=UTC)


def test_words_that_differ_from_the_first_text_are_marked_and_no_others() -> None:
    first, second = word_differences(["Rate the text {text} now", "Rate this text {text} now"])
    assert [piece for piece, differs in first if differs] == ["the"]
    assert [piece for piece, differs in second if differs] == ["this"]
    assert "".join(piece for piece, _ in second) == "Rate this text {text} now"


def test_a_text_of_many_words_is_compared_as_a_whole() -> None:
    first, second = (" ".join(map(str, range(start, start + 20_000))) for start in (0, 1))
    assert word_differences([first, second]) == (((first, True),), ((second, True),))


def test_a_text_is_escaped_whatever_it_holds() -> None:
    html = marked_html(word_differences(["<script>alert(1)</script> {soft}"])[0], first=True, tokens=8)
    assert "<script>" not in html
    assert "8 tuned vectors" in html


def test_markup_in_a_text_stays_text() -> None:
    assert plain("![a](http://b) :red[c] $d$") == r"\!\[a\]\(http\:" "\u2060" r"//b\) \:red\[c\] \$d\$"
    # What Markdown would make a link of, escaped or not, has an invisible word joiner in it.
    assert plain("www.b.org eve@a.org a@production") == "www\u2060.b.org eve@\u2060a.org a@production"


@pytest.mark.parametrize(
    ("given", "wanted"),
    [
        ("the file is empty", "The file is empty."),
        ("mine.csv line 3: odd", "mine.csv line 3: odd."),
        ("done!", "done!"),
    ],
)
def test_a_message_becomes_a_sentence_and_a_name_keeps_its_case(given: str, wanted: str) -> None:
    assert sentence(given) == wanted


def test_numbers_read_as_people_write_them() -> None:
    assert percent(0.8466) == "84.7\N{NO-BREAK SPACE}%"
    assert percent(None) == "not measured"
    assert points(-1.25) == "\N{MINUS SIGN}1.2"
    assert (seconds(4), seconds(54), seconds(190)) == ("a few seconds left", "about 50 s left", "about 3 min left")


@pytest.mark.parametrize(
    ("amount", "told"),
    [(0.0, "0.00"), (0.000046, "0.000046"), (0.0092, "0.0092"), (0.5, "0.50"), (1234.5, "1,234.50")],
)
def test_an_amount_is_told_in_digits_however_small(amount: float, told: str) -> None:
    assert money(amount, "EUR") == f"{told} EUR"


def test_answers_survive_being_written_and_read() -> None:
    words = {"positive": " good", "negative": " negative", "odd": "x"}
    text = write_answers(words, spaced=True)
    assert text == 'positive = good\nnegative\nodd = "x"'
    assert read_answers(text, spaced=True) == words
    assert said(words) == "positive = “good”, negative, odd = “x”"


@pytest.mark.parametrize(
    "text",
    ["a", "a\na", "a = x\nb = x", "= x\nb", "a =\nb", "Yes\nyes", "a = No\nb = no", "\n".join(map(str, range(33)))],
)
def test_answers_that_cannot_be_told_apart_are_refused(text: str) -> None:
    with pytest.raises(PromptError):
        read_answers(text, spaced=True)


def test_a_table_is_read_whatever_separates_its_columns() -> None:
    wanted = ({"text": "a, b", "n": "1"}, {"text": "c", "n": ""})
    assert parse_rows(b'text,n\n"a, b",1\nc,\n', "t", ["text"]) == wanted
    assert parse_rows(b"text\tn\na, b\t1\nc\t\n", "t", ["text"]) == wanted
    assert parse_rows(b"text;n\na, b;1\nc;\n", "t", ["text"]) == wanted


@pytest.mark.parametrize(
    ("content", "code", "names"),
    [
        (b"", "empty", ""),
        (b"text\n", "no-cases", ""),
        (b"text\n" + b"a\n" * 1001, "too-many-cases", "line 1002"),
        (b"text\n" + b"\xff\xfe", "not-utf-8", "line 2"),
        (b"text\n" + b"a" * 300_000, "value-too-long", "line 2"),
        (b"a" * (4 * 1024 * 1024 + 1), "too-large", ""),
    ],
)
def test_a_table_past_its_bounds_is_refused_with_its_place(content: bytes, code: str, names: str) -> None:
    with pytest.raises(DataError, check=coded(code, names=names)):
        parse_rows(content, "mine.csv", ["text"])


def test_prompts_that_share_a_name_have_titles_of_their_own() -> None:
    def row(key: str, kind: str, origin: str, number: int | None) -> PromptRow:
        notes = {} if number is None else {"round": number}
        return PromptRow(f"p1:{key * 32}", "soft prompt", kind, None, origin, (), None, notes, NOW)

    found = titles(
        [
            row("a", "soft", "federated", 2),
            row("b", "soft", "local:tweets", 1),
            row("c", "template", "import", None),
            row("d", "template", "import", None),
        ]
    )
    assert list(found.values()) == [
        "tuned together, round 2",
        "tuned alone at tweets, round 1",
        "soft prompt (cccccc)",
        "soft prompt (dddddd)",
    ]


def test_the_running_job_comes_first_and_quick_ones_are_left_out() -> None:
    def job(key: str, kind: str, state: str) -> JobRow:
        return JobRow(key, kind, {}, state, None, None, None, os.getpid(), NOW, NOW)  # type: ignore[arg-type]

    newest_first = [job("3", "trial", "running"), job("2", "demo", "running"), job("1", "assets", "queued")]
    assert [found.id for found in active_jobs(newest_first)] == ["2", "1"]


def test_the_transfer_sentence_averages_home_and_elsewhere() -> None:
    matrix = {"a": {"a": 0.9, "b": 0.7}, "b": {"a": 0.8, "b": 1.0}}
    # at home (0.9 + 1.0) / 2, elsewhere (0.7 + 0.8) / 2
    told = transfer_sentence(matrix, {"a": 0.9, "b": 0.94}).replace("\N{NO-BREAK SPACE}", " ")
    assert re.findall(r"[\d.]+ %", told) == ["95.0 %", "75.0 %", "70.0 %", "92.0 %", "90.0 %"]
    assert transfer_sentence({}, {}) == ""


def test_a_table_with_other_rows_is_another_table() -> None:
    assert table_key("bank", ["a", "b"]) != table_key("bank", ["b", "a"])


def test_every_panel_says_what_it_exports() -> None:
    for path in (Path(__file__).parents[2] / "app" / "panels").rglob("[a-z]*.py"):
        assert "__all__" in path.read_text(encoding="utf-8"), path.name


def test_a_label_has_no_backslash_where_a_name_is_ordinary_and_markup_stays_text() -> None:
    for name in ("tickets-300_new.csv (12 kB)", "mood@production", "Is it good? 12:30", "a: b & c!"):
        assert label(name).replace("\N{WORD JOINER}", "") == name
    assert label("_x_ *b* :red[x] [l](u) `c` $m$ <b>") == r"\_x\_ \*b\* \:red\[x\] \[l\](u) \`c\` \$m\$ \<b>"
    assert label("# no heading\n- no list") == r"\# no heading - no list"


def test_the_balance_of_labels_begins_with_the_largest_and_leaves_none_out() -> None:
    said = said_balance({"a": 0.0, "b": 0.25, "c": 0.75}).replace("\N{NO-BREAK SPACE}", " ")
    assert said == "75 % c, 25 % b"
    many = said_balance({str(place): 0.125 for place in range(8)})
    assert many.count(",") == 5 and many.endswith("38\N{NO-BREAK SPACE}% 3 others")
