import json
from collections.abc import Callable
from pathlib import Path

import pytest
from streamlit.testing.v1 import AppTest

from fedprompt.site.folder import SiteFolder
from fedprompt.site.ledger import Ledger
from fedprompt.workspace.ledgers import read_ledger
from fedprompt.workspace.workspace import Workspace

Open = Callable[..., AppTest]
STUDY = "s1:" + "0" * 32
NO_NOISE = "No noise is added: updates may reveal membership; no epsilon is claimed."


@pytest.fixture
def ledger(ws: Workspace) -> Ledger:
    folder = SiteFolder(ws.home.sites / "movies")
    folder.prepare()
    kept = folder.ledger
    tune = {"verb": "tune", "round": 2, "cases": 128, "loss": 0.5}
    kept.append(decision="sent", study=STUDY, message=tune, arrays={"delta": [8, 576]}, data=b"x" * 4967)
    refusal = {"verb": "refuse", "code": "too-few-cases"}
    kept.append(decision="refused", study=STUDY, message=refusal, arrays={}, data=b"x" * 90)
    call = {"verb": "call", "host": "![x](http://a.example)", "cases": 1, "calls": 3, "bytes": 1200}
    kept.append(decision="call", study=STUDY, message=call, arrays={}, data=b"x")
    return kept


def texts(at: AppTest) -> str:
    return "\n".join(str(one.value) for kind in (at.markdown, at.caption) for one in kind)


def test_a_home_without_sites_says_so_and_that_no_noise_is_added(open_page: Open) -> None:
    at = open_page("trust")
    assert at.warning[0].value == NO_NOISE
    assert "Start the demo" in at.info[0].value


@pytest.mark.usefixtures("ledger")
def test_what_left_what_was_refused_and_what_was_called_are_sentences_and_links_stay_text(open_page: Open) -> None:
    at = open_page("trust")
    shown = texts(at).replace("\\", "")
    assert "this left: 4,967 bytes, the change of a prompt in round 2 (8 by 576 numbers), n=128." in shown
    assert "it refused to answer: it has too few cases. 90 bytes left" in shown
    assert "1,200 bytes in 3 calls, for 1 case." in shown
    assert r"\!\[x\]\(http\:" "\u2060" r"//a.example\)" in texts(at)
    assert "verified" in shown
    assert "every line agrees with its hash" in at.success[0].value


@pytest.mark.usefixtures("ledger")
def test_refusals_can_be_looked_at_alone(open_page: Open) -> None:
    at = open_page("trust")
    at.pills(key="trust_0_kinds").set_value(["Refusals"]).run()
    assert "it refused to answer" in texts(at)
    assert "the change of a prompt" not in texts(at)


def test_a_changed_line_is_told_and_nothing_of_that_ledger_is_shown(open_page: Open, ledger: Ledger) -> None:
    lines = ledger.path.read_text().splitlines()
    body = json.loads(lines[0])
    body["size"] = 1
    ledger.path.write_text("\n".join([json.dumps(body), *lines[1:]]) + "\n")
    at = open_page("trust")
    assert any("1 of 1 ledgers cannot be trusted" in one.value for one in at.error)
    assert any("line 1" in one.value for one in at.error)
    assert not at.success
    assert "this left" not in texts(at)


def test_a_long_ledger_is_shown_page_by_page_newest_first(open_page: Open, ledger: Ledger) -> None:
    for number in range(20):
        message = {"verb": "tune", "round": 100 + number, "cases": 48}
        ledger.append(decision="sent", study=STUDY, message=message, arrays={"delta": [8, 4]}, data=b"x")
    at = open_page("trust")
    assert "in round 119" in texts(at)
    assert "in round 105" in texts(at)
    assert "in round 104" not in texts(at)


def test_a_file_that_is_no_ledger_is_a_problem_not_a_traceback(tmp_path: Path) -> None:
    assert read_ledger("movies", tmp_path / "none.jsonl").lines == ()
    (tmp_path / "ledger.jsonl").write_text("{}\n")
    assert "line 1" in str(read_ledger("movies", tmp_path / "ledger.jsonl").problem)
