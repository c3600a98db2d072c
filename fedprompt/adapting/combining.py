"""One answer of many prompts: a weighted mean of their log-probabilities, and a number for each label.

A log-linear pool (Genest and Zidek 1986, Statistical Science 1:114-135, section 3): the probabilities' weighted
geometric mean, normalised. Mixing at the output, and not the vectors, is what pFedMoAP does with prompts of others
(Luo et al. 2024, arXiv 2410.10114). Invariant: a constant added to a row of a member changes nothing, for the pool is
normalised; nor does the order of members.
"""

import numpy as np
from numpy.typing import NDArray

from fedprompt.adapting.log_probabilities import normalised

__all__ = ["combined", "pooled"]


def combined(
    tables: NDArray[np.float64], weights: NDArray[np.float64], bias: NDArray[np.float64]
) -> NDArray[np.float64]:
    """Return [cases, labels]: the members' log-probabilities, weighted, plus the bias, normalised.

    Args:
        tables: [members, cases, labels].
        weights: [members], on the simplex.
        bias: [labels], what is added to each label's log-probability.

    Raises:
        ValueError: the shapes do not fit, or a value is not a number.
    """
    stack, offset = np.asarray(tables, dtype=np.float64), np.asarray(bias, dtype=np.float64)
    if offset.shape != stack.shape[-1:]:
        raise ValueError(f"a bias of shape {offset.shape} does not fit tables of shape {stack.shape}")
    return normalised(pooled(stack, np.asarray(weights, dtype=np.float64)) + offset)


def pooled(tables: NDArray[np.float64], weights: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return [cases, labels]: the weighted sum over members, not normalised; ``tables`` and ``weights`` as above.

    Raises:
        ValueError: the shapes do not fit.
    """
    if tables.ndim != 3 or weights.shape != tables.shape[:1]:
        raise ValueError(f"weights of shape {weights.shape} do not fit tables of shape {tables.shape}")
    found: NDArray[np.float64] = np.tensordot(weights, tables, axes=1)
    return found
