"""A hub that asks the same before and after a site's file changed by one case learns nothing of that case."""

from collections.abc import Sequence
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest

from fedprompt.errors import DataError
from fedprompt.evaluation.cases import Case
from fedprompt.evaluation.column_map import BY_NAME
from fedprompt.federation.hub import Hub
from fedprompt.federation.transports.local import LocalTransport
from fedprompt.prompts.prompt import Prompt
from fedprompt.site.folder import SiteFolder
from fedprompt.verbs.describe import ask_describe
from fedprompt.verbs.evaluate import ask_evaluate
from fedprompt.workspace.cases.entered_cases import CasesNow
from fedprompt.workspace.enrolled.site_folder import enrolled
from fedprompt.workspace.home import Home, find_home
from fedprompt.workspace.json_file import write_json
from fedprompt.workspace.local.scoring import score
from fedprompt.workspace.site.cases import site_cases
from fedprompt.workspace.site.pause import site_status
from fedprompt.workspace.site.policy import site_policy
from fedprompt.workspace.site.rehearse import site_rehearse
from fedprompt.workspace.site.run import open_worker
from fedprompt.workspace.site.study import site_study_accept
from fedprompt.workspace.workspace import open_workspace
from tests.scripted_sites import TEXT, cases
from tests.workspace.site.test_site_actions import ABOUT

FRACTIONS = TEXT.replace("{tune: 30, validation: 20, test: 20}", "{tune: 0.4, validation: 0.3, test: 0.3}")
POOL = cases("ant", 200)
FIRST = POOL[:80]  # 32, 24 and 24; min_cases is 10
Answers = dict[str, Any]


@pytest.fixture
def home(tmp_path: Path) -> Home:
    """A home whose site 'ant' has accepted the study, and another one of another name that asks the same."""
    found = find_home(tmp_path / "home")
    SiteFolder(found.sites / "ant").prepare(b"a" * 32)
    write_json(found.sites / "ant" / "site.json", ABOUT)
    for name in ("small", "other"):
        study = tmp_path / f"{name}.yaml"
        study.write_text(FRACTIONS.replace("study: small", f"study: {name}"))
        site_study_accept(found, study)
    return found


def write(home: Home, found: Sequence[Case]) -> Path:
    path = home.path.parent / "cases.csv"
    path.write_text("".join(["text,answer\n", *(f"{case.fields['text']},{case.answer}\n" for case in found)]))
    return path


def asked(home: Home, found: Sequence[Case], study: str = "small") -> Answers:
    """Return what a hub that asks all it may about the study's first template is told by a site with these cases."""
    site = enrolled(home, "ant")
    accepted = site.the_study(study)
    worker = open_worker(home, site, accepted, write(home, found), BY_NAME)
    hub = Hub(LocalTransport({"ant": worker.handle}), accepted.digest)
    prompt = Prompt(accepted.study.candidates()[0])
    counts = ask_describe(hub, "ant")
    scores = [ask_evaluate(hub, "ant", [prompt], split).scores[0] for split in ("tune", "validation", "test")]
    return {
        "counts": (counts.tune, counts.validation, counts.test, tuple(counts.labels)),
        "scores": [(one.n, one.total, one.confusion) for one in scores],
    }


def told_of(home: Home) -> CasesNow:
    """Return what the site's status says of the study's cases."""
    (found,) = (row.cases for row in site_status(home).studies if row.study == "small")
    assert found is not None
    return found


def test_one_case_more_changes_no_answer_and_is_told_to_the_operator(home: Home) -> None:
    before = asked(home, FIRST)
    assert before["counts"][:3] == (32, 24, 24)
    assert asked(home, POOL[:81]) == before
    told = told_of(home)
    assert sum(told.waiting.values()) == 1 and told.min_cases == 10 and not told.stopped
    assert told.cases == {"tune": 32, "validation": 24, "test": 24}


def test_cases_that_come_one_by_one_change_no_answer_until_a_block_is_there(home: Home) -> None:
    found = [asked(home, POOL[:count])["counts"][:3] for count in range(80, 116, 5)]
    # 0.4, 0.3 and 0.3 of 105 are 42, 31.5 and 31.5, so the tune split has its ten first; at 115 all have 10 or more.
    assert found[0] == found[1] == found[4] == (32, 24, 24)
    assert found[5] == (42, 24, 24)
    assert found[7] in {(42, 35, 34), (42, 34, 35)}
    for split in range(3):
        steps = [b[split] - a[split] for a, b in pairwise(found)]
        assert all(step == 0 or step >= 10 for step in steps)


def test_the_policys_floor_holds_cases_back_where_it_is_higher_than_the_studys(home: Home) -> None:
    site_policy(home, {"min_cases": 20})
    before = asked(home, FIRST)
    assert asked(home, POOL[:115]) == before


def test_new_cases_that_a_command_at_home_has_cut_wait_all_the_same(home: Home) -> None:
    before = asked(home, FIRST)
    with open_workspace(home.path) as ws:
        score(ws, home.path.parent / "small.yaml", write(home, POOL[:81]))
    assert asked(home, POOL[:81]) == before


def test_where_one_case_went_nothing_is_answered_and_status_says_why(home: Home) -> None:
    before = asked(home, FIRST)
    with pytest.raises(DataError) as refused:
        asked(home, FIRST[1:])
    assert refused.value.code == "cases-removed" and "quixotry" not in str(refused.value)
    told = told_of(home)
    assert told.stopped and sum(told.gone.values()) == 1
    assert asked(home, FIRST) == before


def test_a_label_that_was_corrected_is_not_told_by_the_next_answer(home: Home) -> None:
    asked(home, FIRST)
    other = {"positive": "negative", "negative": "positive"}
    with pytest.raises(DataError) as refused:
        asked(home, [Case(FIRST[0].fields, other[FIRST[0].answer], line=2), *FIRST[1:]])
    assert refused.value.code == "cases-removed"


def test_a_removed_case_is_in_no_later_answer_though_a_block_takes_its_place(home: Home) -> None:
    asked(home, FIRST)
    found = asked(home, POOL[1:200])
    assert sum(found["counts"][:3]) == 199


def test_another_study_over_one_case_more_gets_no_answer_over_it(home: Home) -> None:
    before = asked(home, FIRST)
    assert asked(home, POOL[:81], "other")["counts"][3] == before["counts"][3]
    with pytest.raises(DataError) as refused:
        asked(home, FIRST[1:], "other")
    assert refused.value.code == "cases-removed"


@pytest.mark.parametrize("lost", [True, False])
def test_a_home_whose_list_is_lost_or_that_never_had_one_goes_by_its_stored_cut(home: Home, lost: bool) -> None:
    before = asked(home, FIRST)
    for path in (home.sites / "ant").glob("entered-*"):
        path.unlink()
    if lost:
        assert asked(home, POOL[:81]) == before
    else:
        with pytest.raises(DataError) as refused:
            asked(home, FIRST[1:])
        assert refused.value.code == "cases-removed"


def test_an_operator_who_begins_a_new_case_set_is_told_what_that_gives_away(home: Home) -> None:
    asked(home, FIRST)
    with pytest.raises(DataError):
        asked(home, FIRST[1:])
    told = site_cases(home, begin_anew=True)
    assert told.begun_anew and told.sentence is not None and "single case" in told.sentence
    assert sum(asked(home, FIRST[1:])["counts"][:3]) == 79
    again = site_cases(home)
    assert not again.begun_anew and again.sentence is None
    assert {row.study: row.cases is None for row in again.studies} == {"small": False, "other": True}


def test_a_rehearsal_shows_what_would_leave_without_the_cases_that_wait_and_keeps_nothing(home: Home) -> None:
    asked(home, FIRST)
    before = (home.sites / "ant" / "entered-small.json").read_bytes()
    found = site_rehearse(home, write(home, POOL[:81]), study="small")
    message = found.would_leave[0].message
    assert (message["tune"], message["validation"], message["test"]) == (32, 24, 24)
    assert (home.sites / "ant" / "entered-small.json").read_bytes() == before
