"""The home's search indices: one of the templates' texts, one for each model's soft prompts; brought up to date on use.

An index follows the bank: it is added to as prompts come, and made anew when it is of another bank, another encoder, or
of prompts that the bank no longer holds (after a restore).
"""

import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from fedprompt.bank.index_files import IndexFiles
from fedprompt.bank.store import Bank
from fedprompt.bank.vectors import VectorIndex, normalised
from fedprompt.models.protocols import Encoder
from fedprompt.prompts.ids import content_id
from fedprompt.stopping import NEVER, StopToken
from fedprompt.workspace.progress import Progress, Report

__all__ = ["PromptIndex", "index_of_soft", "index_of_texts"]

KEPT = 4
STEP = 10_000
Batch = tuple[list[int], list[str], NDArray[np.float32]]  # numbers, ids, vectors
_open: dict[tuple[str, str], "PromptIndex"] = {}
_lock = threading.Lock()


class PromptIndex:
    """One index in memory and on disk. Usable from several threads."""

    def __init__(self, files: IndexFiles, width: int) -> None:
        self._files, self._width = files, width
        self._numbers, self._vectors, self._last = np.zeros(0, np.int64), VectorIndex(np.zeros((0, width), "f4")), ""
        self._loaded = False
        self.lock = threading.RLock()

    @property
    def numbers(self) -> NDArray[np.int64]:
        """[rows] the prompts' numbers in the bank, rising."""
        return self._numbers

    @property
    def vectors(self) -> VectorIndex:
        """The rows, in the order of ``numbers``."""
        return self._vectors

    def refresh(self, bank: Bank, batches: Callable[[int], Iterator[Batch]]) -> None:
        """Add what came to the bank; ``batches`` yields what came after a number.

        Raises:
            BankError: the index cannot be written.
        """
        with self.lock:
            if not self._loaded:
                self._load()
            if self._last and bank.number_of(self._last) != self._numbers[-1]:
                self._set(np.zeros(0, np.int64), np.zeros((0, self._width), np.float32), "")
            waiting: list[Batch] = []
            for batch in batches(int(self._numbers[-1]) if len(self._numbers) else 0):
                waiting.append(batch)
                if sum(len(one[0]) for one in waiting) >= STEP:
                    self._add(waiting)  # so that whoever stops here need not begin anew
                    waiting = []
            if waiting:
                self._add(waiting)

    def _load(self) -> None:
        found = self._files.load()
        if found is not None:
            self._set(found.numbers, found.vectors, found.last)
        self._loaded = True

    def _set(self, numbers: NDArray[np.int64], vectors: NDArray[np.float32], last: str) -> None:
        self._numbers, self._vectors, self._last = numbers, VectorIndex(vectors), last

    def _add(self, batches: list[Batch]) -> None:
        numbers = np.asarray([number for batch in batches for number in batch[0]], np.int64)
        vectors = normalised(np.concatenate([batch[2] for batch in batches]).reshape(-1, self._width))
        last = batches[-1][1][-1]
        if len(self._numbers):
            self._files.append(numbers, vectors, last)
        else:
            self._files.replace(numbers, vectors, last)
        self._numbers, self._last = np.concatenate([self._numbers, numbers]), last
        self._vectors.add(vectors)


def index_of_texts(
    bank: Bank, folder: Path, encoder: Encoder, maker: str, report: Report, stop: StopToken = NEVER
) -> PromptIndex:
    """Return the index of all templates' texts, up to date.

    Args:
        bank: whose prompts.
        folder: where indices lie.
        encoder: what makes vectors of texts.
        maker: the encoder's name and version; another one makes another index.
        report: hears how far it is.
        stop: looked at before each batch; what is indexed stays.
    """
    index = _opened(bank, folder / "texts", maker, encoder.width)
    known: dict[str, NDArray[np.float32]] = {}  # soft prompts of one study share a template
    total = bank.count_prompts()

    def batches(after: int) -> Iterator[Batch]:
        for rows in bank.texts_after(after):
            stop.check()
            new = list(dict.fromkeys(row.text for row in rows if row.text not in known))
            if len(known) > STEP:
                known.clear()
                new = list(dict.fromkeys(row.text for row in rows))
            known.update(zip(new, encoder.encode(new), strict=True))
            report(Progress("index", "indexing prompts for search", min(len(index.numbers) + len(rows), total), total))
            yield [row.number for row in rows], [row.id for row in rows], np.stack([known[row.text] for row in rows])

    index.refresh(bank, batches)
    return index


def index_of_soft(bank: Bank, folder: Path, model: str, width: int) -> PromptIndex:
    """Return the index of one model's soft prompts, up to date.

    Args:
        bank: whose prompts.
        folder: where indices lie.
        model: the model's digest.
        width: its embedding width.
    """
    name = content_id("m1", model.encode()).replace(":", "-")
    index = _opened(bank, folder / name, model, width)

    def batches(after: int) -> Iterator[Batch]:
        for rows, means in bank.soft_after(model, after):
            yield [row.number for row in rows], [row.id for row in rows], means

    index.refresh(bank, batches)
    return index


def _opened(bank: Bank, folder: Path, maker: str, width: int) -> PromptIndex:
    key = (str(folder), f"{bank.id} {maker} {width}")
    with _lock:
        if key not in _open:
            while len(_open) >= KEPT:
                del _open[next(iter(_open))]
            _open[key] = PromptIndex(IndexFiles(folder, bank=bank.id, maker=maker, width=width), width)
        return _open[key]
