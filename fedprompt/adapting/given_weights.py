"""What shared prompts weigh before a site looks at its own cases, where no site has told what it learnt.

Soft prompts weigh alike, and the best few templates a tenth together: a template is a safe answer and a weak one.
Invariant: weights lie on the simplex, templates first, in the order in which they were given.
"""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

__all__ = ["BEST", "given_weights"]

TEMPLATES, BEST = 0.1, 3


def given_weights(means: Sequence[float], soft: int) -> NDArray[np.float64]:
    """Return [templates and soft prompts] weights.

    Args:
        means: each template's mean over the sites that share; the best few weigh something, the others nothing.
        soft: how many soft prompts are shared; without one the templates have all the weight.

    Raises:
        ValueError: nothing is shared.
    """
    if not means and soft < 1:
        raise ValueError("nothing is shared that could weigh something")
    best = sorted(range(len(means)), key=lambda place: (-means[place], place))[:BEST]
    together = 0.0 if not best else TEMPLATES if soft else 1.0
    found = np.zeros(len(means) + soft)
    found[best] = together / max(1, len(best))
    found[len(means) :] = (1 - together) / max(1, soft)
    return found
