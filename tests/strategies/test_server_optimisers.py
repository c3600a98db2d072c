"""Momentum and adaptive steps at the server follow their papers' formulas, from one round to the next."""

import numpy as np
import pytest

from fedprompt.federation.state import pack_state, unpack_state
from fedprompt.strategies.registry import strategy_named
from fedprompt.strategies.strategy import State, Update
from fedprompt.study.strategies import filled_options

START = np.zeros((1, 2), np.float32)
ROUNDS = ((1.0, -2.0), (0.5, 0.0), (0.0, 4.0))


def walk(name: str, *, broken: bool = False, **options: float) -> list[list[float]]:
    """Return where three rounds lead; ``broken``: the state goes through its text between them."""
    chosen, state, place, seen = filled_options(name, options), {}, START, []
    for move in ROUNDS:
        updates = [Update("a", np.array([move], np.float32), 2), Update("b", np.array([move], np.float32), 5)]
        found = strategy_named(name).aggregate(place, updates, chosen, state)
        state, place = found.state, found.vectors
        state = unpack_state(pack_state(state)) if broken else state
        seen.append(place[0].tolist())
    return seen


def test_momentum_carries_a_step_on() -> None:
    # v = 1, 0.5 * 1 + 0.5 = 1, 0.5 * 1 + 0 = 0.5; and v = -2, -1, 0.5 * -1 + 4 = 3.5. Summed, at a rate of 1.
    assert walk("fedavgm", momentum=0.5) == [[1.0, -2.0], [2.0, -3.0], [2.5, 0.5]]


def test_without_momentum_it_is_fedavg() -> None:
    assert walk("fedavgm", momentum=0.0) == walk("fedavg") == walk("fedprox")


@pytest.mark.parametrize("name", ["fedadam", "fedyogi"])
def test_adaptive_steps_follow_the_paper(name: str) -> None:
    lr, b1, b2, tau = 0.1, 0.8, 0.95, 0.01
    m = np.zeros(2)
    v = np.full(2, tau**2)
    x = np.zeros(2)
    wanted = []
    for move in ROUNDS:
        d = np.array(move)
        m = b1 * m + (1 - b1) * d
        v = b2 * v + (1 - b2) * d**2 if name == "fedadam" else v - (1 - b2) * d**2 * np.sign(v - d**2)
        x = x + lr * m / (np.sqrt(v) + tau)
        wanted.append(x)
    found = walk(name, lr=lr, beta1=b1, beta2=b2, tau=tau)
    assert np.allclose(found, wanted, rtol=1e-6)


@pytest.mark.parametrize("name", ["fedavgm", "fedadam", "fedyogi"])
def test_a_state_that_was_stored_goes_on_with_the_same_bits(name: str) -> None:
    assert walk(name) == walk(name, broken=True)


def test_a_state_comes_back_from_its_text() -> None:
    state: State = {"a": np.array([[0.1, -1e300]]), "b": np.zeros((1, 2))}
    found = unpack_state(pack_state(state))
    assert {name: array.tobytes() for name, array in found.items()} == {k: v.tobytes() for k, v in state.items()}
    assert pack_state({}) == "" and unpack_state("") == {}


def test_a_bounded_mean_cuts_the_long_update_alone() -> None:
    updates = [
        Update("short", np.array([[0.3, 0.4]], np.float32), 1),  # norm 0.5
        Update("long", np.array([[30.0, -40.0]], np.float32), 10**6),  # norm 50, cut to 1: (0.6, -0.8)
    ]
    found = strategy_named("norm-bounded-mean").aggregate(START, updates, {"norm": 1.0}, {}).vectors
    assert found == pytest.approx(np.array([[0.45, -0.2]]), abs=1e-6)
