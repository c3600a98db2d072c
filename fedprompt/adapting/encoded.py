"""A home's own regression on sentence vectors: what few labelled cases give without any prompt.

Multinomial logistic regression with an L2 penalty (scikit-learn's, by L-BFGS), its strength fixed on the development
task (benchmarks/LOG.md, 2026-12-01). Invariant: a label that no case has gets a small probability, not none.
"""

import numpy as np
from numpy.typing import NDArray

from fedprompt.adapting.class_bias import checked_answers
from fedprompt.adapting.log_probabilities import normalised

__all__ = ["regression"]

STRENGTH = 30.0  # C of scikit-learn: over all n the best of 1, 3, 10, 30 and 100
UNSEEN = -20.0  # nats, of a label that no case has
MOST_STEPS = 2000


def regression(
    vectors: NDArray[np.float32], answers: NDArray[np.int64], asked: NDArray[np.float32], labels: int
) -> NDArray[np.float64]:
    """Return [asked, labels] log-probabilities.

    Args:
        vectors: [cases, width], at least one.
        answers: [cases], each a label's place.
        asked: [texts, width].
        labels: how many labels there are.

    Raises:
        ValueError: there is no case, an answer is no label, or widths differ.
    """
    from sklearn.linear_model import LogisticRegression

    true = checked_answers(answers, len(vectors), labels)
    if not len(true):
        raise ValueError("a regression needs at least one case")
    found = np.full((len(asked), labels), UNSEEN)
    if len(np.unique(true)) == 1:
        found[:, true[0]] = 0.0
        return normalised(found)
    if not len(asked):
        return found
    model = LogisticRegression(C=STRENGTH, max_iter=MOST_STEPS).fit(vectors, true)
    found[:, model.classes_] = model.predict_log_proba(asked)
    return normalised(found)
