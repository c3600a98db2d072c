"""Steps draw cases in epochs, so that how many distinct ones a round draws is known beforehand."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from fedprompt.tuning.draws import drawn, next_rows


@given(st.integers(1, 60), st.integers(1, 40), st.integers(0, 12), st.integers(0, 2**32 - 1))
def test_so_many_steps_draw_as_many_distinct_cases_as_they_can(cases: int, batch: int, steps: int, seed: int) -> None:
    found = drawn(cases, batch, steps, np.random.default_rng(seed))
    assert len(found) == min(cases, steps * batch) and found <= set(range(cases))


@given(st.integers(1, 30), st.integers(1, 40), st.integers(0, 2**32 - 1))
def test_no_step_draws_a_case_twice_and_no_case_is_an_epoch_behind_another(cases: int, batch: int, seed: int) -> None:
    rng, queue, counts = np.random.default_rng(seed), list[int](), np.zeros(cases, int)
    for _ in range(9):
        rows, queue = next_rows(queue, cases, batch, rng)
        assert len(rows) == len(set(rows)) == min(batch, cases)
        counts[rows] += 1
        assert counts.max() - counts.min() <= 2
