"""Finding prompts: by what a text means, or like another prompt, within any filter; and in families.

``encoder`` is a parameter so that tests and other machines may bring their own; by default it is the home's asset.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from fedprompt.bank.filters import Filter
from fedprompt.bank.rows import PromptRow
from fedprompt.bank.vectors import cluster, normalised
from fedprompt.errors import FedPromptError
from fedprompt.models.protocols import Encoder
from fedprompt.prompts.prompt import Prompt
from fedprompt.stopping import NEVER, StopToken
from fedprompt.workspace.progress import Report, quiet
from fedprompt.workspace.search.index import PromptIndex, index_of_soft, index_of_texts
from fedprompt.workspace.workspace import Workspace

__all__ = ["FOLDER", "Family", "Found", "encoder_of", "families", "search"]

MOST = 1_000
FOLDER = "index"


@dataclass(frozen=True)
class Found:
    """A prompt that was found; ``similarity`` is a cosine, ``mean`` its score in the filter's study, if it has one."""

    prompt: PromptRow
    similarity: float
    mean: float | None
    near_duplicates: tuple[str, ...]


@dataclass(frozen=True)
class Family:
    """Prompts that say alike: the best member by score (the most central one without scores), and all members."""

    best: PromptRow
    mean: float | None
    members: tuple[str, ...]


def search(
    ws: Workspace,
    text: str | None = None,
    *,
    like: str | None = None,
    wanted: Filter | None = None,
    limit: int = 10,
    encoder: Encoder | None = None,
    report: Report = quiet,
    stop: StopToken = NEVER,
) -> tuple[Found, ...]:
    """Return the prompts nearest to a text, or to a prompt, nearest first.

    Args:
        ws: the workspace.
        text: what the prompts should say.
        like: a prompt, by id, unique beginning or tag: of a soft prompt, soft prompts of its model with near vectors;
            of a template, prompts with near texts. It is itself not among what is found.
        wanted: which prompts come into question.
        limit: how many.
        encoder: what makes vectors of texts; the home's asset if None.
        report: hears how far the indexing is.
        stop: looked at while it goes on.

    Raises:
        BankError: no such prompt, or the index cannot be written.
        AssetError: the encoder is not in the home.
        FedPromptError: neither or both of text and like, or a limit out of bounds.
    """
    if (not text) == (like is None):
        raise FedPromptError("search for a text or for prompts similar to another one, not both", code="text-or-prompt")
    if not 1 <= limit <= MOST:
        raise FedPromptError(f"a search returns 1 to {MOST:,} prompts, not {limit}", code="search-bounds")
    wanted = wanted or Filter()
    given = None if like is None else ws.bank.prompt(like)
    if given is not None and given.soft is not None:
        soft = given.soft
        index = index_of_soft(ws.bank, ws.home.path / FOLDER, soft.model, soft.width)
        query = normalised(soft.vectors.mean(axis=0, dtype=np.float64).astype(np.float32)[None])[0]
    else:
        encoder, maker = encoder_of(ws, encoder)
        index = index_of_texts(ws.bank, ws.home.path / FOLDER, encoder, maker, report, stop)
        query = normalised(encoder.encode([text or _text(given)]))[0]
    return _found(ws, index, query, wanted, limit, given)


def families(
    ws: Workspace,
    count: int,
    rng: np.random.Generator,
    *,
    wanted: Filter | None = None,
    encoder: Encoder | None = None,
    report: Report = quiet,
) -> tuple[Family, ...]:
    """Group prompts by what they say (k-means over their texts), the largest family first.

    Args:
        ws: the workspace.
        count: at most so many families.
        rng: where k-means begins.
        wanted: which prompts; with a study, its scores choose each family's best member.
        encoder: as in :func:`search`.
        report: hears how far the indexing is.

    Raises:
        FedPromptError, BankError, AssetError: as :func:`search`.
    """
    if not 1 <= count <= MOST:
        raise FedPromptError(f"prompts are grouped into 1 to {MOST:,} families, not {count}", code="search-bounds")
    wanted = wanted or Filter()
    encoder, maker = encoder_of(ws, encoder)
    index = index_of_texts(ws.bank, ws.home.path / FOLDER, encoder, maker, report)
    with index.lock:
        rows = np.flatnonzero(_allowed(ws, index, wanted, None))
        numbers, vectors = index.numbers[rows], index.vectors.rows(rows)
    if not len(rows):
        return ()
    family = cluster(vectors, count, rng)
    means = {} if wanted.study is None else ws.bank.means(wanted.study, wanted.split)
    ids = ws.bank.ids_of(numbers.tolist())
    found = []
    for one in np.unique(family):
        places = np.flatnonzero(family == one)
        found.append(_family(ws, [ids[int(numbers[place])] for place in places], vectors[places], means))
    return tuple(sorted(found, key=lambda each: (-len(each.members), each.best.id)))


def _family(ws: Workspace, ids: list[str], vectors: NDArray[np.float32], means: Mapping[str, float]) -> Family:
    central = vectors @ vectors.mean(axis=0)
    best = max(range(len(ids)), key=lambda place: (means.get(ids[place], -1.0), float(central[place]), ids[place]))
    return Family(ws.bank.prompt_row(ids[best]), means.get(ids[best]), tuple(ids))


def _found(
    ws: Workspace, index: PromptIndex, query: NDArray[np.float32], wanted: Filter, limit: int, given: Prompt | None
) -> tuple[Found, ...]:
    with index.lock:
        allowed = _allowed(ws, index, wanted, None if given is None else given.id)
        nearest = index.vectors.search(query, limit, None if allowed.all() else allowed)
        numbers = index.numbers[nearest.rows].tolist()
    ids = ws.bank.ids_of(numbers)
    means: Mapping[str, float] = {}
    if wanted.study is not None and ids:
        chosen = replace(wanted, ids=tuple(ids.values()), retired=True)
        page = ws.bank.leaders(chosen, coverage="any", limit=min(MOST, len(ids)))
        means = {row.id: row.mean for row in page.rows}
    rows = {row.id: row for row in ws.bank.rows_of(list(ids.values()))}
    alike = ws.bank.near_duplicates_of(list(ids.values()))
    found = []
    for number, similarity in zip(numbers, nearest.similarities.tolist(), strict=True):
        id = ids[number]
        near = tuple(other for other, _ in alike.get(id, ()))
        found.append(Found(rows[id], similarity, means.get(id), near))
    return tuple(found)


def _allowed(ws: Workspace, index: PromptIndex, wanted: Filter, without: str | None) -> NDArray[np.bool_]:
    numbers = ws.bank.numbers(wanted)
    allowed = np.ones(len(index.numbers), bool) if numbers is None else np.isin(index.numbers, numbers)
    if without is not None:
        allowed &= index.numbers != ws.bank.number_of(without)
    return allowed


def encoder_of(ws: Workspace, encoder: Encoder | None) -> tuple[Encoder, str]:
    """Return the encoder, the home's asset if None, and the name that its index goes by."""
    if encoder is not None:
        return encoder, f"{type(encoder).__module__}.{type(encoder).__qualname__}"
    from fedprompt.models.sentence_encoder import ENCODER, load_encoder

    return load_encoder(ws.home.path), ENCODER


def _text(prompt: Prompt | None) -> str:
    from fedprompt.bank.likeness import prompt_text

    assert prompt is not None
    return prompt_text(prompt)
