"""Nearest neighbours by inner product, and k-means, through FAISS (Douze et al. 2024, arXiv 2401.08281).

Exact up to ``EXACT_ROWS`` rows. Beyond, reading every float32 takes longer than a search may: every row is then scanned
in half precision, and several times as many as were asked for are compared exactly, which chooses among them.
"""

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

__all__ = ["EXACT_ROWS", "Nearest", "VectorIndex", "cluster", "normalised"]

EXACT_ROWS = 20_000
CANDIDATES = 8
ITERATIONS = 25


@dataclass(frozen=True)
class Nearest:
    """``rows``: [k] int64 places in the index, nearest first; ``similarities``: [k] float32 cosines."""

    rows: NDArray[np.int64]
    similarities: NDArray[np.float32]


class VectorIndex:
    """Rows in the order they were added; only added to. Not for several threads at a time."""

    def __init__(self, vectors: NDArray[np.float32]) -> None:
        """Index [rows, width] float32 vectors of length 1."""
        self._vectors = np.ascontiguousarray(vectors, np.float32)
        self._index = self._build()

    def __len__(self) -> int:
        return len(self._vectors)

    def add(self, vectors: NDArray[np.float32]) -> None:
        """Add [rows, width] float32 vectors of length 1."""
        exact = len(self) <= EXACT_ROWS
        self._vectors = np.concatenate([self._vectors, np.asarray(vectors, np.float32)])
        if exact and len(self) > EXACT_ROWS:
            self._index = self._build()
        elif len(vectors):
            self._index.add(np.ascontiguousarray(vectors, np.float32))

    def rows(self, places: NDArray[np.int64]) -> NDArray[np.float32]:
        """Return [places, width] float32, the vectors at these places."""
        return np.asarray(self._vectors[places], np.float32)

    def search(self, query: NDArray[np.float32], count: int, allowed: NDArray[np.bool_] | None = None) -> Nearest:
        """Return the ``count`` rows nearest to a [width] vector of length 1, fewer where there are fewer.

        Args:
            query: what to be near to.
            count: how many.
            allowed: [rows] bool; the others do not come into question.
        """
        faiss = _faiss()
        there = len(self) if allowed is None else int(allowed.sum())
        wanted = min(count, there)
        if not wanted:
            return Nearest(np.zeros(0, np.int64), np.zeros(0, np.float32))
        asked = wanted if len(self) <= EXACT_ROWS else min(there, CANDIDATES * wanted)
        bits = None if allowed is None else np.packbits(allowed, bitorder="little")
        chosen = None if bits is None else faiss.SearchParameters(sel=faiss.IDSelectorBitmap(bits))
        _, found = self._index.search(np.ascontiguousarray(query[None], np.float32), asked, params=chosen)
        rows = found[0][found[0] >= 0].astype(np.int64)
        exact = self._vectors[rows] @ query
        order = np.lexsort((rows, -exact))[:wanted]  # of two equally near, the one that came first
        return Nearest(rows[order], exact[order].astype(np.float32))

    def _build(self) -> Any:
        faiss = _faiss()
        width = self._vectors.shape[1]
        if len(self._vectors) <= EXACT_ROWS:
            index = faiss.IndexFlatIP(width)
        else:
            index = faiss.IndexScalarQuantizer(width, faiss.ScalarQuantizer.QT_fp16, faiss.METRIC_INNER_PRODUCT)
        index.add(self._vectors)
        return index


def cluster(vectors: NDArray[np.float32], count: int, rng: np.random.Generator) -> NDArray[np.int64]:
    """Return [rows] the family of each row: spherical k-means into at most ``count`` families."""
    faiss = _faiss()
    distinct = len(np.unique(vectors, axis=0)) if len(vectors) <= EXACT_ROWS else len(vectors)
    count = max(1, min(count, distinct))
    means = faiss.Kmeans(
        vectors.shape[1],
        count,
        niter=ITERATIONS,
        spherical=True,
        seed=int(rng.integers(2**31)),
        min_points_per_centroid=1,
    )
    rows = np.ascontiguousarray(vectors, np.float32)
    means.train(rows)
    _, nearest = means.index.search(rows, 1)
    return np.asarray(nearest[:, 0], np.int64)


def normalised(vectors: NDArray[np.float32]) -> NDArray[np.float32]:
    """Return [rows, width] float32 with rows of length 1; a row of zeros stays one."""
    lengths = np.linalg.norm(vectors, axis=1, keepdims=True)
    return np.asarray(vectors / np.where(lengths > 0, lengths, 1), np.float32)


def _faiss() -> Any:
    # The module's own types say nothing of what its Python layer adds.
    import faiss

    return faiss
