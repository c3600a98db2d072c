"""The meter of a site's privacy: by set of cases, with what other studies spent over the same ones."""

from pathlib import Path

import pytest

from fedprompt.site.budgets import budgets_of
from tests.site.test_private_answers import START, dp_study, hub, scored, site


def test_it_tells_what_was_spent_what_the_next_round_costs_and_what_is_left(tmp_path: Path) -> None:
    worker = site(tmp_path)
    asks, folder = hub(worker), worker._folder
    assert budgets_of(folder) == ()
    assert asks.tune(START, round=1, steps=2, seed=0) is not None
    (first,) = budgets_of(folder)
    assert (first.split, first.study, first.cases, first.most) == ("tune", "small", 30, 4)
    assert first.next_round is not None and 0 < first.epsilon < first.next_round <= 4
    assert asks.tune(START, round=2, steps=2, seed=0) is not None
    (both,) = budgets_of(folder)
    assert both.epsilon == pytest.approx(first.next_round) and both.next_round is not None and both.next_round > 4
    assert 0.5 < first.guessed < both.guessed < 1


def test_sets_are_told_apart_and_studies_over_the_same_cases_add_up(tmp_path: Path) -> None:
    worker = site(tmp_path)
    asks = hub(worker)
    assert asks.tune(START, round=1, steps=2, seed=0) is not None and scored(asks, worker) is not None
    alone = {one.split: one.epsilon for one in budgets_of(worker._folder)}
    assert set(alone) == {"tune", "validation"}
    again = dp_study("another", in_all=20)
    assert hub(site(tmp_path, again), again).tune(START, round=1, steps=2, seed=0) is not None
    after = [one for one in budgets_of(worker._folder) if one.study == "another"]
    assert len(after) == 1 and after[0].epsilon > 1.2 * alone["tune"] and after[0].most == 20


def test_where_the_store_is_lost_the_ledger_still_tells_what_was_spent(tmp_path: Path) -> None:
    worker = site(tmp_path)
    assert hub(worker).tune(START, round=1, steps=2, seed=0) is not None
    (before,) = budgets_of(worker._folder)
    worker._folder.replies.path.unlink()
    (after,) = budgets_of(worker._folder)
    assert after.id == before.id and after.study is None and after.epsilon > before.epsilon  # of a smaller delta
