"""Pooled cases are the parts' cases one after the other: means weighted by how many cases of each are asked for."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from fedprompt.models.protocols import LossGradient
from fedprompt.tuning.pooled import PooledObjective
from tests.scripted_sites import MODEL, worker

VECTORS = np.zeros((1, 2), np.float32)


class Part:
    """Case ``n`` has loss ``values[n]`` and the gradient (loss, -loss)."""

    def __init__(self, *values: float) -> None:
        self._values = np.array(values)

    def __len__(self) -> int:
        return len(self._values)

    def loss_and_gradient(self, vectors: NDArray[np.float32], rows: Sequence[int]) -> LossGradient:
        mean = float(self._values[list(rows)].mean())
        return LossGradient(mean, np.array([[mean, -mean]], np.float32))

    def loglikelihoods(self, vectors: NDArray[np.float32]) -> NDArray[np.float64]:
        return np.stack([self._values, -self._values], axis=1)


def test_the_loss_is_the_mean_over_all_rows() -> None:
    pooled = PooledObjective([Part(1.0, 2.0), Part(4.0), Part(8.0, 16.0, 32.0)])
    assert len(pooled) == 6
    # Rows 1, 2, 5 are the losses 2, 4 and 32, whose mean is 38 / 3; rows 0 and 0 are one case twice.
    for rows, mean in [([1, 2, 5], 38 / 3), ([5, 1, 2], 38 / 3), ([0, 0], 1.0), ([3, 4], 12.0), (range(6), 10.5)]:
        found = pooled.loss_and_gradient(VECTORS, rows)
        assert found.loss == pytest.approx(mean)
        assert found.gradient[0].tolist() == pytest.approx([mean, -mean])
        assert found.gradient.dtype == np.float32


def test_log_likelihoods_come_part_by_part() -> None:
    pooled = PooledObjective([Part(1.0, 2.0), Part(4.0)])
    assert pooled.loglikelihoods(VECTORS).tolist() == [[1.0, -1.0], [2.0, -2.0], [4.0, -4.0]]


def test_two_sites_pooled_are_one_site_of_both(tmp_path: Path) -> None:
    parts = [worker(tmp_path, name).side.objective("tune") for name in ("bank", "clinic")]
    pooled = PooledObjective(parts)
    vectors = MODEL.text_init("Overall", 3).vectors
    one, two = (part.loss_and_gradient(vectors, range(30)) for part in parts)
    both = pooled.loss_and_gradient(vectors, range(60))
    assert both.loss == pytest.approx((one.loss + two.loss) / 2)
    assert np.allclose(both.gradient, (one.gradient + two.gradient) / 2, atol=1e-7)


@pytest.mark.parametrize("rows", [[6], [-1], [0, 6]])
def test_a_row_that_is_not_there_is_refused(rows: list[int]) -> None:
    with pytest.raises(IndexError, match="6 cases"):
        PooledObjective([Part(1.0, 2.0), Part(1.0, 2.0, 3.0, 4.0)]).loss_and_gradient(VECTORS, rows)


def test_no_parts_are_no_cases() -> None:
    assert len(PooledObjective([])) == 0
