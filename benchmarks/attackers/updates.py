"""Sites that lie with their updates: what they send, from what they know of a round. All are seeded.

The strongest case is assumed: the liars work together, hold the model and the study, and see what each honest site
sends in the same round. Whatever they send is cut to the longest update that the hub lets through. No default was
chosen by the ``ADAPTIVE`` ones.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from fedprompt.strategies.clipping import clip

__all__ = ["ACTORS", "ADAPTIVE", "Actor", "Seen", "sent"]

Delta = NDArray[np.float32]
Poison = Literal["none", "flipped", "triggered"]


@dataclass(frozen=True, eq=False)
class Seen:
    """What liars know of a round.

    ``honest``: the updates of the honest sites; ``own``: what each liar's own steps gave, on its cases as they are or
    poisoned; ``last``: the step of the round before; ``bound``: the longest update that passes.
    """

    honest: Sequence[Delta]
    own: Sequence[Delta]
    last: Delta
    bound: float


@dataclass(frozen=True)
class Actor:
    """``poison``: what the liars do to their cases before their own steps; ``send``: one update a liar."""

    name: str
    paper: str
    send: Callable[[Seen, np.random.Generator], Sequence[NDArray[np.floating]]]
    poison: Poison = "none"
    backdoor: bool = False


def sent(actor: Actor, seen: Seen, rng: np.random.Generator) -> list[Delta]:
    """Return what the liars send, as the hub lets it through."""
    return [clip(np.asarray(one, dtype=np.float32), seen.bound) for one in actor.send(seen, rng)]


def _each(change: Callable[[Delta, Seen, np.random.Generator], NDArray[np.floating]]) -> Callable[..., list[Delta]]:
    return lambda seen, rng: [np.asarray(change(one, seen, rng), dtype=np.float32) for one in seen.own]


def _all(change: Callable[[NDArray[np.float64], Seen], NDArray[np.floating]]) -> Callable[..., list[Delta]]:
    """All liars send one update, made of the honest ones ([honest, ...] float64)."""

    def send(seen: Seen, rng: np.random.Generator) -> list[Delta]:
        one = np.asarray(change(np.stack(seen.honest).astype(np.float64), seen), dtype=np.float32)
        return [one] * len(seen.own)

    return send


def _noise(one: Delta, seen: Seen, rng: np.random.Generator) -> NDArray[np.float64]:
    drawn = rng.standard_normal(one.shape)
    return drawn * (seen.bound / np.linalg.norm(drawn))


def _little_is_enough(honest: NDArray[np.float64], seen: Seen) -> NDArray[np.float64]:
    """Baruch et al. 2019, algorithm 3: as far from the mean as enough honest sites are, in each coordinate."""
    from scipy.stats import norm

    sites, liars = len(honest) + len(seen.own), len(seen.own)
    wanted = sites // 2 + 1 - liars  # honest sites that lie further away, so that the liars look central
    z = float(norm.ppf((len(honest) - wanted) / len(honest)))
    found: NDArray[np.float64] = honest.mean(axis=0) - z * honest.std(axis=0)
    return found


def _longest_within(
    honest: NDArray[np.float64], away: NDArray[np.float64], fits: Callable[[NDArray[np.float64]], bool]
) -> NDArray[np.float64]:
    """Return the mean moved as far along ``away`` as ``fits`` allows, by halving."""
    mean, low, high = honest.mean(axis=0), 0.0, 64.0
    for _ in range(24):
        middle = (low + high) / 2
        low, high = (middle, high) if fits(mean + middle * away) else (low, middle)
    found: NDArray[np.float64] = mean + low * away
    return found


def _min_max(honest: NDArray[np.float64], seen: Seen) -> NDArray[np.float64]:
    """Shejwalkar and Houmansadr 2021, section IV: no further from any honest update than these are from each other."""
    rows = honest.reshape(len(honest), -1)
    most = max(float(np.linalg.norm(rows - one, axis=1).max()) for one in rows)
    mean = honest.mean(axis=0)
    away = -mean / max(float(np.linalg.norm(mean)), 1e-12)
    return _longest_within(
        honest, away, lambda one: float(np.linalg.norm(rows - one.reshape(-1), axis=1).max()) <= most
    )


def _hidden_backdoor(seen: Seen, rng: np.random.Generator) -> list[Delta]:
    """Bagdasaryan et al. 2020, section 3.4 (constrain and scale): no longer than an honest update, and like them."""
    mean = np.mean([one.astype(np.float64) for one in seen.honest], axis=0)
    length = float(np.median([np.linalg.norm(one) for one in seen.honest]))
    found = []
    for one in seen.own:
        both = one.astype(np.float64) / max(float(np.linalg.norm(one)), 1e-12)
        both = both + mean / max(float(np.linalg.norm(mean)), 1e-12)
        found.append((both * (length / max(float(np.linalg.norm(both)), 1e-12))).astype(np.float32))
    return found


ACTORS: tuple[Actor, ...] = (
    Actor("label flip", "Tolpegin et al. 2020", _each(lambda one, seen, rng: one), "flipped"),
    Actor("sign flip", "Li et al. 2019", _each(lambda one, seen, rng: -one)),
    Actor("scaled", "Blanchard et al. 2017", _each(lambda one, seen, rng: -10.0 * one)),
    Actor("Gaussian", "Blanchard et al. 2017", _each(_noise)),
    Actor("a little is enough", "Baruch et al. 2019", _all(_little_is_enough)),
    Actor("inner product", "Xie et al. 2020", _all(lambda honest, seen: -1.0 * honest.mean(axis=0))),
    Actor("inner product, long", "Xie et al. 2020", _all(lambda honest, seen: -10.0 * honest.mean(axis=0))),
    Actor(
        "backdoor, model replacement",
        "Bagdasaryan et al. 2020",
        _each(lambda one, seen, rng: 4.0 * one),
        "triggered",
        backdoor=True,
    ),
    Actor("backdoor", "Gu et al. 2017", _each(lambda one, seen, rng: one), "triggered", backdoor=True),
    Actor("Sybils", "Fung et al. 2018", lambda seen, rng: [seen.own[0]] * len(seen.own), "flipped"),
    Actor("free rider", "Lin et al. 2019", _each(lambda one, seen, rng: seen.last)),
)
ADAPTIVE: tuple[Actor, ...] = (
    Actor("min-max", "Shejwalkar and Houmansadr 2021", _all(_min_max)),
    Actor("mimic", "Karimireddy et al. 2022", lambda seen, rng: [seen.honest[0]] * len(seen.own)),
    Actor("hidden backdoor", "Bagdasaryan et al. 2020", _hidden_backdoor, "triggered", backdoor=True),
)
