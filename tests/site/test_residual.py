"""What rounding lost is carried to the same run's next round, and nowhere else."""

import numpy as np

from fedprompt.site.residual import pack_residual, residual_for
from fedprompt.verbs.tune import TuneTask

LEFT = np.array([[0.5, -0.25]], np.float32)


def task(round: int, seed: int = 3) -> TuneTask:
    return TuneTask(task="t1:" + "a" * 32, study="s1:" + "b" * 32, round=round, steps=1, seed=seed)


def test_a_residual_is_for_later_rounds_of_its_own_run() -> None:
    kept = pack_residual(task(2), LEFT)
    for later in (3, 9):
        found = residual_for(task(later), kept, LEFT.shape)
        assert found is not None and found.tobytes() == LEFT.tobytes()
    for other in (task(1), task(2), task(3, seed=4)):
        assert residual_for(other, kept, LEFT.shape) is None
    assert residual_for(task(3), kept, (2, 2)) is None
    assert residual_for(task(3), None, LEFT.shape) is None
