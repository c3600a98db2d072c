"""A hub gets one update a round, over many cases that it did not choose, and no batch's loss, so no case by itself."""

from collections.abc import Iterator
from hashlib import blake2b
from itertools import product
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from fedprompt.evaluation.cases import Case
from fedprompt.site.folder import SiteFolder
from fedprompt.site.policy import Policy, write_policy
from fedprompt.site.worker import Worker
from fedprompt.study.schema import Study
from fedprompt.verbs.refusals import Refusal
from fedprompt.verbs.tune import TuneReply, TuneTask
from fedprompt.verbs.wire import pack_task, unpack_reply
from fedprompt.workspace.cases.site_of_file import make_worker
from tests.scripted_sites import LABELS, MODEL, STUDY, study, worker

START = MODEL.text_init("Overall the feeling is", 3).vectors
TASKS: Iterator[int] = iter(range(1, 10**9))
ALONE = study(rounds={"count": 2, "alone": True})
GROUPED = study(rounds={"count": 2, "groups": {"rounds": 2}})
FEDBUFF = study(rounds={"count": 2, "strategy": {"name": "fedbuff", "options": {"buffer": 2}}})


def asked(chosen: Study = STUDY, **changes: Any) -> TuneTask:
    """Return a task that was never sent before."""
    body = {"task": f"t1:{next(TASKS):032x}", "study": chosen.digest(MODEL.info.digest), "round": 1, "steps": 2}
    return TuneTask.model_validate({**body, "seed": 0, **changes})


def told(site: Worker, task: TuneTask, start: np.ndarray = START) -> TuneReply | Refusal:
    found = unpack_reply(site.handle(pack_task(task, {"start": start})).data).message
    assert isinstance(found, TuneReply | Refusal)
    return found


def code(site: Worker, task: TuneTask, start: np.ndarray = START) -> str:
    found = told(site, task, start)
    return found.code if isinstance(found, Refusal) else "answered"


def delta(site: Worker, task: TuneTask, start: np.ndarray = START) -> list[float]:
    found: list[float] = (
        unpack_reply(site.handle(pack_task(task, {"start": start})).data).arrays["delta"].ravel().tolist()
    )
    return found


def equations(site: Worker, cases: int) -> tuple[np.ndarray, np.ndarray]:
    """Ask for one batch after another; return which cases were in each, as the seed says, and their mean loss."""
    rows, values = [], []
    for seed in range(90):
        found = told(site, asked(seed=seed, steps=1))
        if isinstance(found, TuneReply) and found.loss is not None:
            name = int.from_bytes(blake2b(b"clinic", digest_size=8).digest(), "big")
            drawn = np.random.default_rng(np.random.SeedSequence([seed, name, 1])).permutation(cases)[:8]
            rows.append(np.isin(np.arange(cases), drawn) / 8)
            values.append(found.loss)
    return np.array(rows).reshape(-1, cases), np.array(values)


@pytest.mark.whole
def test_a_hub_that_asks_for_a_batch_at_a_time_has_nothing_to_solve_for_single_cases(tmp_path: Path) -> None:
    site = worker(tmp_path)
    objective = site.side.objective("tune")
    losses = np.array([objective.loss_and_gradient(START, [row]).loss for row in range(30)])
    left, right = equations(site, 30)
    found = np.linalg.lstsq(left, right, rcond=None)[0]
    assert not left.size, f"each case's loss to {np.abs(found - losses).max():.0e} in {len(left)} replies"


def test_whatever_a_hub_asks_it_gets_as_many_updates_as_the_study_has_rounds(tmp_path: Path) -> None:
    site = worker(tmp_path)
    every = product(("all", "group", "alone"), (1, 2, 3, 7), (1, 2, 3), (0, 1))
    given = [code(site, asked(among=a, round=r, steps=s, seed=seed)) for a, r, s, seed in every]
    assert given.count("answered") == STUDY.rounds.count == 2
    assert set(given) == {"answered", "round-answered", "not-allowed"}


def test_a_reply_says_nothing_of_its_batches_loss(tmp_path: Path) -> None:
    found = told(worker(tmp_path), asked())
    assert isinstance(found, TuneReply) and found.loss is None
    assert set(found.model_dump()) == {"verb", "task", "round", "cases", "precision"}


def test_the_order_follows_from_site_study_and_round_and_not_from_the_tasks_seed(tmp_path: Path) -> None:
    one = delta(worker(tmp_path / "one"), asked(seed=0))
    assert delta(worker(tmp_path / "same"), asked(seed=12345)) == one
    assert delta(worker(tmp_path / "later"), asked(round=2)) != one
    named = STUDY.model_copy(update={"study": "another"})
    assert delta(worker(tmp_path / "named", chosen=named), asked(named)) != one
    folder = SiteFolder(tmp_path / "keyed" / "clinic")
    folder.prepare(b"another key of thirty-two bytes!")
    cut = worker(tmp_path / "cut").side.splits
    keyed = Worker(name="clinic", folder=folder, study=STUDY, model=MODEL, splits=cut)
    assert delta(keyed, asked()) != one


def test_a_round_is_answered_once_in_rising_order_and_resent_as_it_was(tmp_path: Path) -> None:
    first, moved = asked(round=1), START + np.float32(0.01)
    sent = worker(tmp_path).handle(pack_task(first, {"start": START})).data
    for site in (worker(tmp_path), worker(tmp_path)):  # of other processes too
        assert site.handle(pack_task(first, {"start": START})).data == sent
        assert code(site, asked(round=1)) == code(site, first, moved) == "round-answered"
    site = worker(tmp_path)
    assert code(site, asked(round=2), moved) == "answered"
    assert code(site, asked(round=2), START) == code(site, asked(round=1)) == "round-answered"
    assert site.handle(pack_task(first, {"start": START})).data == sent
    skipped = worker(tmp_path / "skipped")
    assert [code(skipped, asked(round=number)) for number in (2, 1)] == ["answered", "round-answered"]


def test_rounds_stay_answered_where_the_replies_are_lost(tmp_path: Path) -> None:
    first = asked()
    assert code(worker(tmp_path), first) == "answered"
    SiteFolder(tmp_path / "clinic").replies.path.unlink()
    assert code(worker(tmp_path), asked(), START + np.float32(0.01)) == "round-answered"


@pytest.mark.parametrize(
    ("chosen", "expected"),
    [
        (STUDY, {"all": 2, "group": 0, "alone": 0}),
        (ALONE, {"all": 2, "group": 0, "alone": 2}),
        (GROUPED, {"all": 2, "group": 4, "alone": 0}),
        (FEDBUFF, {"all": 6, "group": 0, "alone": 0}),
    ],
)
def test_what_rounds_there_are_follows_from_the_accepted_study(
    tmp_path: Path, chosen: Study, expected: dict[str, int]
) -> None:
    for among, count in expected.items():
        site = worker(tmp_path / among, chosen=chosen)  # with others before them its cases would answer fewer
        given = [code(site, asked(chosen, among=among, round=number)) for number in range(1, 9)]
        assert given == ["answered"] * count + ["not-allowed"] * (8 - count)


def test_a_site_alone_begins_as_it_does_with_all_and_then_goes_its_own_way(tmp_path: Path) -> None:
    site, moved = worker(tmp_path, chosen=ALONE), START + np.float32(0.01)
    assert delta(site, asked(ALONE)) == delta(site, asked(ALONE, among="alone"))
    assert delta(site, asked(ALONE, round=2), moved) != delta(site, asked(ALONE, round=2, among="alone"))


@pytest.mark.parametrize("steps", range(1, 7))
def test_steps_lie_between_the_fewest_of_a_slow_site_and_the_studys(tmp_path: Path, steps: int) -> None:
    chosen = study(tuning={"steps": 4}, rounds={"least_steps": 2})
    expected = "answered" if 2 <= steps <= 4 else "not-allowed"
    assert code(worker(tmp_path, chosen=chosen), asked(chosen, steps=steps)) == expected


def test_where_no_fewest_are_said_all_steps_are_taken(tmp_path: Path) -> None:
    chosen = study(tuning={"steps": 4})
    given = [code(worker(tmp_path, chosen=chosen), asked(chosen, steps=steps)) for steps in (1, 3, 4)]
    assert given == ["not-allowed", "not-allowed", "answered"]


def test_steps_that_draw_fewer_cases_than_may_leave_are_not_taken(tmp_path: Path) -> None:
    # 2 steps of 8 draw 16 of 30 cases
    for floor, expected in ((16, "answered"), (17, "too-few-cases")):
        site = worker(tmp_path / str(floor))
        write_policy(SiteFolder(tmp_path / str(floor) / "clinic").policy_file, Policy(min_cases=floor))
        assert code(site, asked()) == expected


def test_cases_of_one_person_are_one_case_among_those_that_are_drawn(tmp_path: Path) -> None:
    # Twelve people, of whom the first has 40 of 51 cases in the split: enough people, but 16 cases drawn are not of 10.
    own = [Case({"text": f"note {n} was great"}, LABELS[n % 2], group="first", line=n) for n in range(40)]
    own += [Case({"text": f"note {n} was awful"}, LABELS[n % 2], group=f"person {n}", line=n) for n in range(40, 80)]
    folder = SiteFolder(tmp_path / "site")
    folder.prepare(b"p" * 32)
    chosen = study(splits={"tune": 21, "validation": 10, "test": 10})
    site = make_worker(name="site", folder=folder, study=chosen, model=MODEL, cases=own, where="here")
    people = {case.group for case in site.side.splits.tune}
    if "first" not in people:
        pytest.fail("the first person's cases are to be in the tune split; take another key")
    assert len(people) == 21 and len(site.side.splits.tune) == 60
    assert code(site, asked(chosen)) == "too-few-cases"


def test_a_round_that_was_broken_off_gives_the_bytes_of_one_that_was_not(tmp_path: Path) -> None:
    chosen = study(tuning={"steps": 5})
    task = asked(chosen, steps=5)
    whole = worker(tmp_path / "whole", chosen=chosen).handle(pack_task(task, {"start": START})).data
    steps: list[int] = []

    def stop(number: int, step: int, loss: float) -> None:
        steps.append(step)
        if len(steps) in (2, 4):
            raise KeyboardInterrupt

    for _ in range(3):
        site = worker(tmp_path / "stopped", chosen=chosen)
        site.side.on_step = stop
        try:
            data = site.handle(pack_task(task, {"start": START})).data
        except KeyboardInterrupt:
            continue
    # Who goes on from a checkpoint hears the steps that it holds first.
    assert data == whole and steps == [1, 2, 1, 2, 1, 2, 3, 4, 5]


def test_who_runs_the_site_hears_each_steps_loss(tmp_path: Path) -> None:
    heard: list[tuple[int, int]] = []
    site = worker(tmp_path)
    site.side.on_tuned = lambda number, losses: heard.append((number, len(losses)))
    assert code(site, asked()) == "answered" and heard == [(1, 2)]
