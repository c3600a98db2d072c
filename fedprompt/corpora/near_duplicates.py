"""Near-duplicates by MinHash (Broder 1997) and locality-sensitive hashing (Indyk and Motwani 1998), kept on disk.

A passage is a set of shingles of five words. Signatures are datasketch's; their bands are kept in an SQLite file, so
that memory does not grow with the text. Invariant: of passages whose signatures agree in at least ``LIKE`` of their
numbers and that share a band, the first one is kept.
"""

import re
import sqlite3
import unicodedata
from functools import cache
from pathlib import Path
from typing import Any, Self

import numpy as np
import xxhash
from numpy.typing import NDArray

__all__ = ["LIKE", "SHINGLE", "NearDuplicates", "shingles", "words_of"]

PERMUTATIONS, LIKE, SHINGLE = 128, 0.8, 5
BANDS, ROWS = 16, 8  # two passages of a Jaccard index of 0.8 share a band with a probability of 0.95
SEED = 1
_WORD = re.compile(r"\w+")


def words_of(text: str) -> list[str]:
    """Return a text's words, composed and case folded."""
    return _WORD.findall(unicodedata.normalize("NFC", text).casefold())


def shingles(words: list[str], size: int = SHINGLE) -> list[bytes]:
    """Return the runs of ``size`` words, all the words as one run where there are fewer."""
    if len(words) <= size:
        return [" ".join(words).encode()]
    return [" ".join(words[at : at + size]).encode() for at in range(len(words) - size + 1)]


class NearDuplicates:
    """The passages seen so far, in a file; a context manager. What was added since :meth:`keep` can be taken back."""

    def __init__(self, path: Path) -> None:
        self._file = sqlite3.connect(path, isolation_level=None)
        for line in (
            "PRAGMA journal_mode = MEMORY",
            "PRAGMA synchronous = OFF",  # the file is built anew if the process dies
            "PRAGMA cache_size = -65536",
            "CREATE TABLE passages (id INTEGER PRIMARY KEY, signature BLOB NOT NULL)",
            "CREATE TABLE bands (band INTEGER NOT NULL, passage INTEGER NOT NULL)",
            "CREATE INDEX by_band ON bands (band)",
            "BEGIN",
        ):
            self._file.execute(line)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._file.close()

    def seen(self, words: list[str]) -> bool:
        """Say whether a passage is like one that was added before; add it if not."""
        signature = _signature(shingles(words))
        bands = [
            xxhash.xxh3_64_intdigest(part.tobytes(), seed=place) - (1 << 63)
            for place, part in enumerate(signature.reshape(BANDS, ROWS))
        ]
        asked = ",".join("?" * BANDS)
        found = self._file.execute(
            f"SELECT DISTINCT p.signature FROM bands b JOIN passages p ON p.id = b.passage WHERE b.band IN ({asked})",  # noqa: S608
            bands,
        )
        for (other,) in found:
            if float(np.mean(np.frombuffer(other, dtype=signature.dtype) == signature)) >= LIKE:
                return True
        added = self._file.execute("INSERT INTO passages (signature) VALUES (?)", (signature.tobytes(),)).lastrowid
        self._file.executemany("INSERT INTO bands VALUES (?, ?)", [(band, added) for band in bands])
        return False

    def keep(self) -> None:
        """Keep what was added."""
        self._file.execute("COMMIT")
        self._file.execute("BEGIN")

    def take_back(self) -> None:
        """Forget what was added since the last :meth:`keep`."""
        self._file.execute("ROLLBACK")
        self._file.execute("BEGIN")


@cache
def _empty() -> Any:
    from datasketch import MinHash

    return MinHash(num_perm=PERMUTATIONS, seed=SEED, hashfunc=xxhash.xxh32_intdigest)


def _signature(found: list[bytes]) -> NDArray[np.uint32]:
    made = _empty().copy()  # its permutations are drawn once
    made.update_batch(found)
    return np.asarray(made.hashvalues).astype(np.uint32)
