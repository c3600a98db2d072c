"""By what a site knows its cases again, over studies, hubs and cuts: their texts, and their whole rows.

What cases answered is kept by the set that they were asked in, and each case carries that of every set that it was ever
in. Which cases a set has is kept beside the first reply over it; where that is lost, every case may have been in it.
"""

import hashlib
import hmac

import numpy as np
from numpy.typing import NDArray

from fedprompt.evaluation.cases import Case
from fedprompt.evaluation.splits.cutting import Splits
from fedprompt.prompts.ids import canonical_json
from fedprompt.site.replies import ReplyStore
from fedprompt.study.score import SplitName
from fedprompt.verbs.beside import Kind

__all__ = ["NO_ROW", "TAG_BYTES", "KnownCases"]

TAG_BYTES = 8
NO_ROW = 0  # of a case that comes from no file


class KnownCases:
    """The cases of one site's splits, under its key.

    With ``by_group``, a case is known by its group in place of its row: what one case of a group answered, the whole
    group has answered.
    """

    def __init__(self, key: bytes, splits: Splits, replies: ReplyStore, *, by_group: bool = False) -> None:
        self._key, self._splits, self._replies, self._by_group = key, splits, replies, by_group
        self._tags: dict[SplitName, tuple[NDArray[np.uint64], NDArray[np.uint64]]] = {}
        self._sets: dict[SplitName, str] = {}

    def count(self, split: SplitName) -> int:
        """Return how many cases a split has."""
        return len(self._own(split)[0])

    def set_of(self, split: SplitName) -> str:
        """Return the id of a split's cases; which split they are called makes no difference."""
        if split not in self._sets:
            what = b"set of groups " if self._by_group else b"set "
            mac = hmac.new(self._key, what + self._own(split)[0].tobytes(), hashlib.sha256)
            self._sets[split] = f"c1:{mac.hexdigest()[:32]}"
        return self._sets[split]

    def kept(self, split: SplitName) -> dict[Kind, bytes]:
        """Return what is kept of a split's cases beside a reply, so that they are known again."""
        own, rows = self._own(split)
        return {"cases": own.tobytes(), "rows": rows.tobytes()}

    def inside(self, split: SplitName, name: str) -> NDArray[np.bool_]:
        """Return [cases], whether each case of a split was in the set called ``name``, or may have been."""
        own, rows = self._own(split)
        if name == self.set_of(split) or (kept := self._replies.kept("cases", name)) is None:
            return np.ones(len(own), dtype=np.bool_)
        found = np.isin(own, np.frombuffer(kept, dtype=np.uint64))
        if (kept := self._replies.kept("rows", name)) is not None:
            found |= (rows != NO_ROW) & np.isin(rows, np.frombuffer(kept, dtype=np.uint64))
        return found

    def _own(self, split: SplitName) -> tuple[NDArray[np.uint64], NDArray[np.uint64]]:
        """Return what the cases of a split are known by, [cases] each: their texts, in rising order, and their rows."""
        if split not in self._tags:
            cases = self._splits.cases(split)
            # By its texts alone: a study that calls fields or labels otherwise asks the same cases.
            texts = [self._tag(b"exact ", canonical_json(sorted(case.fields.values()))) for case in cases]
            rows = [self._row(case) for case in cases]
            order = np.argsort(found := np.array(texts, np.uint64), kind="stable")
            self._tags[split] = found[order], np.array(rows, np.uint64)[order]
        return self._tags[split]

    def _row(self, case: Case) -> int:
        """Return what a case is known by beside its texts."""
        if self._by_group and case.group is not None:
            return self._tag(b"group ", case.group.encode())
        return self._tag(b"row ", case.row) if case.row else NO_ROW

    def _tag(self, what: bytes, body: bytes) -> int:
        return int.from_bytes(hmac.new(self._key, what + body, hashlib.sha256).digest()[:TAG_BYTES], "big")
