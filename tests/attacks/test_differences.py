"""What one answer says beside another: no second budget under another name, no count that grew by one case."""

from pathlib import Path

from benchmarks.attackers.conversation import CuriousHub
from benchmarks.attackers.differences import answered_over_studies, grown_by_one
from benchmarks.attackers.scores import ask_scores, spread_prompts
from fedprompt.evaluation.readers import read_cases
from fedprompt.site.folder import SiteFolder
from fedprompt.study.schema import Study, Tuning
from fedprompt.workspace.cases.site_of_file import make_worker
from tests.attacks.attacked import START
from tests.scripted_sites import LABELS, MODEL, cases, study

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
    assert answered == [120 * 3 // 10 // 15, 0, 0]


def test_a_second_study_over_the_same_cases_brings_no_second_rounds(tmp_path: Path) -> None:
    twin = GROWING.model_copy(update={"study": "twin"})
    first, second = hub_of(tmp_path, GROWING, 120), hub_of(tmp_path, twin, 120)
    assert [first.tune(START, round=n, steps=2, seed=0) is not None for n in (1, 2)] == [True, True]
    assert second.tune(START, round=1, steps=2, seed=0) is None and second.refused["updates-spent"] == 1
    agreed = twin.model_copy(update={"privacy": twin.privacy.model_copy(update={"updates": 3})})
    third = hub_of(tmp_path, agreed, 120)  # its operators agreed to one more round
    assert [third.tune(START, round=n, steps=2, seed=0) is not None for n in (1, 2)] == [True, False]
    assert third.refused["updates-spent"] == 1


def test_a_study_that_reads_other_columns_of_the_same_rows_asks_the_same_cases(tmp_path: Path) -> None:
    (tmp_path / "cases.csv").write_text(
        "text,note,answer\n"
        + "".join(f"{one.fields['text']},note {n},{one.answer}\n" for n, one in enumerate(cases("a", 120)))
    )
    folder = SiteFolder(tmp_path / "clinic")
    folder.prepare(b"k" * 32)
    soft, answered = spread_prompts(START, 8), []
    for fields, text in ((("text",), "{text}{soft}"), (("text", "note"), "{note}: {text}{soft}")):
        chosen = GROWING.model_copy(
            update={
                "fields": fields,
                "soft": GROWING.soft and GROWING.soft.model_copy(update={"template": text}),
                "privacy": GROWING.privacy.model_copy(update={"questions": 4}),
            }
        )
        own = read_cases(tmp_path / "cases.csv", fields=fields, labels=LABELS).cases
        made = make_worker(name="clinic", folder=folder, study=chosen, model=MODEL, cases=own, where="clinic")
        hub = CuriousHub(made.handle, chosen, MODEL.info.digest)
        answered.append(len(ask_scores(hub, soft, "validation", together=False)))
    assert answered == [4, 0]


def test_a_case_that_came_is_not_read_from_two_counts(tmp_path: Path) -> None:
    soft, least = spread_prompts(START, 3), GROWING.privacy.min_cases
    exact = GROWING.privacy.model_copy(update={"questions": 30, "details": "totals"})
    growing = GROWING.model_copy(update={"privacy": exact})
    before = hub_of(tmp_path, growing, 120).scores(soft, "validation")
    assert before is not None
    for more in (1, 2, 3, 7):
        after = hub_of(tmp_path, growing, 120 + more).scores(soft, "validation")
        assert after is not None and grown_by_one(before, after).cases == 0
    later = hub_of(tmp_path, growing, 120 + 6 * least).scores(soft, "validation")
    assert later is not None and grown_by_one(before, later).cases >= least
