"""Who is a member, read from updates: the hub plays the site's steps over, with one half of its texts and another.

``aligned`` is the plain attack: a member's slope points against the update. ``played_over`` knows more: it simulates
the site's steps on many random halves of the candidates, each gradient taken from the hub's own copy of the model, and
learns from these how an update tells who took part (as shadow models do: Shokri et al. 2017, arXiv 1610.05820).
"""

from collections.abc import Sequence
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from benchmarks.attackers.rounds import Round
from fedprompt.auditing.played import Steps
from fedprompt.auditing.played import played as play
from fedprompt.study.schema import Tuning

__all__ = ["aligned", "played_over"]

SHADOWS = 600
COMPONENTS = 256


class Slopes(Protocol):
    """Candidates of which the attacker can compute the slope of each one's own loss."""

    def __len__(self) -> int:
        """How many there are."""
        ...

    def gradients(self, vectors: NDArray[np.float32]) -> NDArray[np.float32]:
        """Return [candidates, tokens x width]."""
        ...


def aligned(copy: Slopes, rounds: Sequence[Round]) -> NDArray[np.float64]:
    """Return [candidates]: the cosine between the update and what each candidate's own slope asks for."""
    found = np.zeros(len(copy))
    for one in rounds:
        slopes = copy.gradients(one.start).astype(np.float64)
        slopes -= slopes.mean(axis=0)
        delta = one.delta.reshape(-1).astype(np.float64)
        size = np.linalg.norm(slopes, axis=1) * np.linalg.norm(delta)
        found += -(slopes @ delta) / np.maximum(size, 1e-12)
    return found


def played_over(
    copy: Slopes,
    rounds: Sequence[Round],
    members: int,
    tuning: Tuning,
    *,
    seed: int = 0,
    shadows: int = SHADOWS,
) -> NDArray[np.float64]:
    """Return [candidates], how much each looks like a member.

    Args:
        members: how many cases the site tunes on.
        tuning: the study's; its rate is taken as constant.
        shadows: how many halves are played.
    """
    from sklearn.linear_model import RidgeCV

    rng = np.random.default_rng(seed)
    halves = np.array([rng.permutation(len(copy))[:members] for _ in range(shadows)])
    present = np.zeros((shadows, len(copy)))
    np.put_along_axis(present, halves, 1.0, axis=1)
    played, seen = [], []
    for one in rounds:
        # Rounds from the same start end near each other: one look at their middle does for all.
        away = np.mean([other.delta for other in rounds if np.array_equal(other.start, one.start)], axis=0)
        ends = [copy.gradients((one.start + part).astype(np.float32)) for part in (0.0, away)]
        updates = play(ends[0], ends[1], present > 0, Steps(one.steps, tuning.batch, tuning.lr), rng)
        middle = updates.mean(axis=0)
        # The directions in which updates differ; in all others they tell nothing.
        _, sizes, directions = np.linalg.svd(updates - middle, full_matrices=False)
        kept = directions[: min(COMPONENTS, int((sizes > 1e-6 * sizes[0]).sum()))]
        played.append((updates - middle) @ kept.T)
        seen.append((one.delta.reshape(-1) - middle) @ kept.T)
    shown = np.concatenate(played, axis=1)
    size = float(np.std(shown)) or 1.0
    fitted = RidgeCV(alphas=np.geomspace(1e-2, 1e5, 15)).fit(shown / size, present)
    # How often a candidate happened to be played tells nothing.
    found: NDArray[np.float64] = fitted.predict(np.concatenate(seen)[None, :] / size)[0] - present.mean(axis=0)
    return found
