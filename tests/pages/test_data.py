"""Data: a dropped file stays in the site's folder, is looked at without its text, and says what would be refused."""

import json
from collections.abc import Callable
from pathlib import Path

import pytest
from streamlit.testing.v1 import AppTest

from fedprompt.workspace.cases.evaluation_sets import evaluation_sets, keep_file
from fedprompt.workspace.workspace import Workspace
from tests.pages.messages import messages
from tests.scripted_sites import cases

pytestmark = pytest.mark.whole

Open = Callable[..., AppTest]


def table(count: int = 120, *, header: str = "note,mood") -> bytes:
    lines = [f"{case.fields['text']},{case.answer}" for case in cases("clinic", count)]
    return ("\n".join([header, *lines]) + "\n").encode()


def drop(at: AppTest, name: str, content: bytes) -> AppTest:
    at.file_uploader[0].upload(name, content, "text/csv").run()
    assert not at.exception
    return at


def test_an_empty_home_says_what_to_drop_and_where_it_goes(open_page: Open, home: Path) -> None:
    at = open_page("data")
    assert "data_none" in messages(at)
    assert f"{home.name}/sites/this-site/data" in messages(at)["stays_here"]


def test_a_dropped_file_lies_in_the_sites_folder_and_its_columns_are_guessed(open_page: Open, ws: Workspace) -> None:
    at = drop(open_page("data"), "clinic.csv", table())
    kept = ws.home.sites / "this-site" / "data" / "clinic.csv"
    assert kept.read_bytes() == table() and kept.stat().st_mode & 0o777 == 0o600
    assert at.multiselect[0].value == ["note"]
    assert at.selectbox[1].value == "mood"
    assert at.multiselect[1].value == ["negative", "positive"]
    # 120 distinct inputs are cut at 0.4, 0.3, 0.3 into 48, 36 and 36, each above 30.
    assert " 120 " in messages(at)["data_fit"]
    assert [metric.value for metric in at.metric] == ["120", "120", "0", "0"]


def test_confirming_keeps_how_the_file_is_read(open_page: Open, ws: Workspace) -> None:
    at = drop(open_page("data"), "clinic.csv", table())
    at.button(key="data_confirm").click().run()
    reading = evaluation_sets(ws.home)[0].reading
    assert reading is not None
    assert (reading.fields, reading.answer, reading.labels) == ({"note": "note"}, "mood", ("negative", "positive"))
    assert at.button(key="data_next") and "data_confirm" not in [one.key for one in at.button]


def test_lines_that_would_be_refused_are_named_and_can_be_left_out(open_page: Open, ws: Workspace) -> None:
    lines = table().decode().splitlines()
    lines[3] = ",positive"
    lines[6] = lines[6].rpartition(",")[0] + ",positve"
    at = drop(open_page("data"), "clinic.csv", "\n".join(lines).encode())
    shown = at.dataframe[0].value
    assert list(shown["line"]) == [4, 7]
    assert list(shown["field"]) == ["note", "answer"]
    assert "2 lines" in messages(at)["data_unfit"]
    assert at.button(key="data_confirm").disabled
    at.button(key="data_clean").click().run()
    assert " 118 " in messages(at)["data_fit"]
    kept = ws.home.sites / "this-site" / "data" / "clinic.kept.jsonl"
    assert len(kept.read_text().splitlines()) == 118 and set(json.loads(kept.read_text().splitlines()[0])) == {
        "note",
        "answer",
    }


def test_repeats_contradictions_and_too_few_cases_are_told(open_page: Open) -> None:
    lines = table(40).decode().splitlines()
    other = "negative" if lines[1].endswith("positive") else "positive"
    lines += [lines[2], lines[1].rpartition(",")[0] + f",{other}"]
    at = drop(open_page("data"), "few.csv", "\n".join(lines).encode())
    assert [metric.value for metric in at.metric] == ["41", "40", "1", "1"]
    told = messages(at)
    assert " 42" in told["data_duplicates"]
    assert {"2", "43"} <= set(told["data_contradictions"].split())
    assert "data_few" in told


def test_what_the_page_was_told_of_a_file_is_not_kept_in_the_bank(open_page: Open, ws: Workspace) -> None:
    drop(open_page("data"), "clinic.csv", table())
    jobs = [job for job in ws.bank.jobs() if job.kind == "data"]
    assert jobs and all(job.arguments == {} and job.result is None for job in jobs)


def test_a_file_that_cannot_be_read_is_a_sentence_and_leaves_no_trace_of_its_text(open_page: Open) -> None:
    at = drop(open_page("data"), "odd.csv", b"note,mood\nquixotry\xff,positive\n")
    assert "odd.csv" in at.error[0].value and "quixotry" not in at.error[0].value


def test_a_file_that_cannot_be_read_can_be_removed(open_page: Open, ws: Workspace) -> None:
    at = drop(open_page("data"), "odd.csv", table() + b'"never closed,positive\n')
    assert at.error
    at.button(key="data_delete").click().run()
    assert evaluation_sets(ws.home) == () and not at.error


@pytest.mark.parametrize("name", ["bare.csv", "bare.jsonl"])
def test_a_doubted_header_is_asked_for_in_the_page_s_own_words(open_page: Open, name: str) -> None:
    rows = [(case.fields["text"], case.answer) for case in cases("clinic", 120)]
    lines = [json.dumps(dict(zip(rows[0], row, strict=True))) for row in rows[1:]]
    content = table().partition(b"\n")[2] if name.endswith(".csv") else "\n".join(lines).encode()
    at = drop(open_page("data"), name, content)
    asked = next(one for one in at.get("button_group") if one.key and one.key.endswith("_header"))
    assert asked.value is None
    problem = messages(at)["data_unfit"]
    assert "column 2" in problem
    assert "--" not in problem and "/" not in problem


def test_a_name_cannot_lead_out_of_the_sites_folder(ws: Workspace) -> None:
    path = keep_file(ws.home, "this-site", "../../../x/.hidden.csv", b"a,b\n1,2\n")
    assert path == ws.home.sites / "this-site" / "data" / "hidden-16924190.csv"  # SHA-256 of .hidden


@pytest.mark.parametrize("name", ["con.csv", "-rf.csv", "a\r\nb.csv", "\u202egnp.csv", "字" * 300 + ".csv", "\0.csv"])
def test_a_hostile_name_is_kept_under_a_plain_one(ws: Workspace, name: str) -> None:
    path = keep_file(ws.home, "this-site", name, b"a,b\n1,2\n")
    assert path.read_bytes() == b"a,b\n1,2\n"
    assert path.name.isprintable()
    assert path.name[0].isalnum()
    assert path.parent == ws.home.sites / "this-site" / "data"


def test_removing_a_file_deletes_it(open_page: Open, ws: Workspace) -> None:
    at = drop(open_page("data"), "clinic.csv", table())
    at.button(key="data_delete").click().run()
    assert evaluation_sets(ws.home) == ()


def test_a_hubs_app_takes_no_evaluation_set(open_page: Open, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FEDPROMPT_ROLE", "hub")
    at = open_page("data")
    assert not at.file_uploader and "data_of_a_hub" in messages(at)
