"""Tables of log-probabilities with answers, drawn for the tests of what is fitted on them."""

from dataclasses import dataclass

import numpy as np
from hypothesis import strategies as st
from numpy.typing import NDArray

from fedprompt.adapting.log_probabilities import normalised

__all__ = ["Drawn", "drawn"]


@dataclass(frozen=True)
class Drawn:
    """``tables`` [members, cases, labels], ``answers`` [cases], ``towards`` [members], and two strengths."""

    tables: NDArray[np.float64]
    answers: NDArray[np.int64]
    towards: NDArray[np.float64]
    pull: float
    precision: float


@st.composite
def drawn(draw: st.DrawFn, members: int = 6) -> Drawn:
    """Draw few members and cases: none, one, all of one class, classes that never occur, answers that contradict."""
    rng = np.random.default_rng(draw(st.integers(0, 2**32)))
    count, cases, labels = draw(st.integers(1, members)), draw(st.integers(0, 20)), draw(st.integers(2, 6))
    most = draw(st.integers(1, labels))
    return Drawn(
        tables=normalised(rng.normal(0, draw(st.sampled_from([0.1, 2.0, 20.0])), (count, cases, labels))),
        answers=rng.integers(0, most, cases),
        towards=rng.dirichlet(np.ones(count)),
        pull=draw(st.sampled_from([0.1, 3.0, 12.0, 1000.0])),
        precision=draw(st.sampled_from([0.1, 2.0, 50.0])),
    )
