"""A set of cases answers so many exact questions in its life and no more, whoever asks, and under whatever study."""

import uuid
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from fedprompt.prompts.prompt import Prompt
from fedprompt.site.exact_questions import CaseSet, ExactQuestions
from fedprompt.site.folder import SiteFolder
from fedprompt.site.tally import Tally
from fedprompt.site.worker import Worker
from fedprompt.study.schema import Study
from fedprompt.verbs.evaluate import EvaluateTask
from fedprompt.verbs.forms import Task
from fedprompt.verbs.refusals import Refusal
from fedprompt.verbs.score import ScoreTask
from fedprompt.verbs.wire import pack_task, unpack_reply
from fedprompt.workspace.cases.site_of_file import make_worker
from tests.scripted_sites import MODEL, STUDY, cases, study, worker

FIVE = study(privacy={"questions": 5})
TEMPLATES = tuple(Prompt(template).id for template in STUDY.candidates())
ONE, TWO, THREE = TEMPLATES


def ask(site: Worker, form: type[Task], **fields: Any) -> str:
    """Return the verb of the reply, or the code of the refusal."""
    task = form(task=f"t1:{uuid.uuid4().hex}", study=site.digest, **fields)
    reply = unpack_reply(site.handle(pack_task(task, {})).data).message
    return reply.code if isinstance(reply, Refusal) else reply.verb


def asked(site: Worker) -> int:
    return site.questions.answered("validation").asked


def evaluate(site: Worker, *templates: str, split: str = "validation", **more: Any) -> str:
    return ask(site, EvaluateTask, split=split, templates=templates, **more)


def test_each_prompt_and_each_pair_is_a_question(tmp_path: Path) -> None:
    site = worker(tmp_path, chosen=FIVE)
    assert ask(site, ScoreTask, prompts=(ONE, TWO), reference=ONE) == "score"
    assert asked(site) == 3  # two prompts and a pair
    assert evaluate(site, THREE, ONE, pairs=((THREE, ONE),)) == "evaluate"
    assert asked(site) == 5  # one new prompt and one new pair
    assert site.questions.answered("validation").left == 0


def test_what_was_answered_is_answered_again_whatever_the_task(tmp_path: Path) -> None:
    site = worker(tmp_path, chosen=FIVE)
    assert ask(site, ScoreTask, prompts=TEMPLATES, reference=ONE) == "score"
    assert evaluate(site, ONE, TWO, pairs=((TWO, ONE),)) == "evaluate"  # the pair the other way round
    assert asked(site) == 5


def test_one_question_too_many_is_refused_whole_and_charged_nothing(tmp_path: Path) -> None:
    site = worker(tmp_path, chosen=study(privacy={"questions": 2}))
    assert ask(site, ScoreTask, prompts=TEMPLATES) == "questions-spent"
    assert asked(site) == 0
    assert ask(site, ScoreTask, prompts=(ONE, TWO)) == "score"
    assert evaluate(site, THREE) == "questions-spent"
    assert evaluate(site, THREE, split="test") == "evaluate"  # other cases


def test_by_default_a_split_answers_one_question_for_fifteen_of_its_cases(tmp_path: Path) -> None:
    site = worker(tmp_path, chosen=study(privacy={"questions": None}))
    found = site.questions.answered("validation")
    assert (found.cases, found.most) == (20, 1)


def test_a_revision_of_the_study_gives_nothing_back(tmp_path: Path) -> None:
    assert ask(worker(tmp_path, chosen=FIVE), ScoreTask, prompts=TEMPLATES) == "score"
    other = study(privacy={"questions": 5}, tuning={"lr": 0.04})
    again = worker(tmp_path, chosen=other)
    assert again.digest != FIVE.digest(MODEL.info.digest)
    assert asked(again) == 3
    # The same prompts of the same model under the same answer are the same questions; a soft prompt would not be.
    assert ask(again, ScoreTask, prompts=TEMPLATES) == "score" and asked(again) == 3
    changed = study(privacy={"questions": 5}, answer={"prior": "pmi"})
    third = worker(tmp_path, chosen=changed)
    assert ask(third, ScoreTask, prompts=TEMPLATES) == "questions-spent"


def grown(path: Path, count: int, chosen: Study = FIVE) -> Worker:
    folder = SiteFolder(path / "clinic")
    folder.prepare(b"clinic".ljust(32, b"."))
    return make_worker(
        name="clinic", folder=folder, study=chosen, model=MODEL, cases=cases("clinic", count), where="clinic"
    )


def test_cases_that_were_in_another_set_bring_its_count_along(tmp_path: Path) -> None:
    # Fractions, so that a file that grows has larger splits; those that were there stay in theirs.
    fractions = {"splits": {"tune": 0.4, "validation": 0.3, "test": 0.3}, "privacy": {"questions": 5}}
    first = grown(tmp_path, 80, study(**fractions))
    assert ask(first, ScoreTask, prompts=(ONE, TWO)) == "score"
    second = grown(tmp_path, 200, study(**fractions))
    assert len(second.side.splits.validation) > len(first.side.splits.validation)
    assert asked(second) == 2
    assert ask(second, ScoreTask, prompts=TEMPLATES) == "score" and asked(second) == 5
    assert asked(grown(tmp_path, 80, study(**fractions))) == 5


def test_a_lost_store_gives_nothing_back(tmp_path: Path) -> None:
    site = worker(tmp_path, chosen=FIVE)
    assert ask(site, ScoreTask, prompts=TEMPLATES) == "score"
    (tmp_path / "clinic" / "replies.db").unlink()
    assert asked(worker(tmp_path, chosen=FIVE)) == 3


def test_where_one_person_holds_the_cases_it_is_counted_and_stops_nothing(tmp_path: Path) -> None:
    folder = SiteFolder(tmp_path / "own")
    folder.prepare(b"own".ljust(32, b"."))
    site = make_worker(
        name="own",
        folder=folder,
        study=study(privacy={"questions": 1}),
        model=MODEL,
        cases=cases("own"),
        where="own",
        bounded=False,
    )
    assert ask(site, ScoreTask, prompts=TEMPLATES) == "score"
    assert asked(site) == 3 and site.questions.answered("validation").most is None


@pytest.mark.parametrize(("least", "told"), [(1, True), (5, False)])
def test_a_matrix_with_small_cells_does_not_leave(tmp_path: Path, least: int, told: bool) -> None:
    site = worker(tmp_path, chosen=study(privacy={"min_cell": least, "questions": 50}))
    task = ScoreTask(task=f"t1:{uuid.uuid4().hex}", study=site.digest, prompts=(ONE,))
    reply: Any = unpack_reply(site.handle(pack_task(task, {})).data).message
    (score,) = reply.scores
    cells = [cell for row in score.confusion for cell in row]
    assert bool(cells) is told
    assert all(one.n == 0 or one.n >= least for one in score.bins)


def test_a_case_is_the_same_whatever_a_study_calls_its_fields_and_labels(tmp_path: Path) -> None:
    site = worker(tmp_path, chosen=FIVE)
    assert evaluate(site, ONE, TWO) == "evaluate"
    splits = site.side.splits
    named = {
        split: tuple(replace(case, fields={"note": case.fields["text"]}, answer="x") for case in splits.cases(split))
        for split in ("tune", "validation", "test")
    }
    other = ExactQuestions(
        SiteFolder(tmp_path / "clinic").key,
        replace(splits, **named),
        FIVE,
        MODEL.info.digest,
        Tally(SiteFolder(tmp_path / "clinic").ledger, SiteFolder(tmp_path / "clinic").replies),
        SiteFolder(tmp_path / "clinic").replies,
    )
    assert other.answered("validation").asked == 2


def test_with_other_tune_cases_a_prompt_that_shows_some_is_another_question(tmp_path: Path) -> None:
    site = worker(tmp_path, chosen=FIVE)
    assert evaluate(site, THREE) == "evaluate" and asked(site) == 1  # it shows two of them
    splits = site.side.splits
    other = replace(splits, tune=splits.tune[:-1])
    again = Worker(name="clinic", folder=SiteFolder(tmp_path / "clinic"), study=FIVE, model=MODEL, splits=other)
    assert evaluate(again, THREE) == "evaluate" and asked(again) == 2


def test_what_was_asked_is_told_in_a_sentence_with_and_without_a_bound() -> None:
    assert "7 asked, 3 of 10 left" in CaseSet("c1:x", 7, "test", "small", 40, 10).sentence
    assert "0 of 5 left" in CaseSet("c1:x", 7, "test", "small", 20, 5).sentence
    for one in (CaseSet("c1:x", 7, "test", "small", 40), CaseSet("c1:x", 7)):
        assert "7 asked" in one.sentence and "None" not in one.sentence
