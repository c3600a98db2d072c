"""With whom a site shares masks where a cohort is large: SecAgg+, Bell et al. 2020 (CCS, doi 10.1145/3372297.3417885).

The cohort stands in a circle, in an order that the digest of all its keys gives, and each site's neighbours are the
``degree / 2`` nearest on either side (a Harary graph), so that both sides know the edges without asking.
"""

import hashlib
from collections.abc import Mapping, Sequence
from functools import lru_cache

__all__ = ["neighbourhoods", "threshold_of"]


def neighbourhoods(keys: Sequence[str], digest: str, degree: int | None) -> Mapping[str, tuple[str, ...]]:
    """Return key -> those that it shares masks with and itself, by key.

    Args:
        keys: the cohort's signing keys.
        digest: of the cohort, from which the order in the circle follows.
        degree: how many neighbours each has, an even number; None for all.
    """
    return _neighbourhoods(tuple(sorted(keys)), digest, degree)


@lru_cache(maxsize=4)  # each step of a sum asks for the same
def _neighbourhoods(everyone: tuple[str, ...], digest: str, degree: int | None) -> Mapping[str, tuple[str, ...]]:
    if degree is None or degree >= len(everyone) - 1:
        return dict.fromkeys(everyone, everyone)
    circle = sorted(everyone, key=lambda key: hashlib.sha256(f"{digest} {key}".encode()).digest())
    many, half = len(circle), degree // 2
    return {
        key: tuple(sorted(circle[(place + step) % many] for step in range(-half, half + 1)))
        for place, key in enumerate(circle)
    }


def threshold_of(neighbourhood: int, least: int, complete: bool) -> int:
    """Return how many shares give a secret back: the least cohort, or more than half of a neighbourhood."""
    return least if complete else neighbourhood // 2 + 1
