"""From answers of newcomers to a curve, by hand."""

import pytest

from fedprompt.adapting.settings import AtN
from fedprompt.evaluation.statistics.meta_analysis import random_effects
from fedprompt.study.sharing import Worth
from fedprompt.verbs.worth import WorthReply
from fedprompt.workspace.rounds.worth_curve import curve_of, found_at, settings_of_found, worth_sentences
from fedprompt.workspace.rounds.worth_folds import most_soft
from fedprompt.workspace.rounds.worth_ways import ways_of

TASK = "t1:" + "0" * 32


def ways(n: int) -> tuple[AtN, ...]:
    return AtN(n=n, method="template"), AtN(n=n, method="alone"), AtN(n=n), AtN(n=n, method="bias")


def replies(n: int, **right: tuple[int, ...]) -> dict[str, WorthReply]:
    return {
        site: WorthReply(task=TASK, n=n, draws=5, cases=100, right=counts) for site, counts in sorted(right.items())
    }


# Site -> right of 100 by the best template, tuned at home, with the mixture, with the given weights.
AT_8 = replies(8, bank=(50, 60, 70, 60), clinic=(60, 50, 75, 70), court=(50, 60, 62, 66))


def test_each_site_is_helped_as_the_others_would_choose_and_home_is_what_was_best_over_all() -> None:
    found = found_at(ways(8), AT_8, {"mill": "it was late"})
    # At home: means of .533 and .567. Without bank the mixture and the weights elsewhere have 137 and 136, without
    # clinic 132 and 126, without court 145 and 130.
    assert found.home == "tuned at home" and found.chosen == AtN(n=8)
    assert {site: (one.alone, one.shared) for site, one in found.by_site.items()} == {
        "bank": (0.6, 0.7),
        "clinic": (0.5, 0.75),
        "court": (0.6, 0.62),
    }
    assert found.worst_site == "court" and found.missing == {"mill": "it was late"}
    assert found.by_way["best template"] == pytest.approx(1.6 / 3)


def test_no_site_is_told_a_gain_by_the_way_that_it_alone_does_well_with() -> None:
    # The weights elsewhere are best over all (250 to 248) for court's sake alone; court is helped by the mixture.
    odd = replies(8, bank=(50, 60, 82, 70), clinic=(50, 60, 82, 80), court=(50, 60, 84, 100))
    found = found_at(ways(8), odd, {})
    assert found.chosen.method == "bias" and found.by_site["court"].shared == 0.84


def test_where_sharing_is_no_better_a_site_stays_as_it_is_alone() -> None:
    equal = replies(8, bank=(50, 60, 60, 55), clinic=(50, 60, 60, 60))
    found = found_at(ways(8), equal, {})
    (point,) = curve_of([found])
    assert found.chosen.method == "alone" and (point.gain, point.low, point.high, point.worst) == (0, 0, 0, 0)


def test_the_gain_is_pooled_over_sites_and_so_are_both_levels() -> None:
    found = found_at(ways(8), AT_8, {})
    (point,) = curve_of([found])
    gains = [0.1, 0.25, 0.02]
    smoothed = [((60.5, 70.5), 0), ((50.5, 75.5), 0), ((60.5, 62.5), 0)]
    variances = [sum(k / 101 * (1 - k / 101) / 100 for k in pair) for pair, _ in smoothed]
    pooled = random_effects(gains, variances)
    assert pooled is not None
    assert point.gain == pytest.approx(pooled.value) and point.shared - point.alone == pytest.approx(point.gain)
    assert (point.low, point.high) == pytest.approx((pooled.low, pooled.high))
    assert (point.sites, point.worst) == (3, pytest.approx(0.02))


def test_cases_needed_are_read_off_the_curve_alone_and_not_beyond_it() -> None:
    one = found_at(ways(7), replies(7, a=(0, 60, 70, 0), b=(0, 60, 70, 0)), {})
    two = found_at(ways(31), replies(31, a=(0, 80, 85, 0), b=(0, 80, 85, 0)), {})
    points = curve_of([one, two])
    # By hand: .7 lies halfway between .6 at 7 and .8 at 31 cases, at sqrt(8 * 32) - 1 = 15; .85 lies beyond.
    assert points[0].needed == pytest.approx(15) and points[1].needed is None
    first, second = worth_sentences(points, [one, two])
    assert "60 % alone and 70 %" in first and "about 15" in first and "than were measured" in second
    settings = settings_of_found([one, two])
    assert settings is not None and [at.n for at in settings.at] == [7, 31]


def test_a_single_site_has_a_point_and_no_interval() -> None:
    (point,) = curve_of([found_at(ways(8), replies(8, bank=(50, 60, 70, 60)), {})])
    assert (point.low, point.high, point.sites) == (None, None, 1) and point.gain == pytest.approx(0.1)


def test_however_many_soft_prompts_are_shared_there_is_room_for_the_best_templates() -> None:
    assert [most_soft(templates) for templates in (1, 3, 100)] == [63, 61, 61]


def test_ways_are_as_many_as_the_study_says_and_home_is_first() -> None:
    for ways_asked in (1, 3, 5):
        found = ways_of(Worth(n=(8,), ways=ways_asked), 8)
        assert [way.method for way in found[:2]] == ["template", "alone"] and len(found) == 2 + ways_asked
        assert len(set(found)) == len(found) and all(way.n == 8 for way in found)
    assert [way.method for way in ways_of(Worth(n=(0,)), 0)] == ["template", "mixture"]
