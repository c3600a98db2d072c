"""A site with a budget of privacy: real worker, gate, ledger and store, asked by a hub that writes its own tasks."""

import shutil
import uuid
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import yaml

from benchmarks.attackers.rounds import CuriousHub
from fedprompt.errors import DataError
from fedprompt.evaluation.cases import Case
from fedprompt.privacy.accounting import spent
from fedprompt.privacy.plan import plan_of
from fedprompt.site.folder import SiteFolder
from fedprompt.site.policy import Policy, write_policy
from fedprompt.site.private_answers import charges_of
from fedprompt.site.tally import Tally
from fedprompt.site.worker import Worker
from fedprompt.study.schema import Study
from fedprompt.verbs.describe import DescribeReply, DescribeTask
from fedprompt.verbs.expected import expected
from fedprompt.verbs.forms import Parcel
from fedprompt.verbs.score import ScoreReply, ScoreTask, check_scores
from fedprompt.verbs.verb import Terms
from fedprompt.workspace.cases.site_of_file import make_worker
from tests.coded import coded
from tests.scripted_sites import MODEL, TEXT, cases

START = MODEL.text_init("Overall the feeling is", 3).vectors


def dp_study(name: str = "small", **dp: Any) -> Study:
    """Return the small study with a budget."""
    body = yaml.safe_load(TEXT)
    body |= {"study": name, "templates": body["templates"][:2], "privacy": {"min_cases": 10}}
    body["dp"] = {"epsilon": 4, "cases": 30, "scores": 12, **dp}
    return Study.model_validate(body)


STUDY = dp_study()


def site(path: Path, study: Study = STUDY, found: tuple[Case, ...] = cases("clinic")) -> Worker:
    """Return a site's worker, made anew in the same folder."""
    folder = SiteFolder(path / "clinic")
    folder.prepare(b"k" * 32)
    return make_worker(name="clinic", folder=folder, study=study, model=MODEL, cases=found, where="clinic")


def hub(worker: Worker, study: Study = STUDY) -> CuriousHub:
    """Return whoever asks it."""
    return CuriousHub(worker.handle, study, MODEL.info.digest)


def new() -> str:
    """Return the id of a task."""
    return f"t1:{uuid.uuid4().hex}"


def described(asks: CuriousHub) -> DescribeReply:
    """Return the site's sizes."""
    parcel = asks.ask(DescribeTask(task=new(), study=asks.digest))
    assert parcel is not None and isinstance(parcel.message, DescribeReply)
    return parcel.message


def scored(asks: CuriousHub, worker: Worker, reference: bool = True) -> tuple[ScoreTask, ScoreReply] | None:
    """Return the templates' scores."""
    first, second = worker.side.templates
    task = ScoreTask(task=new(), study=asks.digest, prompts=(first, second), reference=second if reference else None)
    parcel = asks.ask(task)
    return None if parcel is None else (task, parcel.message)  # type: ignore[return-value]


def counts(worker: Worker) -> dict[tuple[float, float], int]:
    """Return what the site's cases have answered, by noise and rate."""
    folder = worker._folder
    found: dict[tuple[float, float], int] = {}
    for one in charges_of(Tally(folder.ledger, folder.replies)):
        found[one.event.noise, one.event.rate] = found.get((one.event.noise, one.event.rate), 0) + one.event.count
    return found


def test_the_whole_study_is_answered_and_costs_its_epsilon_and_one_step_more_is_refused(tmp_path: Path) -> None:
    worker = site(tmp_path)
    asks = hub(worker)
    described(asks)
    updates = [asks.tune(START, round=number, steps=2, seed=0) for number in (1, 2)]
    assert all(one is not None and np.isfinite(one.delta).all() for one in updates)
    private, plan = worker.side.private, plan_of(STUDY)
    assert private is not None and plan is not None
    cost = private.cost("tune")
    assert cost == spent(plan.events["tune"], 30**-1.1) and 3.9 < cost.epsilon <= 4
    assert private.cost("validation").epsilon < 1  # its size was told, and nothing else
    assert private.charge([], 1) is None


def test_a_second_study_over_the_same_cases_finds_the_budget_spent_unless_more_is_agreed(tmp_path: Path) -> None:
    first = hub(site(tmp_path))
    assert [first.tune(START, round=n, steps=2, seed=0) is not None for n in (1, 2)] == [True, True]
    again = dp_study("another")
    second = hub(site(tmp_path, again), again)
    assert second.tune(START, round=1, steps=2, seed=0) is None and second.refused["privacy-spent"] == 1
    agreed = dp_study("another", in_all=20)
    third = hub(site(tmp_path, agreed), agreed)
    assert third.tune(START, round=1, steps=2, seed=0) is not None


def test_new_cases_beside_old_ones_give_nothing_back(tmp_path: Path) -> None:
    first = hub(site(tmp_path))
    assert all(first.tune(START, round=n, steps=2, seed=0) is not None for n in (1, 2))
    again = dp_study("another")
    more = hub(site(tmp_path, again, (*cases("clinic"), *cases("ward"))), again)
    assert more.tune(START, round=1, steps=2, seed=0) is None and more.refused["privacy-spent"] == 1


def test_a_task_that_is_asked_again_gets_the_same_bytes_and_is_charged_once(tmp_path: Path) -> None:
    worker = site(tmp_path)
    asks = hub(worker)
    parcels = []
    from fedprompt.verbs.tune import TuneTask

    task = TuneTask(task=new(), study=asks.digest, round=1, steps=2, seed=0)
    for restarted in (worker, worker, site(tmp_path)):
        parcels.append(hub(restarted).ask(task, {"start": START}))
    assert all(one is not None for one in parcels)
    first, *others = (one.arrays["delta"] for one in parcels if one is not None)
    assert all((first == other).all() for other in others)
    plan = plan_of(STUDY)
    assert plan is not None and counts(worker)[plan.step, plan.rate] == 2


def test_a_question_asked_in_other_tasks_gets_the_same_number_and_costs_nothing_more(tmp_path: Path) -> None:
    worker = site(tmp_path)
    asks = hub(worker)
    plan = plan_of(STUDY)
    assert plan is not None
    first, alone = scored(asks, worker), scored(asks, worker, reference=False)
    assert first is not None and alone is not None
    assert first[1].scores == alone[1].scores
    assert counts(worker)[plan.of_counts(1).noise, 1.0] == 3  # two prompts and their comparison
    assert described(asks).validation == described(asks).validation == first[1].scores[0].n


def test_scores_carry_their_noise_in_their_variance_and_the_hub_believes_them(tmp_path: Path) -> None:
    worker = site(tmp_path)
    asks = hub(worker)
    sizes, found, plan = described(asks), scored(asks, worker), plan_of(STUDY)
    assert found is not None and plan is not None and sizes.labels == (0, 0) and sizes.units is None
    task, reply = found
    terms = Terms("clinic", STUDY, sizes)
    check_scores(terms, reply, {*task.prompts}, "validation", [(task.prompts[0], task.prompts[1])])
    for score in reply.scores:
        plain = score.total - score.total**2 / score.n
        assert score.group_squares >= plain + plan.count**2 and not score.confusion and not score.bins
        assert score.total == round(score.total) and 0 <= score.total <= score.n
    assert reply.comparisons[0].group_squares >= 2 * plan.count**2
    wanted = expected(terms, "validation")
    assert wanted is not None and wanted.noised > 0


def test_scores_end_with_the_budget(tmp_path: Path) -> None:
    worker = site(tmp_path)
    asks = hub(worker)
    answered = 0
    while asks.scores([START + np.float32(0.01) * np.float32(answered)], "validation") is not None:
        answered += 1
        assert answered < 20
    assert answered == STUDY.dp.scores and asks.refused["privacy-spent"] == 1  # type: ignore[union-attr]
    assert asks.scores([START], "test") is not None  # other cases
    assert asks.scores([START], "tune") is None and asks.refused["not-allowed"] == 1


@pytest.mark.parametrize("lost", ["replies.db", "ledger.jsonl"])
def test_losing_a_file_gives_nothing_back(tmp_path: Path, lost: str) -> None:
    first = hub(site(tmp_path))
    assert all(first.tune(START, round=n, steps=2, seed=0) is not None for n in (1, 2))
    (tmp_path / "clinic" / lost).unlink()
    again = dp_study("another")
    second = hub(site(tmp_path, again), again)
    assert second.tune(START, round=1, steps=2, seed=0) is None and second.refused["privacy-spent"] == 1


def test_an_older_store_gives_nothing_back(tmp_path: Path) -> None:
    worker = site(tmp_path)
    first, store = hub(worker), tmp_path / "clinic" / "replies.db"
    assert first.tune(START, round=1, steps=2, seed=0) is not None
    shutil.copy(store, tmp_path / "old.db")
    assert first.tune(START, round=2, steps=2, seed=0) is not None
    shutil.copy(tmp_path / "old.db", store)
    plan = plan_of(STUDY)
    assert plan is not None and counts(site(tmp_path))[plan.step, plan.rate] == 4


def test_the_operator_may_allow_less_than_the_study(tmp_path: Path) -> None:
    worker = site(tmp_path)
    write_policy(worker._folder.policy_file, Policy(epsilon=1.0))
    asks = hub(site(tmp_path))
    assert asks.tune(START, round=1, steps=2, seed=0) is None and asks.refused["privacy-spent"] == 1


@pytest.mark.parametrize(("covers", "split"), [("tuning", "tune"), ("scores", "validation")])
def test_a_delta_within_which_whole_cases_could_leave_is_refused_of_each_covered_split(
    tmp_path: Path, covers: str, split: str
) -> None:
    loose = dp_study(cases=10, delta=0.09, covers=[covers])  # a site has more than 11 in each split
    with pytest.raises(DataError, match=split, check=coded("delta-too-large")):
        site(tmp_path, loose)


def test_groups_are_hidden_as_one_and_single_cases_of_groups_are_refused(tmp_path: Path) -> None:
    from dataclasses import replace

    grouped = tuple(replace(case, group=f"patient {place // 5}") for place, case in enumerate(cases("clinic", 400)))
    with pytest.raises(DataError, check=coded("unit-is-a-group")):
        site(tmp_path, STUDY, grouped)
    hidden = dp_study(unit="group", per_group=3)
    worker = site(tmp_path, hidden, grouped)
    side = worker.side
    assert side.private is not None
    units = side.private.units
    assert max(map(len, units)) == 3 and sum(map(len, units)) == len(side.splits.tune)
    assert hub(worker, hidden).tune(START, round=1, steps=2, seed=0) is not None


def test_a_group_carries_what_any_of_its_cases_answered(tmp_path: Path) -> None:
    from dataclasses import replace

    def grouped(*lines: int) -> tuple[Case, ...]:
        return tuple(replace(cases("clinic", 400)[place], group=f"patient {place // 5}") for place in lines)

    first = dp_study(unit="group", per_group=2)
    one = hub(site(tmp_path, first, grouped(*(n for n in range(400) if n % 5 < 2))), first)
    assert all(one.tune(START, round=n, steps=2, seed=0) is not None for n in (1, 2))
    again = dp_study("small", unit="group", per_group=2, clip=2.0)  # the same cut, other cases of the same patients
    other = hub(site(tmp_path, again, grouped(*(n for n in range(400) if n % 5 >= 3))), again)
    assert other.tune(START, round=1, steps=2, seed=0) is None and other.refused["privacy-spent"] == 1


def test_nothing_is_refused_by_who_was_sampled(tmp_path: Path) -> None:
    body = STUDY.model_dump(mode="json") | {"tuning": {"steps": 1, "batch": 1, "lr": 0.05}}
    small = Study.model_validate(body)
    asks = hub(site(tmp_path, small), small)
    assert asks.tune(START, round=1, steps=1, seed=0) is not None


def test_no_residual_is_kept_under_a_budget(tmp_path: Path) -> None:
    body = STUDY.model_dump(mode="json")
    body["rounds"]["update"] = "int8"
    coarse = Study.model_validate(body)
    worker = site(tmp_path, coarse)
    assert hub(worker, coarse).tune(START, round=1, steps=2, seed=0) is not None
    import sqlite3

    with sqlite3.connect(worker._folder.replies.path) as connection:
        assert connection.execute("SELECT count(*) FROM beside WHERE kind = 'residual'").fetchone() == (0,)  # wording


def test_a_reply_that_was_kept_and_not_sent_is_sent_and_charged_once(tmp_path: Path) -> None:
    from fedprompt.site.ledger import Ledger
    from fedprompt.verbs.tune import TuneTask
    from fedprompt.verbs.wire import pack_task

    worker = site(tmp_path)
    task = TuneTask(task=new(), study=hub(worker).digest, round=1, steps=2, seed=0)
    kept = Ledger.append

    def killed(*given: Any, **more: Any) -> Any:
        raise KeyboardInterrupt

    Ledger.append = killed  # type: ignore[method-assign]
    try:
        with pytest.raises(KeyboardInterrupt):
            worker.handle(pack_task(task, {"start": START}))
    finally:
        Ledger.append = kept  # type: ignore[method-assign]
    plan = plan_of(STUDY)
    assert plan is not None and counts(site(tmp_path))[plan.step, plan.rate] == 2
    parcel = hub(site(tmp_path)).ask(task, {"start": START})
    assert isinstance(parcel, Parcel) and counts(site(tmp_path))[plan.step, plan.rate] == 2
