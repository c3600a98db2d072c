"""Finds passages that hold evaluation cases, or nearly so, so that no model is trained on what it is tested on.

A case counts as held where at least ``HELD`` of its shingles of five words stand in the passage, as in the n-gram
overlap of Brown et al. 2020 (arXiv 2005.14165, appendix C). A case of fewer words is one shingle; one of fewer than
``FEWEST`` words says too little, and is looked for only as a whole passage.
"""

from collections import Counter, defaultdict
from collections.abc import Iterable

import xxhash

from fedprompt.corpora.near_duplicates import SHINGLE, shingles, words_of

__all__ = ["EvaluationTexts"]

HELD, FEWEST = 0.8, 4


class EvaluationTexts:
    """The cases that must not be trained on. Their text is not kept, only hashes of it."""

    def __init__(self, texts: Iterable[str]) -> None:
        self._cases: dict[int, list[int]] = defaultdict(list)  # a shingle's hash -> the cases that it is of
        self._sizes: list[int] = []
        self._lengths: set[int] = set()
        self._whole: set[int] = set()
        for text in texts:
            words = words_of(text)
            if not words:
                continue
            self._whole.add(_hash(" ".join(words).encode()))
            if len(words) < FEWEST:
                continue
            of_case = {_hash(one) for one in shingles(words)}
            for one in of_case:
                self._cases[one].append(len(self._sizes))
            self._sizes.append(len(of_case))
            self._lengths.add(min(SHINGLE, len(words)))

    def __len__(self) -> int:
        return len(self._whole)

    def held_in(self, words: list[str]) -> bool:
        """Say whether a passage of these words holds one of the cases."""
        if not self._whole or not words:
            return False
        if _hash(" ".join(words).encode()) in self._whole:
            return True
        found: set[int] = set()
        for size in self._lengths:
            if len(words) >= size:
                found.update(one for one in map(_hash, shingles(words, size)) if one in self._cases)
        counts = Counter(case for one in found for case in self._cases[one])
        return any(count >= HELD * self._sizes[case] for case, count in counts.items())


def _hash(data: bytes) -> int:
    return xxhash.xxh3_64_intdigest(data)
