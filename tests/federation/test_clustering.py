"""Sites are parted where the paper parts them, by hand and against every way there is; noise parts nobody."""

from itertools import combinations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fedprompt.errors import FederationError
from fedprompt.federation.clustering import bipartition, cosines, group_by_scores, group_by_updates
from fedprompt.strategies.strategy import Update
from fedprompt.study.sharing import Groups
from tests.coded import coded


def updates(**deltas: tuple[float, ...]) -> list[Update]:
    return [Update(site, np.array([values], np.float32), 10) for site, values in deltas.items()]


def test_cosines_by_hand() -> None:
    found = cosines(np.array([[1.0, 0.0], [3.0, 4.0], [0.0, 0.0], [-2.0, 0.0]]))
    assert found[0].tolist() == [1.0, pytest.approx(0.6), 0.0, -1.0]
    assert found[2].tolist() == [0.0, 0.0, 1.0, 0.0]


def test_two_groups_that_pull_apart_are_parted() -> None:
    # The mean is (0, 0.1), the longest sqrt(1.04); the likest pair across is b and d: (-1 + 0.04) / 1.04.
    pulled = updates(d=(-1.0, 0.2), a=(1.0, 0.0), b=(1.0, 0.2), c=(-1.0, 0.0))
    found = group_by_updates(pulled, Groups())
    assert found.groups == (("a", "b"), ("c", "d"))
    (cut,) = [one for one in found.cuts if one.taken]
    assert cut.across == pytest.approx(-0.96 / 1.04)
    assert cut.still == pytest.approx(0.1 / 1.04**0.5)


def test_sites_that_still_move_together_are_not_parted_and_the_record_says_why() -> None:
    # Across is -0.64 + 0.36, but the mean (0, 0.6) is 0.6 of the longest.
    found = group_by_updates(updates(a=(0.8, 0.6), b=(0.8, 0.6), c=(-0.8, 0.6), d=(-0.8, 0.6)), Groups())
    assert found.groups == (("a", "b", "c", "d"),)
    assert found.cuts[0].across == pytest.approx(-0.28) and found.cuts[0].still == pytest.approx(0.6)
    assert "still move" in found.cuts[0].why and not found.cuts[0].taken
    parted = group_by_updates(updates(a=(0.8, 0.6), b=(0.8, 0.6), c=(-0.8, 0.6), d=(-0.8, 0.6)), Groups(still=0.7))
    assert parted.groups == (("a", "b"), ("c", "d"))


def test_three_groups_are_found_one_cut_after_the_other_and_no_more_than_asked_for() -> None:
    # Three directions at 120 degrees: the cosine of any two is -0.5.
    half, high = -0.5, 3**0.5 / 2
    three = updates(a=(1, 0), b=(1, 0), c=(half, high), d=(half, high), e=(half, -high), f=(half, -high))
    # What is left after the first cut pulls one way on the whole: (-0.5, 0) of 1.
    found = group_by_updates(three, Groups(still=0.6))
    assert found.groups == (("a", "b"), ("c", "d"), ("e", "f"))
    assert len(group_by_updates(three, Groups(still=0.6, most=2)).groups) == 2
    assert len(group_by_updates(three, Groups()).groups) == 2


def test_one_site_that_differs_from_all_is_no_group_of_its_own_unless_asked_for() -> None:
    odd = updates(a=(1, 0.1), b=(1, -0.1), c=(1, 0), x=(-1, 0))
    assert len(group_by_updates(odd, Groups(still=1.0)).groups) == 1
    assert group_by_updates(odd, Groups(still=1.0, smallest=1)).groups == (("a", "b", "c"), ("x",))


def test_a_straggler_goes_to_whom_it_is_most_like() -> None:
    likeness = np.array(
        [
            [1.0, 0.9, -0.8, -0.7, -0.1],
            [0.9, 1.0, -0.9, -0.8, -0.2],
            [-0.8, -0.9, 1.0, 0.9, -0.3],
            [-0.7, -0.8, 0.9, 1.0, -0.4],
            [-0.1, -0.2, -0.3, -0.4, 1.0],
        ]
    )
    assert bipartition(likeness, 2) == ([0, 1, 4], [2, 3])
    assert bipartition(likeness, 1) == ([0, 1, 4], [2, 3])  # cutting off 2 and 3 parts nobody nearer than -0.3
    assert bipartition(likeness, 3) is None and bipartition(likeness[:1, :1], 1) is None


@given(st.integers(2, 7), st.integers(0, 10_000))
def test_no_other_cut_parts_sites_that_are_less_alike(count: int, seed: int) -> None:
    likeness = cosines(np.random.default_rng(seed).normal(size=(count, 3)))
    found = bipartition(likeness, 1)
    assert found is not None
    first, second = found
    assert sorted(first + second) == list(range(count)) and first and second and first[0] == 0

    def across(side: tuple[int, ...]) -> float:
        other = [place for place in range(count) if place not in side]
        return float(likeness[np.ix_(side, other)].max())

    ways = (side for size in range(1, count) for side in combinations(range(count), size))
    assert across(tuple(first)) == pytest.approx(min(map(across, ways)))


@settings(max_examples=20)
@given(st.integers(2, 30), st.integers(0, 10_000))
def test_updates_that_are_noise_part_nobody(count: int, seed: int) -> None:
    rng = np.random.default_rng(seed)
    # One shared direction that is faint beside the noise: the cosine of two is about 0.06 with a deviation of 0.016.
    deltas = rng.normal(size=(count, 4000)) + 0.25
    noise = [Update(f"s{place:02}", delta.astype(np.float32)[None], 10) for place, delta in enumerate(deltas)]
    assert len(group_by_updates(noise, Groups(still=1.0)).groups) == 1


@settings(max_examples=40)
@given(st.permutations(["a", "b", "c", "d", "e"]), st.integers(0, 999))
def test_groups_do_not_depend_on_who_came_first(order: list[str], seed: int) -> None:
    rng = np.random.default_rng(seed)
    deltas = {site: rng.normal(size=(1, 3)).astype(np.float32) for site in "abcde"}
    asked = Groups(still=1.0, apart=0.5, smallest=1, most=4)
    one = group_by_updates([Update(site, deltas[site], 1) for site in "abcde"], asked)
    other = group_by_updates([Update(site, deltas[site], 1) for site in order], asked)
    assert one == other
    assert sorted(site for group in one.groups for site in group) == list("abcde")


def test_groups_by_scores_are_of_sites_that_like_the_same_templates() -> None:
    scores = {
        "a": {"t1": 0.9, "t2": 0.5, "t3": 0.6},
        "b": {"t1": 0.8, "t2": 0.4, "t3": 0.5},  # as a, a tenth lower: the correlation is 1
        "c": {"t1": 0.5, "t2": 0.9, "t3": 0.7},
        "d": {"t1": 0.4, "t2": 0.8, "t3": 0.6},
    }
    found = group_by_scores(scores, Groups(by="templates"))
    assert found.groups == (("a", "b"), ("c", "d")) and found.cuts[0].still is None
    # By hand, a and c less their means: (7, -5, -2) / 30 and (-6, 6, 0) / 30: -72 / sqrt(78 * 72).
    assert found.cuts[0].across == pytest.approx(-72 / (78 * 72) ** 0.5)


def test_scores_that_cannot_be_likened_are_refused() -> None:
    with pytest.raises(FederationError, check=coded("different-templates")):
        group_by_scores({"a": {"t": 0.5}, "b": {"u": 0.5}}, Groups(by="templates"))
    with pytest.raises(FederationError, check=coded("no-answers")):
        group_by_updates([], Groups())
    flat = {site: {"t1": 0.5, "t2": 0.5, "t3": 0.5} for site in "abcd"}
    assert len(group_by_scores(flat, Groups(by="templates")).groups) == 1
