"""A map of prompts in two dimensions: of all templates by their texts, or of one model's soft prompts by their vectors.

The vectors are those that search keeps; the map holds places and families alone. It is computed in a job process and
kept beside the search index. Invariant: a map that is read is of exactly the prompts that the bank holds now.

PCA (Pearson 1901) is exact and says how much of the differences it shows. t-SNE (van der Maaten, Hinton 2008, JMLR 9)
keeps neighbours together, and its distances mean nothing else.
"""

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from fedprompt.bank.filters import Filter
from fedprompt.bank.vectors import cluster
from fedprompt.errors import BankError, FedPromptError
from fedprompt.models.protocols import Encoder
from fedprompt.private_file import write_private
from fedprompt.stopping import NEVER, StopToken
from fedprompt.workspace.progress import Progress, Report, quiet
from fedprompt.workspace.search.index import index_of_soft, index_of_texts
from fedprompt.workspace.search.searching import FOLDER, encoder_of
from fedprompt.workspace.workspace import Workspace

__all__ = [
    "LEAST",
    "METHODS",
    "MOST_TSNE",
    "TEXTS",
    "MapMade",
    "PromptMap",
    "load_map",
    "make_map",
    "map_sizes",
    "run_map",
]

TEXTS = "texts"
METHODS = ("pca", "tsne")
LEAST, MOST_TSNE, FAMILIES = 4, 3_000, 8
MAX_BYTES = 200_000_000
VERSION = "1"


@dataclass(frozen=True)
class PromptMap:
    """Where prompts lie; retired ones are there too.

    ``numbers``: [points] int64, the prompts' numbers in the bank, rising; ``places``: [points, 2] float32;
    ``families``: [points] int64 from 0, the largest family first; ``shares``: of the variance, along each axis, None
    for t-SNE; ``distinct``: how many of the vectors differ. With fewer than ``LEAST`` of these, places are zeros.
    """

    numbers: NDArray[np.int64]
    places: NDArray[np.float32]
    families: NDArray[np.int64]
    shares: tuple[float, float] | None
    distinct: int


def map_sizes(ws: Workspace) -> dict[str, int]:
    """Return how many prompts each map would hold: of ``texts``, and of each model's digest, the fullest first."""
    counted = ws.bank.count_by_model()
    found = {TEXTS: counted.pop("", 0)}
    return found | dict(sorted(counted.items(), key=lambda each: (-each[1], each[0])))


def load_map(ws: Workspace, space: str, method: str = "pca") -> PromptMap | None:
    """Return the map of the bank as it is now, None where there is none yet.

    Args:
        ws: the workspace.
        space: ``texts``, or a model's digest.
        method: ``pca`` or ``tsne``.
    """
    from safetensors import SafetensorError, safe_open

    path = _path(ws, space, method)
    try:
        if path.stat().st_size > MAX_BYTES:
            return None
        with safe_open(path, framework="numpy") as file:
            about: Mapping[str, Any] = json.loads((file.metadata() or {})["about"])
            if about["state"] != _state(ws, space):
                return None
            numbers, places, families = (file.get_tensor(name) for name in ("numbers", "places", "families"))
        shares = None if about["shares"] is None else (float(about["shares"][0]), float(about["shares"][1]))
        distinct = int(about["distinct"])
    except (OSError, ValueError, KeyError, TypeError, IndexError, SafetensorError):
        return None
    if numbers.ndim != 1 or places.shape != (len(numbers), 2) or families.shape != numbers.shape:
        return None
    return PromptMap(numbers, places, families, shares, distinct)


def make_map(
    ws: Workspace,
    space: str,
    method: str = "pca",
    *,
    encoder: Encoder | None = None,
    report: Report = quiet,
    stop: StopToken = NEVER,
) -> PromptMap:
    """Compute a map, keep it, and return it.

    Args:
        ws: the workspace.
        space: ``texts``, or a model's digest.
        method: ``pca`` or ``tsne``, the latter up to ``MOST_TSNE`` prompts.
        encoder: what makes vectors of texts; the home's asset if None.
        report: hears how far it is.
        stop: looked at while texts are indexed, and before the map is laid out.

    Raises:
        FedPromptError: no such method or space, or too many prompts for t-SNE.
        AssetError: the encoder is not in the home.
        BankError: a prompt is damaged, or the map cannot be written.
    """
    if method not in METHODS:
        raise FedPromptError(f"'{method}' is not a map method; use one of {', '.join(METHODS)}", code="unknown-map")
    state = _state(ws, space)
    numbers, vectors = _vectors(ws, space, encoder, report, stop)
    if method == "tsne" and len(numbers) > MOST_TSNE:
        raise FedPromptError(
            f"t-SNE works for up to {MOST_TSNE:,} prompts, but these are {len(numbers):,}; use pca", code="too-many"
        )
    report(Progress("map", "laying out the map", 0.5))
    stop.check()
    distinct = len(np.unique(vectors, axis=0)) if len(vectors) <= MOST_TSNE else len(vectors)
    places, shares = np.zeros((len(numbers), 2), np.float32), None
    families = np.zeros(len(numbers), np.int64)
    if distinct >= LEAST:
        places, shares = _projected(vectors, method)
        families = _families(vectors)
    found = PromptMap(numbers, places, families, shares, distinct)
    _keep(_path(ws, space, method), found, state)
    return found


@dataclass(frozen=True)
class MapMade:
    """How many ``points`` a map has."""

    points: int


def run_map(ws: Workspace, arguments: Mapping[str, Any], report: Report = quiet, stop: StopToken = NEVER) -> MapMade:
    """Compute the map of ``space`` by ``method``, as a job. Raises as :func:`make_map`."""
    found = make_map(ws, str(arguments["space"]), str(arguments["method"]), report=report, stop=stop)
    return MapMade(len(found.numbers))


def _vectors(
    ws: Workspace, space: str, encoder: Encoder | None, report: Report, stop: StopToken
) -> tuple[NDArray[np.int64], NDArray[np.float32]]:
    folder = ws.home.path / FOLDER
    if space == TEXTS:
        encoder, maker = encoder_of(ws, encoder)
        index = index_of_texts(ws.bank, folder, encoder, maker, report, stop)
        wanted = ws.bank.numbers(Filter(kind="template", retired=True))
    else:
        width = ws.bank.soft_width(space)
        if width is None:
            raise FedPromptError("the bank has no soft prompt of this model; choose another map", code="no-soft-prompt")
        index, wanted = index_of_soft(ws.bank, folder, space, width), None
    with index.lock:
        rows = np.arange(len(index.numbers)) if wanted is None else np.flatnonzero(np.isin(index.numbers, wanted))
        return index.numbers[rows], index.vectors.rows(rows)


def _projected(vectors: NDArray[np.float32], method: str) -> tuple[NDArray[np.float32], tuple[float, float] | None]:
    from sklearn.decomposition import PCA

    if method == "tsne":
        from sklearn.manifold import TSNE

        near = min(30.0, (len(vectors) - 1) / 3)
        drawn = TSNE(2, perplexity=near, init="pca", random_state=0, n_jobs=1).fit_transform(vectors)
        return np.asarray(drawn, np.float32), None
    # Exact both ways: through the covariance where there are more rows than columns.
    solver = "full" if len(vectors) < vectors.shape[1] else "covariance_eigh"
    fitted = PCA(2, svd_solver=solver)
    drawn = fitted.fit_transform(vectors.astype(np.float64))
    shares = fitted.explained_variance_ratio_
    return np.asarray(drawn, np.float32), (float(shares[0]), float(shares[1]))


def _families(vectors: NDArray[np.float32]) -> NDArray[np.int64]:
    """Return [rows] the family of each row, 0 the largest; no more families than a quarter of the rows."""
    found = cluster(vectors, max(2, min(FAMILIES, len(vectors) // 4)), np.random.default_rng(0))
    names, sizes = np.unique(found, return_counts=True)
    rank = {int(name): place for place, name in enumerate(names[np.lexsort((names, -sizes))])}
    return np.asarray([rank[int(one)] for one in found], np.int64)


def _path(ws: Workspace, space: str, method: str) -> Path:
    name = hashlib.blake2b(f"{space} {method}".encode(), digest_size=16).hexdigest()
    return ws.home.path / FOLDER / "maps" / f"{name}.safetensors"


def _state(ws: Workspace, space: str) -> str:
    """Return what a map is of: prompts are only ever added, so their count and the newest tell, within one bank."""
    count, newest = ws.bank.newest_of(None if space == TEXTS else space)
    return f"{VERSION} {ws.bank.id} {count} {newest}"


def _keep(path: Path, found: PromptMap, state: str) -> None:
    from safetensors.numpy import save

    about = json.dumps({"state": state, "shares": found.shares, "distinct": found.distinct})
    arrays = {"numbers": found.numbers, "places": found.places, "families": found.families}
    data = save({name: np.ascontiguousarray(array) for name, array in arrays.items()}, {"about": about})
    try:
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        write_private(path, data)
    except OSError as error:
        raise BankError(
            f"{path}: the map cannot be written ({error.strerror}); check the disk", code="cannot-write"
        ) from error
