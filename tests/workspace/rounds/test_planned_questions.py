"""A study's plan of exact questions is what its federation asks, and one that its splits do not bear is refused."""

from pathlib import Path

import pytest

from fedprompt.errors import StudyError
from fedprompt.site.exact_questions import case_sets
from fedprompt.site.folder import SiteFolder
from fedprompt.site.tally import Tally
from fedprompt.study.files import parse_study
from fedprompt.workspace.rounds.federating import federate
from fedprompt.workspace.rounds.planned_questions import check_questions, planned_questions, told_questions, too_many
from tests.new_bank import new_workspace
from tests.scripted_sites import TEXT, study, write_cases

SITES = ("bank", "clinic", "court")
ROUNDS = {
    "rounds alone": "{count: 2}",
    "each site alone too, and not all rounds scored": "{count: 3, scored: 2, quorum: 3, alone: true}",
    "groups and what each keeps": "{count: 2, groups: {rounds: 1}, personal: {mixtures: [0.5]}}",
}


@pytest.mark.whole
@pytest.mark.parametrize("rounds", ROUNDS.values(), ids=list(ROUNDS))
def test_a_federation_asks_no_more_than_was_planned(tmp_path: Path, rounds: str) -> None:
    text = TEXT.replace("rounds: {count: 2}", f"rounds: {rounds}")
    (tmp_path / "s.yaml").write_text(text)
    files = {name: write_cases(tmp_path / f"{name}.csv", name) for name in SITES}
    with new_workspace(tmp_path / "home") as ws:
        federate(ws, tmp_path / "s.yaml", files)
    planned = planned_questions(parse_study(text), len(SITES))
    for name in SITES:
        folder = SiteFolder(tmp_path / "home" / "sites" / name)
        sets = case_sets(Tally(folder.ledger, folder.replies), folder.replies)
        found = {one.split: one.asked for one in sets if one.asked}
        assert [one.updates > 0 for one in sets] == [one.split == "tune" for one in sets]
        assert found.keys() == planned.keys()
        for split, asked in found.items():
            assert planned[split] // 2 < asked <= planned[split]


def test_the_plan_of_a_study_with_rounds_is_counted_by_hand() -> None:
    # Three templates, two rounds, and the round's and the best template's comparison with each of the three.
    assert planned_questions(study(), 3) == {"validation": 3 + 2 + 2 * 3, "test": 2 + 1}


def test_splits_that_do_not_bear_the_plan_are_named_with_what_to_write() -> None:
    asked = study(privacy={"questions": None})
    assert too_many(asked, {"validation": 165, "test": 45}, 3) is None  # a fifteenth is the 11 that are planned
    why = too_many(asked, {"validation": 164, "test": 45}, 3)
    assert why is not None and "validation" in why and "questions: 11" in why
    with pytest.raises(StudyError):
        check_questions(asked, "s.yaml")  # its splits of 20 bear 1
    check_questions(study(splits={"tune": 0.4, "validation": 0.3, "test": 0.3}, privacy={"questions": None}), "s.yaml")


def test_what_a_bound_allows_is_told_with_its_number() -> None:
    assert "1,000" in told_questions(study(), 3)
    by_default = told_questions(study(privacy={"questions": None, "details": "templates"}), 3)
    assert "every 15 cases" in by_default and "60 times in 100" in by_default and "rounded" in by_default
    assert "at most 2 rounds" in by_default and "at most 9 rounds" in told_questions(study(privacy={"updates": 9}), 3)
    # By hand, of 50 cases: 20 questions are a part of 20/100, and 0.5 (1 + erf(0.5)) = 0.76.
    assert "76 times in 100 where a split has 50 cases" in told_questions(study(privacy={"questions": 20}), 3)
