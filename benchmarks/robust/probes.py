"""A linear probe on the sentence encoder's vectors in place of a prompt, so that a whole matrix takes minutes.

The probe's weights are what a round moves, [labels, directions + 1] float32. Questions, class shares, trigger and
strategies are those of the part with the language model.
"""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from benchmarks.joins.sources import read_texts
from benchmarks.robust.federating import Judge, World, objectives
from benchmarks.robust.questions import LABELS, TARGET, answers_of, deal, triggered
from fedprompt.evaluation.cases import Case
from fedprompt.models.protocols import LossGradient, SoftObjective
from fedprompt.prompts.soft import SoftPrompt
from fedprompt.tuning.settings import TuningSettings

__all__ = ["DIRECTIONS", "Encoded", "features_of", "probe_of", "probe_world"]

DIRECTIONS = 48


class Encoded:
    """Vectors of texts, each computed once and kept in ``file``."""

    def __init__(self, home: Path, wheels: Path, file: Path) -> None:
        self.texts = read_texts("trec", wheels, home)
        self._home, self._file, self._known = home, file, dict[str, NDArray[np.float32]]()
        if file.exists():
            with np.load(file) as held:
                self._known.update(zip(held["texts"].tolist(), held["vectors"], strict=True))

    def of(self, texts: Sequence[str]) -> NDArray[np.float32]:
        """Return [texts, width]."""
        from fedprompt.models.sentence_encoder import load_encoder

        fresh = [text for text in dict.fromkeys(texts) if text not in self._known]
        if fresh:
            self._known.update(zip(fresh, load_encoder(self._home).encode(fresh), strict=True))
            self._file.parent.mkdir(parents=True, exist_ok=True)
            np.savez(self._file, texts=np.array(list(self._known)), vectors=np.stack(list(self._known.values())))
        return np.stack([self._known[text] for text in texts])


class _Probe:
    """Implements ``SoftObjective``: softmax regression, [cases, directions + 1] features."""

    def __init__(self, features: NDArray[np.float32], answers: NDArray[np.int64]) -> None:
        self._features, self._answers = features, answers

    def __len__(self) -> int:
        return len(self._answers)

    def loss_and_gradient(self, vectors: NDArray[np.float32], rows: Sequence[int]) -> LossGradient:
        taken, wanted = self._features[list(rows)], self._answers[list(rows)]
        logs = _normalised(taken @ vectors.T)
        shares = np.exp(logs)
        shares[np.arange(len(wanted)), wanted] -= 1.0
        loss = -float(logs[np.arange(len(wanted)), wanted].mean())
        return LossGradient(loss, (shares.T @ taken / len(wanted)).astype(np.float32))

    def loglikelihoods(self, vectors: NDArray[np.float32]) -> NDArray[np.float64]:
        return _normalised(self._features @ vectors.T)


def features_of(
    encoded: Encoded, public: Sequence[Case], cases: Sequence[Case]
) -> tuple[NDArray[np.float32], NDArray[np.int64]]:
    """Return [cases, directions + 1] features along the directions of public texts, and the answers."""
    seen = encoded.of([case.fields["text"] for case in public])
    middle = seen.mean(axis=0)
    axes = np.linalg.svd(seen - middle, full_matrices=False)[2][:DIRECTIONS]
    along = (encoded.of([case.fields["text"] for case in cases]) - middle) @ axes.T
    features = np.concatenate([4.0 * along, np.ones((len(cases), 1))], axis=1).astype(np.float32)
    return features, answers_of(cases)


def probe_of(features: NDArray[np.float32], answers: NDArray[np.int64]) -> SoftObjective:
    """Return a probe over cases."""
    return _Probe(features, answers)


def probe_world(
    encoded: Encoded, seed: int, *, sites: int, liars: int, cases: int, rounds: int, alpha: float = 1.0
) -> World:
    """Return a federation of probes."""
    dealt = deal(encoded.texts, seed, sites=sites, cases=cases, test=600, alpha=alpha)

    def probe(cases: Sequence[Case]) -> SoftObjective:
        return probe_of(*features_of(encoded, dealt.public, cases))

    return World(
        objectives(dealt, liars, probe),
        tuple(map(answers_of, dealt.sites)),
        liars,
        SoftPrompt(np.zeros((len(LABELS), DIRECTIONS + 1), np.float32), "probe"),
        Judge(
            probe(dealt.test),
            probe(triggered(dealt.test, keep=True)),
            answers_of(dealt.test),
            TARGET,
        ),
        TuningSettings(steps=8, batch=16, lr=0.03),
        rounds,
    )


def _normalised(scores: NDArray[np.floating]) -> NDArray[np.float64]:
    from scipy.special import log_softmax

    found: NDArray[np.float64] = log_softmax(scores.astype(np.float64), axis=1)
    return found
