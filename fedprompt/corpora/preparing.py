"""Makes a site's text ready to train on, once: read, freed of near-duplicates, cut in two, turned into tokens.

The result is a private folder of token files beside ``about.json``, which is written last; a process that dies leaves
nothing that is taken for whole. Invariant: memory does not grow with the text. Which documents are held out follows
from the site's key, so that they stay held out when text is added.
"""

import hashlib
import hmac
import json
import os
import secrets
import shutil
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, Protocol

import numpy as np

from fedprompt.corpora.decoding import detected
from fedprompt.corpora.decontamination import EvaluationTexts
from fedprompt.corpora.documents import Passage, passages_of
from fedprompt.corpora.finding import Found, find_files
from fedprompt.corpora.near_duplicates import NearDuplicates, words_of
from fedprompt.corpora.tokens import TokenFile, TokenWriter, token_type
from fedprompt.errors import DataError
from fedprompt.private_file import write_private
from fedprompt.stopping import NEVER, StopToken

__all__ = ["Corpus", "Counts", "Tokenizer", "prepare"]

VERSION = 1
TOGETHER = 64  # passages that are turned into tokens at once
ABOUT = "about.json"
# A file with another fault than these is left out and counted; these end the work.
FATAL = frozenset({"cannot-read", "package-missing", "no-column"})


class Tokenizer(Protocol):
    """What turns text into tokens."""

    vocabulary: int
    end: int  # the token that stands behind each document

    def encode(self, texts: Sequence[str]) -> list[list[int]]:
        """Return each text's tokens; a marker inside a text stays text."""
        ...


@dataclass
class Counts:
    """What a site's files hold. Files and passages that were left out are counted by the reason.

    ``decoded``: encoding -> files that were in another one than UTF-8. ``kept`` and ``held_out`` are documents.
    """

    files: int = 0
    left_out: dict[str, int] = field(default_factory=dict)
    decoded: dict[str, int] = field(default_factory=dict)
    documents: int = 0
    passages: int = 0
    characters: int = 0
    near_duplicates: int = 0
    evaluation: int = 0
    kept: int = 0
    held_out: int = 0
    tokens: int = 0
    held_out_tokens: int = 0


@dataclass(frozen=True, eq=False)
class Corpus:
    """A prepared text: what is trained on and what is held out; ``digest`` names the tokens."""

    train: TokenFile
    held_out: TokenFile
    counts: Counts
    digest: str


def prepare(
    paths: Sequence[Path],
    folder: Path,
    tokenizer: Tokenizer,
    *,
    tokenizer_digest: str,
    key: bytes,
    held_out: float,
    column: str | None = None,
    evaluation: Sequence[str] = (),
    progress: Callable[[int, int], None] | None = None,
    stop: StopToken = NEVER,
) -> Corpus:
    """Return a site's text, prepared; what was prepared before of the same files is taken as it is.

    Args:
        paths: files and folders.
        folder: the private folder in which prepared text lies, each in a folder of its own.
        tokenizer_digest: names the tokenizer, so that another one prepares anew.
        key: the site's.
        held_out: the share of documents that is not trained on, above 0 and below 1.
        column: of tables, the one that holds the text.
        evaluation: texts of evaluation cases; what is like them is left out.
        progress: hears (files done, files in all).
        stop: looked at between passages.

    Raises:
        DataError: nothing can be read, or all of it was left out; says why, without any of the text.
    """
    found = find_files(paths)
    name = _name(found, tokenizer_digest, key, held_out, column, evaluation)
    place, dtype = folder / name, token_type(tokenizer.vocabulary)
    if (known := _read(place, dtype)) is not None:
        return known
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    work = folder / f".{secrets.token_hex(8)}.part"
    work.mkdir(mode=0o700)
    try:
        with closing(_Preparing(work, tokenizer, dtype, key, held_out, EvaluationTexts(evaluation))) as preparing:
            counts = preparing.run(found, column, progress, stop)
        _enough(paths, counts)
        about = {"counts": asdict(counts), "digest": _digest(work), "version": VERSION}
        write_private(work / ABOUT, json.dumps(about, indent=2, sort_keys=True))
        shutil.rmtree(place, ignore_errors=True)
        os.replace(work, place)
    finally:
        shutil.rmtree(work, ignore_errors=True)
    made = _read(place, dtype)
    assert made is not None  # it was written just now
    return made


class _Preparing:
    def __init__(
        self,
        work: Path,
        tokenizer: Tokenizer,
        dtype: np.dtype[Any],
        key: bytes,
        share: float,
        evaluation: EvaluationTexts,
    ) -> None:
        self._work, self._tokenizer, self._key, self._share = work, tokenizer, key, share
        self._evaluation, self._counts = evaluation, Counts()
        self._writers = {name: TokenWriter(work, name, dtype) for name in ("train", "held_out")}
        self._waiting: list[tuple[str, bool, str]] = []  # where to, whether a document begins, text
        self._open: str | None = None  # where the document goes that is being read; None before a passage was kept

    def run(
        self, found: Found, column: str | None, progress: Callable[[int, int], None] | None, stop: StopToken
    ) -> Counts:
        left_out: Counter[str] = Counter({"unknown-ending": found.unknown} if found.unknown else {})
        used: Counter[str] = Counter()
        index = self._work / "near-duplicates.db"
        with NearDuplicates(index) as seen:
            for done, path in enumerate(found.files):
                if progress is not None:
                    progress(done, len(found.files))
                before = Counts(**asdict(self._counts))
                try:
                    encoding = self._file(path, column, seen, stop)
                except DataError as error:
                    if error.code in FATAL:
                        raise
                    left_out[error.code] += 1
                    self._take_back(seen, before)
                    continue
                if encoding is not None:
                    used[encoding] += 1
                self._counts.files += 1
                self._keep(seen)
        index.unlink()
        for writer in self._writers.values():
            writer.sync()
        counts, train, aside = self._counts, self._writers["train"], self._writers["held_out"]
        counts.left_out, counts.decoded = dict(sorted(left_out.items())), dict(sorted(used.items()))
        counts.kept, counts.held_out = train.documents, aside.documents
        counts.tokens, counts.held_out_tokens = train.size, aside.size
        return counts

    def close(self) -> None:
        for writer in self._writers.values():
            writer.close()

    def _file(self, path: Path, column: str | None, seen: NearDuplicates, stop: StopToken) -> str | None:
        """Read one file; return its encoding where it had to be detected."""
        before = Counts(**asdict(self._counts))
        try:
            self._passages(passages_of(path, column), seen, stop)
            return None
        except UnicodeDecodeError:
            self._take_back(seen, before)
        encoding = detected(path)
        self._passages(passages_of(path, column, encoding), seen, stop)
        return encoding

    def _passages(self, passages: Iterator[Passage], seen: NearDuplicates, stop: StopToken) -> None:
        for passage in passages:
            stop.check()
            counts = self._counts
            counts.passages += 1
            counts.documents += passage.first
            counts.characters += len(passage.text)
            if passage.first:
                self._end()
            words = words_of(passage.text)
            if self._evaluation.held_in(words):
                counts.evaluation += 1
            elif words and seen.seen(words):
                counts.near_duplicates += 1
            else:
                begins = self._open is None
                if self._open is None:
                    self._open = "held_out" if self._aside(words) else "train"
                self._waiting.append((self._open, begins, passage.text))
                if len(self._waiting) >= TOGETHER:
                    self._write()
        self._end()
        self._write()

    def _end(self) -> None:
        """Have the document that was read end with the token for it."""
        if self._open is not None:
            self._waiting.append((self._open, False, ""))
            self._open = None

    def _aside(self, words: list[str]) -> bool:
        mac = hmac.new(self._key, " ".join(words).encode(), hashlib.sha256).digest()
        return int.from_bytes(mac[:8], "big") < self._share * 2**64

    def _write(self) -> None:
        if not self._waiting:
            return
        rows = self._tokenizer.encode([text for _, _, text in self._waiting])
        for (name, begins, text), row in zip(self._waiting, rows, strict=True):
            self._writers[name].add(row if text else [self._tokenizer.end], first=begins)
        self._waiting.clear()

    def _keep(self, seen: NearDuplicates) -> None:
        seen.keep()
        for writer in self._writers.values():
            writer.mark()

    def _take_back(self, seen: NearDuplicates, before: Counts) -> None:
        self._waiting.clear()
        self._open, self._counts = None, before
        seen.take_back()
        for writer in self._writers.values():
            writer.take_back()


def _enough(paths: Sequence[Path], counts: Counts) -> None:
    if counts.kept and counts.held_out:
        return
    named = ", ".join(str(path) for path in paths)
    left = {**counts.left_out, "near-duplicates": counts.near_duplicates, "evaluation cases": counts.evaluation}
    told = ", ".join(f"{why}: {number}" for why, number in left.items() if number) or "nothing was left out"
    raise DataError(
        f"{named}: {counts.kept} documents are left to train on and {counts.held_out} to be held out, and at least one "
        f"of each is needed ({told}); add text",
        code="too-little-text",
    )


def _name(found: Found, tokenizer: str, key: bytes, share: float, column: str | None, evaluation: Sequence[str]) -> str:
    """Return a name for what would be made, under the site's key, so that it says nothing of the text."""
    mac = hmac.new(key, digestmod=hashlib.sha256)
    mac.update(json.dumps([VERSION, tokenizer, share, column, found.unknown]).encode())
    for path in found.files:
        state = path.stat()
        mac.update(json.dumps([str(path.resolve()), state.st_size, state.st_mtime_ns]).encode())
    for text in evaluation:
        mac.update(hashlib.sha256(text.encode()).digest())
    return mac.hexdigest()[:32]


def _digest(folder: Path) -> str:
    total = hashlib.sha256()
    for name in ("train", "held_out"):
        for part in ("tokens", "documents"):
            with (folder / f"{name}.{part}").open("rb") as file:
                total.update(hashlib.file_digest(file, "sha256").digest())
    return f"sha256:{total.hexdigest()}"


def _read(place: Path, dtype: np.dtype[Any]) -> Corpus | None:
    try:
        about = json.loads((place / ABOUT).read_bytes())
        counts = Counts(**about["counts"])
        digest = str(about["digest"])
    except (OSError, ValueError, KeyError, TypeError):
        return None
    train, held_out = (TokenFile.open(place, name, dtype) for name in ("train", "held_out"))
    return Corpus(train, held_out, counts, digest)
