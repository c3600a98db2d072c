"""The demo's four sites: four sources of rated sentences (Hutto and Gilbert 2014, ICWSM), one source a site.

A sentence whose mean human rating lies beyond +-0.8 is called positive or negative; the others are left out.
"""

import csv
import html
import io
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from fedprompt.errors import AssetError
from fedprompt.evaluation.cases import Case, normalise
from fedprompt.private_file import write_private

__all__ = ["SOURCES", "Source", "draw_cases", "read_source", "write_cases"]

CLEAR = 0.8


@dataclass(frozen=True)
class Source:
    """A site's name, what its text is, and the file it comes from."""

    site: str
    title: str
    file: str


SOURCES = (
    Source("editorials", "newspaper editorials", "nytEditorialSnippets_GroundTruth.txt"),
    Source("movies", "movie reviews", "movieReviewSnippets_GroundTruth.txt"),
    Source("products", "product reviews", "amazonReviewSnippets_GroundTruth.txt"),
    Source("tweets", "tweets", "tweets_GroundTruth.txt"),
)


def read_source(folder: Path, source: Source) -> tuple[Case, ...]:
    """Return a source's clear cases, each distinct text once, in the file's order.

    Raises:
        AssetError: the file is missing or is not the one that is expected.
    """
    path = folder / source.file
    try:
        # Not splitlines: in Latin-1 text it would also break at bytes that other code pages use for punctuation.
        lines = path.read_text(encoding="latin-1").split("\n")
    except OSError as error:
        raise AssetError(
            f"{path}: the demo's text cannot be read ({error.strerror}); run 'fedprompt assets pull'",
            code="assets-not-ready",
        ) from error
    found: dict[str, Case] = {}
    for number, line in enumerate(lines, start=1):
        parts = line.split("\t", 2)
        if len(parts) != 3:
            continue
        try:
            rating = float(parts[1])
        except ValueError:
            continue
        text = " ".join(html.unescape(parts[2]).split())
        if abs(rating) > CLEAR and text:
            label = "positive" if rating > 0 else "negative"
            found.setdefault(normalise(text), Case({"text": text}, label, line=number))
    if not found:
        raise AssetError(
            f"{path} has no rated sentence; download it again with 'fedprompt assets pull'", code="asset-damaged"
        )
    return tuple(found.values())


def draw_cases(cases: tuple[Case, ...], count: int, seed: np.random.SeedSequence) -> tuple[Case, ...]:
    """Return ``count`` cases at random, or all where there are fewer."""
    order = np.random.default_rng(seed).permutation(len(cases))[:count]
    return tuple(cases[int(i)] for i in order)


def write_cases(path: Path, cases: tuple[Case, ...]) -> None:
    """Write a site's private file (CSV: text, answer), mode 0600."""
    buffer = io.StringIO(newline="")
    writer = csv.writer(buffer)
    writer.writerow(["text", "answer"])
    writer.writerows([case.fields["text"], case.answer] for case in cases)
    write_private(path, buffer.getvalue())
