"""Splits: exact, stable, and no input on both sides."""

import random
import stat
from collections import Counter
from collections.abc import Sequence
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fedprompt.errors import DataError
from fedprompt.evaluation.cases import Case, input_key
from fedprompt.evaluation.splits.cutting import (
    SPLITS,
    Shortfall,
    Splits,
    SplitSizes,
    assign,
    load_assignment,
    save_assignment,
)
from tests.coded import coded

KEY = bytes(range(32))
THIRDS = SplitSizes(0.4, 0.3, 0.3)

case_lists = st.lists(
    st.builds(
        Case,
        fields=st.integers(0, 40).map(lambda i: {"text": f"text {i}"}),
        answer=st.sampled_from(["a", "b", "c"]),
        group=st.just(None) | st.integers(0, 8).map(str),
    ),
    max_size=60,
)
plain_lists = st.lists(
    st.tuples(st.integers(0, 500), st.sampled_from(["a", "b", "c"])),
    max_size=80,
    unique_by=lambda pair: pair[0],
).map(lambda pairs: [Case({"text": f"text {i}"}, answer) for i, answer in pairs])
sizes = st.sampled_from([THIRDS, SplitSizes(0.5, 0.2, 0.1), SplitSizes(10, 7, 5), SplitSizes(48.0, 150.0, 150.0)])


def cases(count: int, labels: str = "ab", start: int = 0) -> list[Case]:
    return [Case({"text": f"text {i}"}, labels[i % len(labels)]) for i in range(start, start + count)]


def named(splits: Splits) -> dict[str, Sequence[Case]]:
    return {split: splits.cases(split) for split in SPLITS}


def where(splits: Splits) -> dict[tuple[str, str, str | None], str]:
    return {
        (input_key(case), case.answer, case.group): split for split, inside in named(splits).items() for case in inside
    }


@settings(deadline=None)
@given(case_lists, sizes)
def test_no_input_and_no_group_is_in_two_splits(some: list[Case], size: SplitSizes) -> None:
    inside = named(assign(some, KEY, size))
    for key in (input_key, lambda case: case.group):
        seen: dict[object, str] = {}
        for split, held in inside.items():
            for case in held:
                if key(case) is not None:
                    assert seen.setdefault(key(case), split) == split


@settings(deadline=None)
@given(case_lists, sizes, st.randoms(use_true_random=False))
def test_the_order_of_the_file_decides_nothing(some: list[Case], size: SplitSizes, rng: random.Random) -> None:
    shuffled = list(some)
    rng.shuffle(shuffled)
    first, second = assign(some, KEY, size), assign(shuffled, KEY, size)
    assert named(first) == named(second)
    assert first.assignment == second.assignment


@settings(deadline=None)
@given(case_lists, case_lists, sizes, sizes)
def test_later_cases_never_move_earlier_ones(
    old: list[Case], new: list[Case], size: SplitSizes, other: SplitSizes
) -> None:
    before = assign(old, KEY, size)
    after = assign([*old, *new], KEY, other, before.assignment)
    assert before.assignment.items() <= after.assignment.items()
    now = where(after)
    for place, split in where(before).items():
        assert now.get(place, split) == split
    count = sum(len(held) for held in named(after).values())
    homes: dict[str, set[str]] = {}
    for split, held in named(after).items():
        for case in held:
            homes.setdefault(input_key(case), set()).add(split)
            if case.group is not None:
                homes.setdefault("group " + case.group, set()).add(split)
    assert all(len(splits) == 1 for splits in homes.values())
    assert count + len(after.unused) + len(after.left_out) == len(old) + len(new)


@settings(deadline=None)
@given(plain_lists, plain_lists)
def test_without_groups_every_old_case_stays_where_it_was(old: list[Case], new: list[Case]) -> None:
    before = assign(old, KEY, THIRDS)
    known = {input_key(case) for case in old}
    after = assign([*old, *(case for case in new if input_key(case) not in known)], KEY, THIRDS, before.assignment)
    assert where(before).items() <= where(after).items()
    assert not after.left_out


@settings(deadline=None)
@given(plain_lists)
def test_fractions_are_cut_exactly(some: list[Case]) -> None:
    n = len(some)
    splits = assign(some, KEY, THIRDS)
    held = [len(splits.cases(split)) for split in SPLITS]
    assert sum(held) == n
    assert all(abs(size - n * share) < 1 for size, share in zip(held, (0.4, 0.3, 0.3), strict=True))


@settings(deadline=None)
@given(plain_lists)
def test_each_label_is_cut_in_proportion(some: list[Case]) -> None:
    splits = assign(some, KEY, THIRDS)
    of_label = Counter(case.answer for case in some)
    for split, share in zip(SPLITS, THIRDS.wanted, strict=True):
        held = Counter(case.answer for case in named(splits)[split])
        assert all(abs(held[label] - count * share) < 2 for label, count in of_label.items())


def test_counts_are_cut_exactly_within_label_and_the_rest_stays_unused() -> None:
    # 600 cases, 2 of 3 labelled a: 48 = 32 + 16, 150 = 100 + 50.
    splits = assign(cases(600, "aab"), KEY, SplitSizes(48, 150, 150))
    held = {split: Counter(case.answer for case in splits.cases(split)) for split in SPLITS}
    assert held == {
        "tune": {"a": 32, "b": 16},
        "validation": {"a": 100, "b": 50},
        "test": {"a": 100, "b": 50},
    }
    assert len(splits.unused) == 600 - 348
    assert len(splits.assignment) == 348


def test_counts_shrink_in_proportion_where_cases_are_few() -> None:
    # 87 of 348: a quarter, so 12, 37.5 and 37.5; the tie goes to validation.
    splits = assign(cases(87), KEY, SplitSizes(48, 150, 150))
    assert splits.units == {"tune": 12, "validation": 38, "test": 37}


def test_unused_cases_fill_a_larger_count_later() -> None:
    some = cases(100)
    small = assign(some, KEY, SplitSizes(10, 10, 10))
    large = assign(some, KEY, SplitSizes(20, 30, 50), small.assignment)
    assert large.units == {"tune": 20, "validation": 30, "test": 50}
    assert set(where(small).items()) <= set(where(large).items())


def test_cases_that_come_later_mend_the_balance_of_labels() -> None:
    # 20 of label a are cut 8, 6, 6; then 20 of label b come, and each split holds as many of b.
    old = [case for case in cases(40) if case.answer == "a"]
    after = assign(cases(40), KEY, THIRDS, assign(old, KEY, THIRDS).assignment)
    held = {split: Counter(case.answer for case in after.cases(split)) for split in SPLITS}
    assert held == {"tune": {"a": 8, "b": 8}, "validation": {"a": 6, "b": 6}, "test": {"a": 6, "b": 6}}


def test_another_key_cuts_otherwise() -> None:
    assert where(assign(cases(60), KEY, THIRDS)) != where(assign(cases(60), bytes(32), THIRDS))


def test_a_contradictory_input_stays_together_and_counts_once() -> None:
    some = [Case({"text": "same"}, "a"), Case({"text": "SAME"}, "b"), *cases(9)]
    splits = assign(some, KEY, SplitSizes(4, 3, 3))
    assert splits.units == {"tune": 4, "validation": 3, "test": 3}
    homes = {split for split in SPLITS for case in splits.cases(split) if case.fields["text"].lower() == "same"}
    assert len(homes) == 1
    assert sum(len(splits.cases(split)) for split in SPLITS) == 11


def test_shortfalls_count_groups_where_groups_are_used() -> None:
    # 40 cases of 10 patients: 4, 3 and 3 patients, whatever their number of cases.
    some = [Case({"text": f"note {i}"}, "ab"[i % 2], f"patient {i % 10}") for i in range(40)]
    splits = assign(some, KEY, THIRDS)
    assert len(splits.tune) == 16
    assert splits.shortfalls(4) == (Shortfall("validation", 3, 4), Shortfall("test", 3, 4))
    assert splits.shortfalls(4)[0].missing == 1
    assert splits.shortfalls(3) == ()


def test_a_case_that_joins_an_input_and_a_group_of_two_splits_is_left_out() -> None:
    old = [Case({"text": f"text {i}"}, "a", f"g{i}") for i in range(10)]
    before = assign(old, KEY, SplitSizes(0.5, 0.25, 0.25))
    tune, test = before.tune[0], before.test[0]
    bridge = Case(tune.fields, "b", test.group)
    after = assign([*old, bridge], KEY, SplitSizes(0.5, 0.25, 0.25), before.assignment)
    assert after.left_out == (bridge,)
    assert where(before).items() <= where(after).items()


def test_a_new_input_of_two_groups_that_point_apart_is_left_out() -> None:
    before = assign(cases(10), KEY, THIRDS)
    # Two new groups hold an old tune case and an old test case, and both hold one new input.
    tune, test = (Case(held[0].fields, held[0].answer, who) for held, who in ((before.tune, "c"), (before.test, "d")))
    new = [tune, test, Case({"text": "new"}, "a", "c"), Case({"text": "new"}, "b", "d")]
    after = assign(new, KEY, THIRDS, before.assignment)
    assert (after.tune, after.validation, after.test) == ((tune,), (), (test,))
    assert sorted(after.left_out, key=lambda case: case.answer) == new[2:]


def test_free_answers_are_cut_without_strata() -> None:
    some = [Case({"text": f"text {i}"}, f"answer {i}") for i in range(400)]
    plain = assign(some, KEY, THIRDS, stratified=False)
    assert plain.units == {"tune": 160, "validation": 120, "test": 120}
    # Past 256 answers the same is done unasked.
    assert where(assign(some, KEY, THIRDS)) == where(plain)


def test_nothing_is_cut_from_nothing() -> None:
    splits = assign([], KEY, THIRDS)
    assert splits.units == {"tune": 0, "validation": 0, "test": 0}
    assert len(splits.shortfalls(1)) == 3


@pytest.mark.parametrize("wanted", [(-1, 1, 1), (0, 0, 0), (0.5, 0.6, 0.4), (48, 0.3, 0.3), (float("nan"), 1, 1)])
def test_sizes_that_make_no_sense_are_refused(wanted: tuple[float, float, float]) -> None:
    with pytest.raises(DataError, check=coded("split-sizes")):
        SplitSizes(*wanted)


def test_whole_numbers_are_counts_and_floats_up_to_one_are_fractions() -> None:
    assert SplitSizes(1, 0, 0).of(10) == (1, 0, 0)
    assert SplitSizes(1.0, 0.0, 0.0).of(10) == (10, 0, 0)
    assert SplitSizes(2.0, 1.0, 1.0).of(10) == (2, 1, 1)


def test_a_key_of_another_length_and_an_unknown_split_are_refused() -> None:
    with pytest.raises(DataError, match="16", check=coded("key-length")):
        assign(cases(3), KEY[:16], THIRDS)
    with pytest.raises(DataError, match="'train'", check=coded("unknown-split")):
        assign(cases(3), KEY, THIRDS, {"0" * 64: "train"})


def test_a_stored_assignment_comes_back_private_and_without_text(tmp_path: Path) -> None:
    path = tmp_path / "splits.json"
    assignment = assign(cases(20), KEY, THIRDS).assignment
    save_assignment(path, assignment)
    save_assignment(path, assignment)
    assert load_assignment(path) == assignment
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert "text" not in path.read_text()
    assert list(tmp_path.iterdir()) == [path]


def test_no_stored_assignment_is_none(tmp_path: Path) -> None:
    assert load_assignment(tmp_path / "splits.json") is None


@pytest.mark.parametrize(
    "content", ["{", "[]", "[" * 100_000, '{"format": "x", "assignment": {}}', "\udcff", '{"assignment": {}}']
)
def test_a_damaged_assignment_is_refused(tmp_path: Path, content: str) -> None:
    path = tmp_path / "splits.json"
    path.write_bytes(content.encode(errors="surrogateescape"))
    with pytest.raises(DataError, match=r"splits\.json", check=coded("damaged")):
        load_assignment(path)


def test_something_else_than_hmacs_is_not_stored(tmp_path: Path) -> None:
    with pytest.raises(DataError, check=coded("damaged")):
        save_assignment(tmp_path / "splits.json", {"a case's text": "tune"})
    with pytest.raises(DataError, check=coded("cannot-write")):
        save_assignment(tmp_path / "no folder" / "splits.json", {"0" * 64: "tune"})
    assert list(tmp_path.iterdir()) == []
