"""New cases enter in blocks, and no two sets that are answered over differ by only a few cases."""

from collections.abc import Sequence

from hypothesis import given
from hypothesis import strategies as st

from fedprompt.evaluation.cases import Case
from fedprompt.evaluation.splits.assignments import SPLITS
from fedprompt.evaluation.splits.cutting import Splits, SplitSizes, assign
from fedprompt.evaluation.splits.entering import CaseSet, Entered, Members, case_set, enter

KEY = b"k" * 32
SIZES = SplitSizes(0.5, 0.25, 0.25)
LEAST = 4


def cases(numbers: Sequence[int], group: int | None = None, answer: str = "") -> list[Case]:
    """Return a case for each number; ``group`` of them in a row share a group."""
    return [
        Case({"text": f"text {n}"}, answer or "ab"[n % 2], None if group is None else str(n // group), line=n)
        for n in numbers
    ]


class Site:
    """What one study of a site remembers."""

    def __init__(self, others: Sequence[Members] = ()) -> None:
        self.assignment: dict[str, str] = {}
        self.sets: list[CaseSet] = []
        self.others = others

    def look(self, found: Sequence[Case]) -> Entered:
        splits: Splits = assign(found, KEY, SIZES, self.assignment, stratified=False)
        self.assignment = dict(splits.assignment)
        entered = enter(splits, case_set(splits, KEY), KEY, LEAST, self.sets, self.others)
        if entered.splits is not None:
            self.sets.append(entered.cases)
        return entered


def texts(found: Entered) -> set[str]:
    assert found.splits is not None
    return {case.fields["text"] for split in SPLITS for case in found.splits.cases(split)}


def test_one_new_case_waits_and_the_answers_stay_over_the_same_cases() -> None:
    site = Site()
    first = site.look(cases(range(40)))
    second = site.look(cases(range(41)))
    assert texts(first) == texts(second) == {f"text {n}" for n in range(40)}
    assert sum(second.waiting.values()) == 1 and second.splits is not None
    assert second.splits.units == {"tune": 20, "validation": 10, "test": 10}


def test_a_split_takes_its_new_cases_once_there_are_enough_of_them_for_it() -> None:
    site = Site()
    site.look(cases(range(40)))
    # 12 more are 6, 3 and 3: the tune split takes its own, the others wait for a fourth each.
    found = site.look(cases(range(52)))
    assert found.splits is not None and found.splits.units == {"tune": 26, "validation": 10, "test": 10}
    assert found.waiting == {"tune": 0, "validation": 3, "test": 3}
    found = site.look(cases(range(56)))
    assert found.splits is not None and found.splits.units == {"tune": 26, "validation": 14, "test": 14}
    assert found.waiting == {"tune": 2, "validation": 0, "test": 0}


def test_many_new_cases_of_one_group_are_one_and_wait() -> None:
    site = Site()
    site.look(cases(range(40), group=2))
    same = [Case({"text": f"more {n}"}, "a", "0", line=n) for n in range(30)]
    found = site.look([*cases(range(40), group=2), *same])
    assert sum(found.waiting.values()) == 1
    assert not any(text.startswith("more") for text in texts(found))


def test_one_more_of_equal_cases_is_a_new_case() -> None:
    site = Site()
    first = site.look([*cases(range(40)), *cases([0])])
    found = site.look([*cases(range(40)), *cases([0, 0])])
    assert sum(found.waiting.values()) == 1
    assert found.splits is not None and first.splits is not None and found.splits.tune == first.splits.tune


def test_where_a_case_went_nothing_may_be_answered_until_enough_changed() -> None:
    site = Site()
    site.look(cases(range(40)))
    found = site.look(cases(range(1, 40)))
    assert found.splits is None and sum(found.gone.values()) == 1
    assert texts(site.look(cases(range(40)))) == {f"text {n}" for n in range(40)}
    # Twenty of forty are gone, so each split lost four or more and its answers are over what is left.
    left = site.look(cases(range(20, 40)))
    assert all(count >= LEAST for count in left.gone.values())
    assert texts(left) == {f"text {n}" for n in range(20, 40)}


def test_a_case_that_went_is_not_used_while_a_block_takes_its_place() -> None:
    site = Site()
    site.look(cases(range(40)))
    found = site.look(cases(range(1, 80)))
    assert "text 0" not in texts(found)


def test_a_corrected_label_is_a_case_that_went_and_one_that_came() -> None:
    site = Site()
    site.look(cases(range(40)))
    found = site.look([*cases(range(1, 40)), *cases([0], answer="b")])
    assert found.splits is None and sum(found.gone.values()) == 1


def test_a_file_that_comes_back_with_one_case_more_is_held_against_every_earlier_answer() -> None:
    site = Site()
    site.look(cases(range(60)))
    assert site.look(cases(range(20))).splits is not None
    # 41 cases came since the last answer, and one since the first.
    found = site.look(cases(range(61)))
    assert texts(found) == {f"text {n}" for n in range(60)}


def test_another_study_does_not_answer_over_one_case_more() -> None:
    first = Site()
    first.look(cases(range(40)))
    over = {name: unit for members in first.sets[-1].values() for name, unit in members.items()}
    other = Site([over])
    assert texts(other.look(cases(range(41)))) == {f"text {n}" for n in range(40)}
    assert Site([over]).look(cases(range(1, 40))).splits is None
    assert texts(Site([over]).look(cases(range(44)))) == {f"text {n}" for n in range(44)}


def renamed(found: Sequence[Case]) -> list[Case]:
    """Return the same rows as a study reads them whose field and answers have other names."""
    return [Case({"note": case.fields["text"]}, "cd"[case.answer == "b"], case.group, line=case.line) for case in found]


def test_a_revision_that_reads_the_same_rows_otherwise_does_not_answer_over_one_more() -> None:
    site = Site()
    site.look(cases(range(40)))
    found = site.look(renamed(cases(range(41))))
    assert found.splits is not None and found.splits.units == {"tune": 20, "validation": 10, "test": 10}
    assert sum(found.waiting.values()) == 1
    assert site.look(renamed(cases(range(1, 40)))).splits is None
    over = {name: unit for members in site.sets[0].values() for name, unit in members.items()}
    other = Site([over]).look(renamed(cases(range(41))))
    assert other.splits is not None and sum(other.splits.units.values()) == 40


def apart(now: Members, old: Members) -> bool:
    came = {now[name] for name in now.keys() - old.keys()}
    went = {old[name] for name in old.keys() - now.keys()}
    return not (came or went) or len(came) >= LEAST or len(went) >= LEAST


@given(st.lists(st.frozensets(st.integers(0, 70), min_size=20), min_size=2, max_size=5), st.sampled_from([None, 2, 3]))
def test_whatever_a_file_becomes_no_two_answers_differ_by_only_a_few_units(
    files: list[frozenset[int]], group: int | None
) -> None:
    site = Site()
    for numbers in files:
        found = site.look(cases(sorted(numbers), group))
        if found.splits is not None:
            assert texts(found) <= {f"text {n}" for n in numbers}
    for split in SPLITS:
        for place, now in enumerate(site.sets):
            assert all(apart(now[split], old[split]) for old in site.sets[:place])


@given(st.lists(st.integers(0, 15), min_size=1, max_size=6))
def test_a_file_that_only_grows_is_always_answered(steps: list[int]) -> None:
    site, count = Site(), 24
    site.look(cases(range(count)))
    for step in steps:
        count += step
        found = site.look(cases(range(count)))
        assert found.splits is not None
        assert all(waiting < LEAST for waiting in found.waiting.values())
