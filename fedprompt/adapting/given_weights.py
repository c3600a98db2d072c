"""What shared prompts weigh before a site looks at its own cases, where no site has told what it learnt.

The prompt that all tuned together weighs half of what soft prompts weigh, and the others the other half together: that
was the best on the development task (benchmarks/LOG.md, 2026-12-01), there without templates. The best few templates
weigh a tenth together: a template is a safe answer and a weak one. Invariant: weights lie on the simplex, templates
first, in the order in which they were given.
"""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

__all__ = ["BEST", "HEAD", "given_weights"]

TEMPLATES, BEST, TOGETHER = 0.1, 3, 0.5
HEAD = 0.25  # of the whole; picked on 192 labelled cases at newcomers (benchmarks/LOG.md, 2026-12-01)


def given_weights(means: Sequence[float], soft: int) -> NDArray[np.float64]:
    """Return [templates and soft prompts] weights.

    Args:
        means: each template's mean over the sites that share; the best few weigh something, the others nothing.
        soft: how many soft prompts are shared, the first of them tuned by all together; without one the templates
            have all the weight.

    Raises:
        ValueError: nothing is shared.
    """
    if not means and soft < 1:
        raise ValueError("nothing is shared that could weigh something")
    best = sorted(range(len(means)), key=lambda place: (-means[place], place))[:BEST]
    plain = 0.0 if not best else TEMPLATES if soft else 1.0
    found = np.zeros(len(means) + soft)
    found[best] = plain / max(1, len(best))
    if soft:
        together = TOGETHER if soft > 1 else 1.0
        found[len(means)] = (1 - plain) * together
        found[len(means) + 1 :] = (1 - plain) * (1 - together) / max(1, soft - 1)
    return found
