"""What the demo says of its time is that of a usual step, not of the first, which lays the weights out."""

import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from fedprompt.models.protocols import LossGradient, PreparedObjective
from fedprompt.models.scripted import ScriptedModel
from fedprompt.workspace.demo.settings import DemoSettings
from fedprompt.workspace.demo.tasks import TASKS, filled
from fedprompt.workspace.demo.time import demo_time
from tests.new_bank import new_workspace
from tests.scripted_sites import STUDY, worker

pytestmark = pytest.mark.whole
FIRST = 1.0  # seconds that the first step takes longer


class _SlowAtFirst:
    def __init__(self, objective: PreparedObjective) -> None:
        self._objective, self._first = objective, True

    def loss_and_gradient(self, vectors: NDArray[np.float32], rows: Sequence[int]) -> LossGradient:
        if self._first:
            time.sleep(FIRST)
        self._first = False
        return self._objective.loss_and_gradient(vectors, rows)


class _Model(ScriptedModel):
    def objective(self, *given: Any, **more: Any) -> Any:
        return _SlowAtFirst(super().objective(*given, **more))


def test_the_first_step_is_no_measure_of_the_others(tmp_path: Path) -> None:
    with new_workspace(tmp_path / "home") as ws:
        settings = filled(DemoSettings(task="sentiment"))
        found = demo_time(_Model(), STUDY, ws.bank, worker(tmp_path), TASKS["sentiment"], settings)
    # Two rounds of two steps at four sites would be 16 times the first.
    assert set(found) == {"score", "federate", "alone", "centralised", "test"}
    assert found["alone"] < 16 * FIRST
