"""The nearest by FAISS are the nearest by definition, exactly or nearly so."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fedprompt.bank import vectors
from fedprompt.bank.vectors import VectorIndex, cluster, normalised


def _rows(count: int, seed: int = 0, width: int = 16) -> np.ndarray:
    return normalised(np.random.default_rng(seed).standard_normal((count, width), dtype=np.float32))


@settings(max_examples=40)
@given(
    count=st.integers(0, 40), asked=st.integers(1, 12), seed=st.integers(0, 9), share=st.sampled_from([None, 0, 0.3, 1])
)
def test_a_small_index_is_exact_within_what_is_allowed(count: int, asked: int, seed: int, share: float | None) -> None:
    rows, query = _rows(count, seed), _rows(1, 99)[0]
    index = VectorIndex(rows[: count // 2])
    index.add(rows[count // 2 :])
    allowed = None if share is None else np.random.default_rng(seed).random(count) < share
    found = index.search(query, asked, allowed)
    there = np.arange(count) if allowed is None else np.flatnonzero(allowed)
    expected = there[np.argsort(-(rows[there] @ query), kind="stable")][:asked]
    assert found.rows.tolist() == expected.tolist()
    assert found.similarities == pytest.approx(rows[expected] @ query, abs=1e-6)


def test_a_large_index_misses_next_to_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(vectors, "EXACT_ROWS", 500)
    rows = _rows(4_000, 1, 64)
    index = VectorIndex(rows[:400])
    index.add(rows[400:450])
    index.add(rows[450:])  # grows past the bound here
    queries = _rows(50, 2, 64)
    exact = [set(np.argsort(-(rows @ query))[:10].tolist()) for query in queries]
    found = [set(index.search(query, 10).rows.tolist()) for query in queries]
    assert sum(len(a & b) for a, b in zip(exact, found, strict=True)) / 500 >= 0.99
    half = np.arange(4_000) % 2 == 0
    assert all(row % 2 == 0 for row in index.search(queries[0], 10, half).rows)


def test_what_was_added_first_comes_first_among_equals() -> None:
    rows = np.repeat(_rows(1), 5, axis=0)
    assert VectorIndex(rows).search(rows[0], 3).rows.tolist() == [0, 1, 2]


def test_rows_that_lie_together_are_a_family_and_the_seed_decides() -> None:
    centres = normalised(np.eye(3, 16, dtype=np.float32))
    noise = np.random.default_rng(0).standard_normal((60, 16)).astype(np.float32) * 0.01
    rows = normalised(np.repeat(centres, 20, axis=0) + noise)
    family = cluster(rows, 3, np.random.default_rng(1))
    assert [len(set(family[start : start + 20].tolist())) for start in (0, 20, 40)] == [1, 1, 1]
    assert len(set(family.tolist())) == 3
    assert cluster(rows, 3, np.random.default_rng(1)).tolist() == family.tolist()


def test_more_families_than_distinct_rows_are_not_made() -> None:
    rows = np.repeat(_rows(2), 3, axis=0)
    assert len(set(cluster(rows, 5, np.random.default_rng(0)).tolist())) <= 2
