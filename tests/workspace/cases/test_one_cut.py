"""A case of one site lies in one split, whoever reads it: commands, jobs of pages, the site's worker, federations."""

import json
from collections.abc import Callable, Mapping
from pathlib import Path

import pytest

from fedprompt.cli.main import main
from fedprompt.evaluation.column_map import BY_NAME
from fedprompt.evaluation.splits.cutting import SplitSizes, assign
from fedprompt.evaluation.splits.units import keys_of
from fedprompt.site.folder import SiteFolder
from fedprompt.workspace.cases.evaluation_sets import keep_file, own_site
from fedprompt.workspace.cases.one_cut import OWN_SITE, cutter_of
from fedprompt.workspace.cases.own_cases import own_cases
from fedprompt.workspace.cases.site_of_file import split_cases
from fedprompt.workspace.enrolled.site_folder import enrolled
from fedprompt.workspace.home import Home, find_home
from fedprompt.workspace.jobs.jobs import submit
from fedprompt.workspace.json_file import write_json
from fedprompt.workspace.rounds.forecast import forecast
from fedprompt.workspace.site.rehearse import site_rehearse
from fedprompt.workspace.site.run import open_worker
from fedprompt.workspace.site.study import site_study_accept
from fedprompt.workspace.workspace import open_workspace
from tests.scripted_sites import STUDY, cases, write_cases, write_study
from tests.workspace.site.test_site_actions import ABOUT

CASES = cases("ant")
SIZES = SplitSizes(STUDY.splits.tune, STUDY.splits.validation, STUDY.splits.test)


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Home:
    """Return a home that joined as 'ant' and accepted the study, whose jobs run where they are submitted."""
    monkeypatch.setenv("FEDPROMPT_JOBS", "inline")
    found = find_home(tmp_path / "home")
    SiteFolder(found.sites / "ant").prepare()
    write_json(found.sites / "ant" / "site.json", ABOUT)
    site_study_accept(found, write_study(tmp_path / "study.yaml"))
    return found


@pytest.fixture
def kept(home: Home, tmp_path: Path) -> Path:
    """Return the site's file as the Data page keeps it."""
    content = write_cases(tmp_path / "cases.csv", "ant").read_bytes()
    return keep_file(home, own_site(home), "cases.csv", content)


def places(home: Home) -> Mapping[int, set[str]]:
    """Return line -> the splits that the cuts of all names of this home give its case."""
    found: dict[int, set[str]] = {case.line: set() for case in CASES}
    for stored in home.sites.glob("*/splits-small.json"):
        assignment, key = json.loads(stored.read_text())["assignment"], SiteFolder(stored.parent).key
        for case in CASES:
            found[case.line] |= {assignment[name] for name in keys_of(case, key) if name in assignment}
    return found


def command(*words: str) -> Callable[[Home, Path], None]:
    def door(home: Home, kept: Path) -> None:
        study = str(home.path.parent / "study.yaml")
        assert main([*words, "--study", study, "--data", str(kept), "--home", str(home.path), "--json"]) == 0

    return door


def job(kind: str, **more: object) -> Callable[[Home, Path], None]:
    def door(home: Home, kept: Path) -> None:
        with open_workspace(home.path) as ws:
            study = str(home.path.parent / "study.yaml")
            found = submit(ws, kind, {"study": study, "data": str(kept), **more})
            assert ws.bank.job(found).state == "done", ws.bank.job(found).error

    return door


def site_worker(home: Home, kept: Path) -> None:
    site = enrolled(home, None)
    open_worker(home, site, site.the_study(None), kept, BY_NAME)


def rehearsal(home: Home, kept: Path) -> None:
    site_rehearse(home, kept)


def federation(named: str) -> Callable[[Home, Path], None]:
    def door(home: Home, kept: Path) -> None:
        other, study = write_cases(home.path.parent / "bee.csv", "bee"), str(home.path.parent / "study.yaml")
        sites = ["--site", f"{named}={kept}", "--site", f"bee={other}"]
        assert main(["federate", "--study", study, *sites, "--home", str(home.path), "--json"]) == 0

    return door


def look_ahead(home: Home, kept: Path) -> None:
    with open_workspace(home.path) as ws:
        forecast(ws, home.path.parent / "study.yaml", {"ant": kept, "bee": None})


DOORS = {
    "score": command("score", "--split", "test"),
    "dry run": command("score", "--dry-run"),
    "tune": command("tune"),
    "score job": job("score"),
    "tune job": job("tune"),
    "dry-run job": job("dry-run"),
    "tune-time job": job("tune-time"),
    "site run": site_worker,
    "site rehearse": rehearsal,
    "federate as the site": federation("ant"),
    "federate under another name": federation("cat"),
    "forecast": look_ahead,
}


@pytest.mark.whole
@pytest.mark.parametrize("first", DOORS)
def test_every_door_finds_each_case_in_the_split_that_the_first_put_it_into(
    home: Home, kept: Path, first: str, tmp_path: Path
) -> None:
    outside = tmp_path / "cases.csv"  # the same cases in a file that lies in no site's folder
    DOORS[first](home, kept)
    before = places(home)
    for name, door in DOORS.items():
        door(home, outside if name.startswith("s") else kept)
    after = places(home)
    assert all(len(found) <= 1 for found in after.values())
    assert all(before[line] <= found for line, found in after.items())
    assert sum(map(bool, after.values())) == 70  # tune 30, validation 20, test 20


def test_a_file_is_cut_by_the_site_that_is_named_or_where_it_lies_or_that_was_joined(home: Home, kept: Path) -> None:
    anywhere = home.path.parent / "cases.csv"
    assert cutter_of(home, anywhere).folder.path == home.sites / "ant"
    assert cutter_of(home, kept).folder.path == home.sites / "ant"
    assert cutter_of(home, kept, "bee").folder.path == home.sites / "bee"
    for site, owner in ((OWN_SITE, "ant"), ("bee", "bee")):
        assert cutter_of(home, keep_file(home, site, "b.csv", b"x")).folder.path == home.sites / owner
    alone = find_home(home.path.parent / "alone")
    assert cutter_of(alone, anywhere).folder.path == alone.sites / OWN_SITE


def test_cases_that_were_cut_twice_in_the_past_are_never_tuned_on_and_tested(
    home: Home, kept: Path, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    own = SiteFolder(home.sites / OWN_SITE)
    own.prepare()
    old = split_cases(own, STUDY, CASES)
    joined = split_cases(SiteFolder(home.sites / "ant"), STUDY, CASES)
    contested = {*old.tune} & {*joined.test} | {*old.test} & {*joined.tune}
    assert contested  # 9 of 80 each way are to be expected
    study = tmp_path / "study.yaml"
    with open_workspace(home.path) as ws:
        found = own_cases(ws, STUDY, study, kept, BY_NAME, "validation").splits
    assert set(found.left_out) == contested
    for split in ("tune", "validation", "test"):
        assert {*joined.cases(split)} - contested <= {*found.cases(split)}
    assert not {*found.tune} & ({*old.test} | {*joined.test})
    assert not {*found.test} & ({*old.tune} | {*joined.tune})
    assert f"{len(contested)} of 80 cases are left out" in caplog.text and "quixotry" not in caplog.text


def test_a_cut_of_before_the_machine_joined_is_kept(home: Home, kept: Path) -> None:
    own = SiteFolder(home.sites / OWN_SITE)
    own.prepare()
    old = split_cases(own, STUDY, CASES)
    site_worker(home, kept)
    found = cutter_of(home, kept).cut(STUDY, CASES)
    for split in ("tune", "validation", "test"):
        assert {*found.cases(split)} == {*old.cases(split)}
    assert not found.left_out


def test_without_another_name_the_cut_is_the_sites_own(home: Home) -> None:
    folder = SiteFolder(home.sites / "ant")
    alone = assign(CASES, folder.key, SIZES, fields=STUDY.fields)
    assert cutter_of(home, None, "ant").cut(STUDY, CASES, store=False).tune == alone.tune
    assert not folder.assignment("small").exists()
