"""What a site's operator does without a network: accept a study, rehearse it, read the ledger, set a policy, report."""

import json
from pathlib import Path
from typing import Any

import pytest

from fedprompt.errors import DataError, FederationError, LedgerError, StudyError
from fedprompt.evaluation.column_map import BY_NAME
from fedprompt.site.folder import SiteFolder
from fedprompt.verbs.describe import DescribeTask
from fedprompt.verbs.registry import VERBS
from fedprompt.verbs.verb import Verb
from fedprompt.verbs.wire import pack_task
from fedprompt.workspace.as_json import as_json
from fedprompt.workspace.enrolled.site_folder import enrolled
from fedprompt.workspace.home import Home, find_home
from fedprompt.workspace.json_file import write_json
from fedprompt.workspace.site.init import site_init
from fedprompt.workspace.site.ledger import site_ledger, site_ledger_show
from fedprompt.workspace.site.pause import site_pause, site_status
from fedprompt.workspace.site.policy import site_policy
from fedprompt.workspace.site.rehearse import site_rehearse
from fedprompt.workspace.site.report import site_report
from fedprompt.workspace.site.run import open_worker
from fedprompt.workspace.site.study import site_study_accept, site_study_decline, site_study_show
from tests.coded import coded
from tests.scripted_sites import TEXT, write_cases, write_study

ABOUT: dict[str, Any] = {
    "site": "ant",
    "org": "ant",
    "federation": "meadow",
    "host": "hub.example.org",
    "port": 8002,
    "admin_port": 8003,
    "authority": "SHA256:" + ":".join(["AB"] * 32),
}


@pytest.fixture
def home(tmp_path: Path) -> Home:
    """Return a home whose site 'ant' was invited and has a key, but no kit."""
    found = find_home(tmp_path / "home")
    SiteFolder(found.sites / "ant").prepare(b"a" * 32)
    write_json(found.sites / "ant" / "site.json", ABOUT)
    return found


@pytest.fixture
def study(tmp_path: Path) -> Path:
    return write_study(tmp_path / "study.yaml")


def answer_one(home: Home, data: Path) -> None:
    site = enrolled(home, None)
    worker = open_worker(home, site, site.the_study(None), data, BY_NAME)
    worker.handle(pack_task(DescribeTask(task="t1:" + "0" * 32, study=worker.digest), {}))


def test_a_study_says_what_leaves_before_it_is_accepted(home: Home, study: Path) -> None:
    shown = site_study_show(home, study)
    assert shown.rounds == 2 and shown.fields == ("text",)
    assert any("3 x 16 numbers" in sentence for sentence in shown.leaves)
    assert enrolled(home, None).accepted() == ()
    assert site_study_accept(home, study, digest=shown.digest).shown.digest == shown.digest
    (accepted,) = enrolled(home, None).accepted()
    assert (accepted.digest, accepted.study.study) == (shown.digest, "small")


def test_another_digest_than_the_hub_told_is_not_accepted(home: Home, study: Path) -> None:
    with pytest.raises(StudyError, check=coded("another-content")):
        site_study_accept(home, study, digest="s1:" + "0" * 32)
    assert enrolled(home, None).accepted() == ()


def test_a_study_whose_rounds_this_sites_policy_would_refuse_is_not_accepted(home: Home, study: Path) -> None:
    site_policy(home, {"min_cases": 17})  # two steps of eight cases
    with pytest.raises(StudyError, match=r"\b16\b.*\b17\b", check=coded("too-few-cases")):
        site_study_accept(home, study)
    site_policy(home, {"min_cases": 16})
    assert site_study_accept(home, study).accepted


def test_a_study_that_was_altered_after_it_was_accepted_is_not_run(home: Home, study: Path) -> None:
    digest = site_study_accept(home, study).shown.digest
    path = enrolled(home, None).studies / f"{digest.replace(':', '-')}.json"
    body = json.loads(path.read_text())
    body["study"]["tuning"]["steps"] = 500
    path.write_text(json.dumps(body))
    site = enrolled(home, None)
    with pytest.raises(StudyError, check=coded("other-model")):
        open_worker(home, site, site.the_study(None), study, BY_NAME)


def test_a_declined_study_and_a_second_one_are_told_apart(home: Home, study: Path, tmp_path: Path) -> None:
    other = tmp_path / "other.yaml"
    other.write_text(TEXT.replace("study: small", "study: large"))
    with pytest.raises(StudyError, check=coded("no-study-accepted")):
        enrolled(home, None).the_study(None)
    site_study_accept(home, study)
    site_study_accept(home, other)
    with pytest.raises(StudyError, match=r"large .* small|small .* large", check=coded("which-study")):
        enrolled(home, None).the_study(None)
    assert enrolled(home, None).the_study("large").study.study == "large"
    site_study_decline(home, "large")
    assert enrolled(home, None).the_study(None).study.study == "small"


def test_rehearsing_answers_every_verb_and_leaves_no_trace(home: Home, study: Path, tmp_path: Path) -> None:
    study.write_text(TEXT + "worth: {n: [4]}\n")
    site_study_accept(home, study)
    before = sorted(path.name for path in (home.sites / "ant").rglob("*"))
    found = site_rehearse(home, write_cases(tmp_path / "cases.csv", "ant"))
    left = {row.message["verb"]: row.arrays for row in found.would_leave}
    # A head needs the sentence encoder, which this home lacks, and this study asks for none, nor for secure sums.
    every = [verb.name for verb in VERBS if type(verb).rehearse is not Verb.rehearse]
    assert list(left) == [name for name in every if name not in ("head", "sum-keys")]
    assert left.keys() >= {"describe", "score", "tune", "evaluate"} and left["tune"] == {"delta": [3, 16]}
    assert found.sent == 0 and found.bytes == sum(row.bytes for row in found.would_leave)
    assert "quixotry" not in json.dumps(as_json(found))
    assert sorted(path.name for path in (home.sites / "ant").rglob("*")) == before


def test_a_site_with_fewer_cases_than_a_newcomer_draws_rehearses_its_refusal(
    home: Home, study: Path, tmp_path: Path
) -> None:
    study.write_text(TEXT + "worth: {n: [31]}\n")  # it has 30 to tune on
    site_study_accept(home, study)
    found = site_rehearse(home, write_cases(tmp_path / "cases.csv", "ant"))
    assert found.would_leave[-1].message["code"] == "too-few-cases"
    assert "evaluate" in {row.message["verb"] for row in found.would_leave}


def test_the_ledger_shows_the_bytes_that_left_and_finds_what_was_changed(
    home: Home, study: Path, tmp_path: Path
) -> None:
    site_study_accept(home, study)
    answer_one(home, write_cases(tmp_path / "cases.csv", "ant"))
    listed = site_ledger(home)
    assert [(e.number, e.verb, e.kept) for e in listed.entries] == [(1, "describe", True)]
    shown = site_ledger_show(home, 1)
    assert len(bytes.fromhex(shown.bytes)) == shown.size and shown.message["tune"] == 30
    assert site_ledger(home, head=listed.head).ok
    with pytest.raises(LedgerError, check=coded("ledger-rewritten")):
        site_ledger(home, head="b" * 64)
    with pytest.raises(LedgerError, match=r"entry 2;.*\b1\b", check=coded("no-such-entry")):
        site_ledger_show(home, 2)
    path = enrolled(home, None).folder.ledger.path
    path.write_bytes(path.read_bytes().replace(b'"tune":30', b'"tune":31'))
    with pytest.raises(LedgerError, match="line 1", check=coded("damaged", "chain-broken")):
        site_ledger(home)
    assert site_status(home).ledger.ok is False


def test_the_bytes_that_are_kept_cannot_be_changed_unnoticed(home: Home, study: Path, tmp_path: Path) -> None:
    import sqlite3

    site_study_accept(home, study)
    answer_one(home, write_cases(tmp_path / "cases.csv", "ant"))
    with sqlite3.connect(home.sites / "ant" / "replies.db") as connection:
        connection.execute("UPDATE sent SET data = x'00'")
    connection.close()
    with pytest.raises(LedgerError, match="entry 1", check=coded("bytes-changed")):
        site_ledger(home)


def test_pausing_and_status(home: Home) -> None:
    assert site_pause(home, on=True).paused and site_status(home).paused
    assert not site_pause(home, on=False).paused
    found = site_status(home)
    assert found.notes == ()
    assert (found.joined, found.running, found.paused, found.hub) == (
        False,
        None,
        False,
        "hub.example.org:8002",
    )


def test_a_policy_is_changed_by_parts_and_refuses_what_is_none(home: Home) -> None:
    site_policy(home, {"tasks_a_day": 5})
    found = site_policy(home, {"quiet_hours": "22:00-06:00"})
    assert (found.policy.tasks_a_day, found.policy.quiet_hours) == (5, "22:00-06:00")
    with pytest.raises(DataError, match="verbs", check=coded("not-well-formed")):
        site_policy(home, {"verbs": ["shell"]})
    with pytest.raises(DataError, match="quiet_hours", check=coded("not-well-formed")):
        site_policy(home, {"quiet_hours": "at night"})
    assert site_policy(home, {}).policy.tasks_a_day == 5


def test_a_study_that_releases_a_sites_own_prompt_says_so_and_the_agreement_is_kept(home: Home, tmp_path: Path) -> None:
    file = tmp_path / "study.yaml"
    file.write_text(TEXT.replace("rounds: {count: 2}", "rounds: {count: 2, alone: true}"), encoding="utf-8")
    assert site_study_show(home, file).agreed == ()
    file.write_text(
        TEXT.replace("rounds: {count: 2}", "rounds: {count: 2, alone: true, released: true}"), encoding="utf-8"
    )
    accepted = site_study_accept(home, file)
    (sentence,) = accepted.shown.agreed
    assert "recalled" in sentence
    assert accepted.shown.agreed == site_study_show(home, file).agreed
    (kept,) = (home.sites / "ant" / "studies").glob("*.json")
    body = json.loads(kept.read_text(encoding="utf-8"))
    assert (body["agreed"], body["digest"], body["accepted"]) == ([sentence], accepted.shown.digest, accepted.accepted)
    report = site_report(home)
    assert report.studies[0].agreed == (sentence,) and sentence in report.page


def test_the_report_says_to_whom_what_and_what_is_not_protected(home: Home, study: Path, tmp_path: Path) -> None:
    site_study_accept(home, study)
    answer_one(home, write_cases(tmp_path / "cases.csv", "ant"))
    found = site_report(home)
    assert [(row.verb, row.replies) for row in found.left] == [("describe", 1)]
    assert "hub.example.org, TCP port 8002" in found.page and found.head is not None and found.head in found.page
    assert all(sentence in found.page for sentence in found.not_protected)
    assert "numpy" in found.packages and "quixotry" not in found.page


@pytest.mark.parametrize(
    ("change", "field"),
    [({"port": 0}, "port"), ({"host": "a b"}, "host"), ({"site": "../x"}, "site"), ({"more": 1}, "more")],
)
def test_a_file_that_is_no_invitation_is_refused_by_its_field(
    home: Home, tmp_path: Path, change: dict[str, Any], field: str
) -> None:
    invite = tmp_path / "invite.json"
    write_json(invite, {"fedprompt": "invite 1", **ABOUT, **change})
    with pytest.raises(FederationError, match=field, check=coded("not-an-invitation")):
        site_init(home, invite)


def test_a_home_with_no_or_several_sites_asks_which(home: Home, tmp_path: Path) -> None:
    with pytest.raises(FederationError, check=coded("which-site")):
        enrolled(find_home(tmp_path / "empty"), None)
    write_json(home.sites / "bee" / "site.json", {**ABOUT, "site": "bee"})
    with pytest.raises(FederationError, match="ant, bee", check=coded("which-site")):
        enrolled(home, None)
    assert enrolled(home, "bee").name == "bee"


def test_secure_sums_are_accepted_only_where_they_name_the_site_with_its_own_key(home: Home, study: Path) -> None:
    def told(sums: object) -> str:
        return f"rounds: {json.dumps({'count': 2, 'secure_sums': sums})}"

    own = site_status(home).identity
    others = {"bee": "k1:" + "1" * 32, "cat": "k1:" + "2" * 32}
    for sites in (None, {**others, "dog": own}, {**others, "ant": "k1:" + "3" * 32}):
        sums: object = True if sites is None else {"sites": sites}
        study.write_text(TEXT.replace("rounds: {count: 2}", told(sums)), encoding="utf-8")
        with pytest.raises(StudyError, check=coded("sites-not-named")):
            site_study_accept(home, study)
    study.write_text(TEXT.replace("rounds: {count: 2}", told({"sites": {**others, "ant": own}})), encoding="utf-8")
    shown = site_study_accept(home, study).shown
    assert not any("float32" in one for one in shown.leaves) and any("masks" in one for one in shown.leaves)
    assert shown.bytes_a_round is not None and shown.bytes_a_round > 3 * 16 * 4
