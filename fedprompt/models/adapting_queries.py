"""Queries with adapters: those of one adapter go through a model together, and an adapter must fit the model."""

from collections.abc import Callable, Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from fedprompt.errors import ModelMismatch
from fedprompt.models.protocols import ChoiceResult
from fedprompt.prompts.adapter import A, Adapter, B

__all__ = ["check_fits", "parted", "together"]

Tell = Callable[[int, int], None]


def parted(adapters: Sequence[Adapter | None]) -> dict[Adapter | None, list[int]]:
    """Return adapter -> the places of the queries that have it, in the order in which they came."""
    found: dict[Adapter | None, list[int]] = {}
    for place, adapter in enumerate(adapters):
        found.setdefault(adapter, []).append(place)
    return found


def together(
    adapters: Sequence[Adapter | None],
    ask: Callable[[Adapter | None, Sequence[int], Tell | None], ChoiceResult],
    progress: Tell | None,
) -> ChoiceResult:
    """Return what ``ask`` says of the queries of each adapter, put together in the order of the queries.

    Args:
        adapters: of each query.
        ask: asks some queries, by place, with one adapter beside the model.
        progress: hears (tokens done, tokens in all), in all of those that were begun.
    """
    parts = parted(adapters)
    if len(parts) == 1:
        ((adapter, rows),) = parts.items()
        return ask(adapter, rows, progress)
    values: dict[int, NDArray[np.float64]] = {}
    lengths: dict[int, NDArray[np.int64]] = {}
    tokens, distinct, seconds = 0, 0, 0.0
    for adapter, rows in parts.items():
        before = distinct
        tell = None if progress is None else lambda done, total, before=before: progress(before + done, before + total)
        found = ask(adapter, rows, tell)
        values |= zip(rows, found.loglikelihoods, strict=True)
        lengths |= zip(rows, found.lengths, strict=True)
        tokens, distinct, seconds = tokens + found.tokens, distinct + found.distinct, seconds + found.seconds
    places = range(len(adapters))
    return ChoiceResult(tuple(values[p] for p in places), tuple(lengths[p] for p in places), tokens, distinct, seconds)


def check_fits(adapter: Adapter, shapes: Mapping[str, tuple[int, int]]) -> None:
    """Refuse an adapter whose factors are not those of a model's layers.

    Args:
        shapes: module -> (out, in) of the layers that the adapter names.

    Raises:
        ModelMismatch: layers that the model has not, or of another width.
    """
    sizes = {**{m + A: (adapter.rank, inner) for m, (_, inner) in shapes.items()}}
    sizes |= {m + B: (out, adapter.rank) for m, (out, _) in shapes.items()}
    if any(sizes.get(name) != np.shape(array) for name, array in adapter.arrays.items()):
        raise ModelMismatch(
            "the adapter's factors do not fit the model's layers; load the model that it was tuned for",
            code="another-width",
        )
