"""Rounds end early where validation no longer gains, for all sites together, and a resumed run ends there too."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
from pydantic import ValidationError

from fedprompt.federation.hub import Hub
from fedprompt.federation.round_record import best_round
from fedprompt.federation.transports.local import LocalTransport
from fedprompt.study.score import Score
from fedprompt.verbs.forms import Parcel, Reply, Task
from fedprompt.verbs.score import ScoreReply
from tests.federation.test_rounds import ACCEPTED, NAMES, Memory, handler, run
from tests.scripted_sites import MODEL, study

pytestmark = pytest.mark.whole


class Told(Hub):
    """A hub whose sites' validation scores are made up, a round after the other; each site has the same."""

    def __init__(self, path: Path, means: Sequence[int]) -> None:
        handlers = {name: handler(path, name) for name in NAMES}
        super().__init__(LocalTransport(handlers), ACCEPTED.digest(MODEL.info.digest))
        self._means, self._rounds = list(means), dict.fromkeys(NAMES, 0)

    def ask(self, site: str, form: type[Task], *given: Any, **more: Any) -> Parcel[Reply]:
        parcel = super().ask(site, form, *given, **more)
        reply = parcel.message
        if not isinstance(reply, ScoreReply):
            return parcel
        right = self._means[self._rounds[site]]
        self._rounds[site] += 1
        return Parcel(reply.model_copy(update={"scores": (_score(reply.scores[0], right),)}), parcel.arrays)


def _score(score: Score, right: int) -> Score:
    return score.model_copy(update={"total": float(right), "confusion": (), "bins": ()})


@pytest.mark.parametrize(
    ("patience", "rounds", "kept"),
    [
        (None, 6, 6),  # 10, 12, 11, 12, 9, 15: without patience all are run and the last is best
        (1, 3, 2),  # 11 after 12
        (2, 4, 2),  # 11 and 12 after 12: a tie is no gain
        (3, 5, 2),
        (4, 6, 6),  # long enough to see the 15
    ],
)
def test_rounds_end_after_so_many_without_a_better_mean(
    tmp_path: Path, patience: int | None, rounds: int, kept: int
) -> None:
    records = run(Told(tmp_path, [10, 12, 11, 12, 9, 15]), Memory(), 6, patience=patience)
    assert len(records) == rounds and best_round(records).number == kept


def test_a_run_that_goes_on_ends_after_the_same_round(tmp_path: Path) -> None:
    whole = run(Told(tmp_path / "a", [10, 12, 11, 9, 15]), Memory(), 5, patience=2)
    kept = Memory(whole[:3])
    assert len(run(Told(tmp_path / "b", [9, 15]), kept, 5, patience=2)) == len(whole) == 4
    assert run(Told(tmp_path / "c", []), Memory(whole), 5, patience=2) == whole  # no site is asked again


def test_patience_needs_rounds_that_are_looked_at_one_by_one() -> None:
    with pytest.raises(ValidationError, match="looks once, at the end"):
        study(rounds={"patience": 2, "strategy": {"name": "fedbuff"}})
    assert study(rounds={"patience": 2}).rounds.patience == 2
