"""The strong attacker: it knows every other case's membership and the steps, and asks about one case at a time.

From tunings that were played over (``played``) it learns what each case adds to the vectors, and how much the order of
cases moves them. Then it takes what all other cases add off the vectors and asks whether what is left looks like the
case: the log of a ratio of two normal likelihoods. It is the adversary of differential privacy's definition, as far as
the vectors are sums of what cases add.
"""

import numpy as np
from numpy.typing import NDArray

__all__ = ["all_but_one"]

COMPONENTS = 256
RIDGE = 1e-3


def all_but_one(
    target: NDArray[np.float32],
    members: NDArray[np.bool_],
    plays: NDArray[np.float32],
    inside: NDArray[np.bool_],
) -> NDArray[np.float64]:
    """Return [cases], how much each looks like a member to somebody who knows all others.

    Args:
        target: [values], the update that is audited.
        members: [cases], who was tuned on.
        plays: [plays, values], updates played over.
        inside: [plays, cases], which cases each play held.

    Raises:
        ValueError: fewer plays than two.
    """
    if len(plays) < 2:
        raise ValueError("what cases add is learnt from at least two plays")
    middle = plays.mean(axis=0)
    _, sizes, axes = np.linalg.svd(plays - middle, full_matrices=False)
    kept = axes[: max(1, min(COMPONENTS, int((sizes > 1e-6 * sizes[0]).sum()) if sizes[0] > 0 else 1))]
    seen = ((plays - middle) @ kept.T).astype(np.float64)
    share = inside.mean(axis=0)
    held = inside.astype(np.float64) - share
    # What each case adds, [cases, components], by ridge regression of the plays on who took part.
    inner = held.T @ held
    adds = np.linalg.solve(inner + RIDGE * np.trace(inner) / len(inner) * np.eye(len(inner)), held.T @ seen)
    spread = np.maximum((seen - held @ adds).var(axis=0), 1e-18)
    whole = members.astype(np.float64) - share
    left = (target - middle) @ kept.T - whole @ adds
    # A member's own share is put back: what is left once all others are taken off.
    bare = left + np.where(members, 1.0, 0.0)[:, None] * adds
    found: NDArray[np.float64] = ((bare * adds - adds**2 / 2) / spread).sum(axis=1)
    return found
