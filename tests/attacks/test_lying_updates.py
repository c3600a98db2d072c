"""Sites that lie with their updates: what they send passes the hub, and a robust strategy holds where a mean breaks."""

import numpy as np
import pytest

from benchmarks.attackers.updates import ACTORS, ADAPTIVE, Seen, sent
from benchmarks.robust.besides import chosen_round
from benchmarks.robust.federating import Defence, Judge, World, federate
from benchmarks.robust.probes import probe_of
from fedprompt.prompts.soft import SoftPrompt
from fedprompt.tuning.settings import TuningSettings

CENTRES = np.random.default_rng(5).normal(size=(3, 8))


def cases(rng: np.random.Generator, count: int) -> tuple[np.ndarray, np.ndarray]:
    labels = rng.integers(3, size=count)
    features = CENTRES[labels] + rng.normal(size=(count, 8))
    return np.concatenate([features, np.ones((count, 1))], axis=1).astype(np.float32), labels


@pytest.fixture(scope="module")
def world() -> World:
    rng = np.random.default_rng(0)
    test = cases(rng, 300)
    sites, answers = [], []
    for _ in range(9):
        features, labels = cases(rng, 60)
        honest, wrong = probe_of(features, labels), probe_of(features, (labels + 1) % 3)
        sites.append({"none": honest, "flipped": wrong, "triggered": wrong})
        answers.append(labels)
    judge = Judge(probe_of(*test), probe_of(*test), test[1], 0)
    start = SoftPrompt(np.zeros((3, 9), np.float32), "probe")
    return World(sites, answers, 3, start, judge, TuningSettings(steps=20, batch=16, lr=0.05), 3)


@pytest.mark.parametrize("actor", [*ACTORS, *ADAPTIVE], ids=lambda one: one.name)
def test_what_liars_send_is_finite_and_no_longer_than_the_hub_lets_through(actor) -> None:
    rng = np.random.default_rng(1)
    honest = [rng.normal(size=(3, 9)).astype(np.float32) for _ in range(6)]
    found = sent(actor, Seen(honest, honest[:2], honest[0], 5.0), rng)
    assert len(found) == 2 and all(one.shape == (3, 9) and np.isfinite(one).all() for one in found)
    assert max(float(np.linalg.norm(one)) for one in found) <= 5.0 + 1e-5


def test_three_of_nine_who_send_a_long_opposite_update_break_the_mean_and_not_the_mixing(world: World) -> None:
    actor = next(one for one in ACTORS if one.name == "inner product, long")
    honest = federate(world, Defence("fedavg", "fedavg", {}), None, 0, alone=True).accuracy
    broken = federate(world, Defence("fedavg", "fedavg", {}), actor, 0).accuracy
    held = federate(world, Defence("nearest-mixing", "nearest-mixing", {"liars": 3}), actor, 0).accuracy
    assert honest > 0.7 and broken < honest - 0.2 and held > honest - 0.05


def test_false_scores_choose_the_worst_round_of_a_mean_and_honest_ones_the_best(world: World) -> None:
    reached = federate(world, Defence("fedavg", "fedavg", {}), None, 0)
    rounds = [world.judge.accuracy(vectors) for vectors in reached.path]
    assert len(set(rounds)) > 1
    assert chosen_round(world, reached, lying=False, bounded=False) == max(rounds)
    assert chosen_round(world, reached, lying=True, bounded=False) == min(rounds)
