import json
from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path

import pytest
from streamlit.testing.v1 import AppTest

from app.display.palette import palette
from app.panels.shelf.provenance import graph
from fedprompt.evaluation.splits.cutting import SplitName
from fedprompt.evaluation.splits.entered_file import Look, save_entered
from fedprompt.models.scripted import ScriptedModel
from fedprompt.prompts.prompt import Prompt
from fedprompt.prompts.template import Template
from fedprompt.site.folder import KEY_BYTES, SiteFolder
from fedprompt.site.ledger import Ledger
from fedprompt.workspace.cases.evaluation_sets import evaluation_sets
from fedprompt.workspace.cases.one_cut import OWN_SITE
from fedprompt.workspace.enrolled.site_folder import enrolled as enrolled_site
from fedprompt.workspace.json_file import write_json
from fedprompt.workspace.local.audit_report import own_audits
from fedprompt.workspace.local.tuning import tune
from fedprompt.workspace.shelf.provenance import provenance
from fedprompt.workspace.site.ledgers import read_ledger
from fedprompt.workspace.site.policy import site_policy
from fedprompt.workspace.site.study import site_study_accept
from fedprompt.workspace.workspace import Workspace
from tests.pages.evaluation import add_set, add_study
from tests.pages.messages import messages

Open = Callable[..., AppTest]
STUDY = "s1:" + "0" * 32
NONE: Mapping[SplitName, int] = {"tune": 0, "validation": 0, "test": 0}


@pytest.fixture
def ledger(ws: Workspace) -> Ledger:
    folder = SiteFolder(ws.home.sites / "movies")
    folder.prepare()
    kept = folder.ledger
    tune = {"verb": "tune", "round": 2, "cases": 128, "loss": 0.5, "about": f"p1:ab12cd34{'0' * 24}"}
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
    assert {"trust_no_noise", "trust_no_ledger"} <= set(messages(at))


@pytest.mark.usefixtures("ledger")
def test_what_left_what_was_refused_and_what_was_called_are_sentences_and_links_stay_text(open_page: Open) -> None:
    at = open_page("trust")
    shown = messages(at)
    for value in ("4,967", "p1:ab12cd34", "round 2", "8 vectors", "576", "n=128"):
        assert value in shown["ledger_sent_1"]
    assert "90 bytes" in shown["ledger_refused_2"]
    for value in ("1,200 bytes", "3 calls", "1 case"):
        assert value in shown["ledger_call_3"]
    assert r"\!\[x\]\(http\:" "\u2060" r"//a.example\)" in texts(at)
    assert {"ledger_verified", "trust_verified"} <= set(shown)
    assert "1 of the 1" in shown["ledger_note_0"]  # it was written without its store of replies, as if that were lost


@pytest.mark.usefixtures("ledger")
def test_refusals_can_be_looked_at_alone(open_page: Open) -> None:
    at = open_page("trust")
    at.pills(key="trust_0_kinds").set_value(["refused"]).run()
    lines = [name for name in messages(at) if name.startswith(("ledger_sent_", "ledger_refused_", "ledger_call_"))]
    assert lines == ["ledger_refused_2"]


def test_a_changed_line_is_told_and_nothing_of_that_ledger_is_shown(open_page: Open, ledger: Ledger) -> None:
    lines = ledger.path.read_text().splitlines()
    body = json.loads(lines[0])
    body["size"] = 1
    ledger.path.write_text("\n".join([json.dumps(body), *lines[1:]]) + "\n")
    at = open_page("trust")
    shown = messages(at)
    assert "1 of 1" in shown["trust_broken"] and "line 1" in shown["ledger_broken"]
    assert not at.success and not [name for name in shown if name.startswith("ledger_sent")]


def test_a_long_ledger_is_shown_page_by_page_newest_first(open_page: Open, ledger: Ledger) -> None:
    for number in range(20):
        message = {"verb": "tune", "round": 100 + number, "cases": 48}
        ledger.append(decision="sent", study=STUDY, message=message, arrays={"delta": [8, 4]}, data=b"x")
    at = open_page("trust")
    shown = [name for name in messages(at) if name.startswith("ledger_sent")]
    assert shown == [f"ledger_sent_{number}" for number in range(23, 8, -1)]


@pytest.mark.parametrize(
    ("folder", "said"),
    [
        ("demo-seed0-cases48-held150", "movies, demo of seed 0: 48 tuning cases, 150 each for validation and test"),
        ("federation-3c", "movies, federation-3c"),
    ],
)
def test_a_demos_site_is_named_with_its_demos_settings_in_words(
    open_page: Open, ws: Workspace, folder: str, said: str
) -> None:
    site = SiteFolder(ws.home.sites / folder / "movies")
    site.prepare()
    site.ledger.append(decision="refused", study=STUDY, message={"code": "failed"}, arrays={}, data=b"x")
    assert open_page("trust").selectbox(key="trust_site").options == [said]


def test_a_file_that_is_no_ledger_is_a_problem_not_a_traceback(tmp_path: Path) -> None:
    assert read_ledger("movies", tmp_path / "none.jsonl").lines == ()
    (tmp_path / "ledger.jsonl").write_text("{}\n")
    assert "line 1" in str(read_ledger("movies", tmp_path / "ledger.jsonl").problem)


@pytest.fixture
def enrolled(ws: Workspace) -> Path:
    """A site that was invited, with a key, an accepted study and a file of cases; return its folder."""
    SiteFolder(ws.home.sites / "ant").prepare(b"a" * 32)
    about = {"site": "ant", "org": "ant", "federation": "meadow", "host": "hub.example.org", "port": 8002}
    about |= {"admin_port": 8003, "authority": "SHA256:" + ":".join(["AB"] * 32)}
    write_json(ws.home.sites / "ant" / "site.json", about)
    site_study_accept(ws.home, Path(add_study(ws)))
    add_set(ws, site="ant")
    return ws.home.sites / "ant"


def test_where_no_site_is_enrolled_there_is_no_rehearsal_and_no_report(open_page: Open, ws: Workspace) -> None:
    add_set(ws)
    at = open_page("trust")
    assert len(at.header) == 1 and not at.button and not at.get("download_button")


@pytest.mark.usefixtures("enrolled")
def test_a_hub_has_no_rehearsal_though_a_site_lies_beside_it(open_page: Open, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FEDPROMPT_ROLE", "hub")
    at = open_page("trust")
    assert not at.button and not at.get("download_button")


@pytest.mark.whole
def test_a_rehearsal_answers_everything_and_nothing_leaves(open_page: Open, ws: Workspace, enrolled: Path) -> None:
    at = open_page("trust")
    at.button(key="trust_rehearse").click().run()
    job = ws.bank.jobs()[0]
    assert (job.kind, job.state) == ("rehearse", "done") and job.result is not None
    assert [row["message"]["verb"] for row in job.result["would_leave"]] == ["describe", "score", "tune", "evaluate"]
    assert job.result["sent"] == 0 and not (enrolled / "ledger.jsonl").exists()
    assert "trust_rehearsed" in messages(at)
    table = at.dataframe[0].value
    assert list(table["bytes"]) == [row["bytes"] for row in job.result["would_leave"]]
    assert "delta: 3 by 16" in list(table["numbers in bounded arrays"])
    assert "quixotry" not in json.dumps(job.result), "no word of a case is in what is kept"


def test_before_a_study_or_a_file_the_rehearsal_says_which_is_missing(
    open_page: Open, ws: Workspace, enrolled: Path
) -> None:
    for path in (enrolled / "data").iterdir():
        path.unlink()
    assert "trust_no_file" in messages(open_page("trust"))
    for path in (enrolled / "studies").iterdir():
        path.unlink()
    assert "trust_no_study" in messages(open_page("trust"))
    assert ws.bank.jobs() == ()


def test_an_accepted_study_is_shown_with_its_model_and_what_waits(
    open_page: Open, ws: Workspace, enrolled: Path
) -> None:
    shown = texts(open_page("trust")).replace("\\", "")
    assert f"Model: scripted. Source: built into fedprompt. Digest: {ScriptedModel().info.digest}." in shown
    site_policy(ws.home, {"models": ["here"]})
    (study,) = (one.study.study for one in enrolled_site(ws.home, None).accepted())
    look = Look("2026-01-01T00:00:00Z", 30, {"tune": 3, "validation": 0, "test": 0}, NONE, stopped=False)
    save_entered(SiteFolder(enrolled).entered(study), (), look)
    at = open_page("trust")
    assert "study_refused" in messages(at) and "3 in tune" in messages(at)["study_gathers"]
    save_entered(SiteFolder(enrolled).entered(study), (), replace(look, gone={**NONE, "test": 1}, stopped=True))
    assert "1 in test" in messages(open_page("trust"))["study_stopped"]


@pytest.mark.usefixtures("enrolled")
def test_the_report_is_shown_and_can_be_taken_away(open_page: Open) -> None:
    at = open_page("trust")
    assert [one.key for one in at.get("download_button")] == ["trust_report"]
    assert any(one.value.startswith("# ") and "'ant'" in one.value.splitlines()[0] for one in at.code)


def test_of_a_broken_ledger_there_is_no_report(open_page: Open, enrolled: Path) -> None:
    (enrolled / "ledger.jsonl").write_text("{}\n")
    at = open_page("trust")
    assert not at.get("download_button")
    assert any("line 1" in one.value for one in at.error)


@pytest.mark.usefixtures("demo_home")
@pytest.mark.whole
def test_where_a_prompt_comes_from_is_a_graph_and_sentences(open_page: Open, ws: Workspace) -> None:
    tuned = [row for row in ws.bank.prompts(kind="soft") if row.origin == "federated"]
    at = open_page("trust", tuned[2].id)
    assert at.selectbox(key="trust_prompt").value == tuned[2].id
    dot = at.get("graphviz_chart")[0].proto.spec
    drawn = dot.count(" -> ") - dot.count("style=invis")
    assert drawn == 1 + 2 + 4 + 1, "the study, two rounds back, four sites, one round that came after"
    shown = messages(at)
    for value in ("4 sites", "editorials", "movies", "products", "tweets", "72 kB"):
        assert value in shown[f"provenance_{tuned[2].id}"]
    assert f"provenance_heads_{tuned[2].id}" in shown


@pytest.mark.usefixtures("demo_home")
def test_the_prompt_that_the_newest_run_kept_is_shown_first_and_another_can_be_chosen(
    open_page: Open, ws: Workspace
) -> None:
    tested = {one.score.prompt for one in ws.bank.scores(split="test")}
    rows = ws.bank.prompts(kind="soft", newest=True)
    kept = next(row for row in rows if row.id in tested and not row.origin.startswith("local"))
    other = next(row for row in rows if row.id not in tested)
    at = open_page("trust")
    assert at.selectbox(key="trust_prompt").value == kept.id
    at.selectbox(key="trust_prompt").set_value(other.id).run()
    assert at.query_params["p"] == other.id
    assert other.id in at.get("graphviz_chart")[0].proto.spec


def test_a_name_from_elsewhere_is_text_in_the_graph(ws: Workspace) -> None:
    name = 'a"]; x -> y [label="\\N<b>\n{z}'
    prompt = Prompt(Template(name, text="{text}"))
    ws.bank.record_prompt(prompt, study=None, origin="import")
    lines = graph(provenance(ws, prompt.id), palette()).splitlines()
    (line,) = [line for line in lines if "x ->" in line]
    assert line.startswith(f'"{prompt.id}" [label="a\\"]; x -> y [label=\\"\\\\N<b> {{z}}" ')


def test_a_prompt_is_audited_and_the_verdict_is_drawn_with_its_picture(open_page: Open, ws: Workspace) -> None:
    # The verdict depends on how the cases are cut, and the cut on the site's key.
    SiteFolder(ws.home.sites / OWN_SITE).prepare(b"k" * KEY_BYTES)
    add_set(ws)
    data = next(one for one in evaluation_sets(ws.home) if one.reading is not None)
    prompt = tune(ws, Path(add_study(ws)), data.path).prompt
    at = open_page("trust")
    at.button(key="trust_audit_start").click().run(timeout=60)
    shown = messages(at)
    assert {"trust_audit_cannot-tell", "trust_audit_overfitted", "trust_audit_noise-too-small"} <= set(shown)
    (found,) = own_audits(ws.home)
    assert (found.prompt, found.verdict, found.reason) == (prompt, "cannot-tell", "control-missed")
    assert len(at.get("vega_lite_chart")) >= 2
