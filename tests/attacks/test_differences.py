"""What one answer says beside another: no second budget under another name, no count that grew by one case."""

from pathlib import Path

from benchmarks.attackers.conversation import CuriousHub
from benchmarks.attackers.differences import answered_over_studies, grown_by_one
from benchmarks.attackers.scores import spread_prompts
from fedprompt.site.folder import SiteFolder
from fedprompt.study.schema import Study, Tuning
from fedprompt.workspace.cases.site_of_file import make_worker
from tests.attacks.attacked import START
from tests.scripted_sites import MODEL, cases, study

SPLITS = {"tune": 0.4, "validation": 0.3, "test": 0.3}
GROWING = study(splits=SPLITS, privacy={"questions": None, "min_cell": 5, "details": "templates"})


def hub_of(path: Path, chosen: Study, count: int) -> CuriousHub:
    folder = SiteFolder(path / "clinic")
    folder.prepare(b"k" * 32)
    made = make_worker(
        name="clinic", folder=folder, study=chosen, model=MODEL, cases=cases("clinic", count), where="clinic"
    )
    return CuriousHub(made.handle, chosen, MODEL.info.digest)


def test_a_second_study_over_the_same_cases_brings_no_second_budget(tmp_path: Path) -> None:
    one, twin = GROWING, GROWING.model_copy(update={"study": "twin"})
    revised = one.model_copy(update={"tuning": Tuning(steps=3, batch=8)})
    soft = spread_prompts(START, 36)
    answered = answered_over_studies([hub_of(tmp_path, chosen, 120) for chosen in (one, revised, twin)], soft, "test")
    assert answered == [120 * 3 // 10 // 4, 0, 0]


def test_a_case_that_came_is_not_read_from_two_counts(tmp_path: Path) -> None:
    soft, least = spread_prompts(START, 3), GROWING.privacy.min_cases
    before = hub_of(tmp_path, GROWING, 120).scores(soft, "validation")
    assert before is not None
    for more in (1, 2, 3, 7):
        after = hub_of(tmp_path, GROWING, 120 + more).scores(soft, "validation")
        assert after is not None and grown_by_one(before, after).cases == 0
    later = hub_of(tmp_path, GROWING, 120 + 6 * least).scores(soft, "validation")
    assert later is not None and grown_by_one(before, later).cases >= least
