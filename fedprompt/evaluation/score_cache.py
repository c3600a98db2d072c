"""Label log-likelihoods that a model gave, so that no case goes through it twice with the same prompt.

A row's name is a hash under the site's key of all that the numbers depend on: model, dtype, device, the filled-in
template, the words and the soft prompt. The file holds values of single cases: it lies in the site's own folder,
readable by its owner alone, and nothing in it can be read back into text.
"""

import hashlib
import os
import sqlite3
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from fedprompt.errors import DataError
from fedprompt.models.protocols import ChoiceQuery, ModelInfo
from fedprompt.prompts.ids import canonical_json
from fedprompt.prompts.rendered import SoftSlot

__all__ = ["ScoreCache"]

VERSION = 1
AT_ONCE = 500  # names in one query


class ScoreCache:
    """The cache at ``path``; several processes may use it. A damaged file is put aside and begun anew."""

    def __init__(self, path: Path, key: bytes) -> None:
        self.path, self._key = path, key

    def names(self, info: ModelInfo, queries: Sequence[ChoiceQuery]) -> list[bytes]:
        """Return a name for each query, 16 bytes."""
        settings, softs = info.settings, {}
        found = []
        for query in queries:
            soft = None
            if query.soft is not None:
                if query.soft not in softs:
                    softs[query.soft] = hashlib.sha256(np.ascontiguousarray(query.soft.vectors).tobytes()).hexdigest()
                soft = softs[query.soft]
            turns = [
                [turn.role, [{"soft": True} if isinstance(piece, SoftSlot) else piece for piece in turn.pieces]]
                for turn in query.rendered.turns
            ]
            asked = [VERSION, info.digest, settings.dtype, settings.device, turns, list(query.words), soft]
            found.append(hashlib.blake2b(canonical_json(asked), digest_size=16, key=self._key).digest())
        return found

    def get(self, names: Sequence[bytes]) -> dict[bytes, NDArray[np.float64]]:
        """Return what is known: for each name [2, words] float64, log-likelihoods and lengths in tokens."""
        found: dict[bytes, NDArray[np.float64]] = {}
        if not self.path.exists():
            return found
        try:
            with self._open() as connection:
                for at in range(0, len(names), AT_ONCE):
                    part = names[at : at + AT_ONCE]
                    marks = ",".join("?" * len(part))
                    rows = connection.execute(f"SELECT name, numbers FROM scores WHERE name IN ({marks})", part)  # noqa: S608
                    found.update({bytes(name): np.frombuffer(data, "<f8").reshape(2, -1) for name, data in rows})
        except (sqlite3.DatabaseError, ValueError):
            self._put_aside()
            return {}
        return found

    def put(self, rows: Mapping[bytes, NDArray[np.float64]]) -> None:
        """Keep numbers, [2, words] float64 each, on disk before this returns.

        Raises:
            DataError: the file cannot be written.
        """
        try:
            with self._open() as connection:
                connection.executemany(
                    "INSERT OR IGNORE INTO scores (name, numbers) VALUES (?, ?)",
                    [(name, np.ascontiguousarray(numbers, "<f8").tobytes()) for name, numbers in rows.items()],
                )
        except sqlite3.OperationalError as error:
            raise DataError(f"{self.path}: the cache of scores cannot be written ({error}); free some disk") from error
        except sqlite3.DatabaseError:
            self._put_aside()

    def _open(self) -> "_Transaction":
        if not self.path.exists():
            os.close(os.open(self.path, os.O_WRONLY | os.O_CREAT, 0o600))
        return _Transaction(self.path)

    def _put_aside(self) -> None:
        self.path.replace(self.path.with_name(f"{self.path.name}.damaged"))
        for end in ("-wal", "-shm"):
            self.path.with_name(self.path.name + end).unlink(missing_ok=True)


class _Transaction:
    """A connection that commits or rolls back, and closes."""

    def __init__(self, path: Path) -> None:
        self._connection = sqlite3.connect(path, timeout=30)

    def __enter__(self) -> sqlite3.Connection:
        try:
            self._connection.execute("PRAGMA journal_mode=WAL")
            self._connection.execute("CREATE TABLE IF NOT EXISTS scores (name BLOB PRIMARY KEY, numbers BLOB NOT NULL)")
        except sqlite3.Error:
            self._connection.close()
            raise
        return self._connection

    def __exit__(self, kind: object, *_: object) -> None:
        try:
            if kind is None:
                self._connection.commit()
        finally:
            self._connection.close()
