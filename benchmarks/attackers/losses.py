"""Single cases' losses, read through ``tune``: single steps of batches whose cases the hub knows, asked over and over.

Each reply is the mean loss over a batch. Where the hub can tell which places of the split a batch holds, the replies
are linear equations in the losses of single cases. A loss that comes back is looked for among those that the candidate
texts would have: that tells who is a member, and under which label.
"""

import hashlib
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from benchmarks.attackers.equations import Equation
from benchmarks.attackers.rounds import Round
from benchmarks.attackers.targets import OwnCopy

__all__ = ["labels_read", "likeness", "solved_losses", "sums_of_losses"]

ROUNDING = 0.01 / np.sqrt(12)  # the error of a loss that is told to two decimals


def solved_losses(rounds: Sequence[Round], site: str, cases: int, batch: int) -> NDArray[np.float64]:
    """Return [cases] of the split, or none where no loss was told: each case's loss at the rounds' common start.

    Args:
        site: its public name.
        cases: how many its tune split has, as it says itself.
        batch: how many a step takes.
    """
    told = [one for one in rounds if one.loss is not None]
    if not told:
        return np.empty(0)
    rows = np.zeros((len(told), cases))
    for row, one in zip(rows, told, strict=True):
        row[_guessed_batch(one.seed, site, one.number, cases, batch)] = 1 / min(batch, cases)
    losses = np.array([one.loss for one in told], dtype=np.float64)
    # Around the mean: where the equations are too few, a case about which nothing is known has the mean loss.
    found: NDArray[np.float64] = np.linalg.lstsq(rows, losses - losses.mean(), rcond=None)[0] + losses.mean()
    return found


def likeness(solved: NDArray[np.float64], own: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return [candidates]: how near some case's loss lies to the one that a candidate has under its own label."""
    if not solved.size:
        return np.zeros(len(own))
    found: NDArray[np.float64] = -np.abs(own[:, None] - solved[None, :]).min(axis=1)
    return found


def labels_read(solved: NDArray[np.float64], own: NDArray[np.float64]) -> NDArray[np.int64]:
    """Return [members]: the label under which each known member's loss lies nearest to one of the site's.

    Args:
        own: [members, labels], the loss of each under each label.
    """
    if not solved.size:
        return np.zeros(len(own), dtype=np.int64)
    gaps = np.abs(own[:, :, None] - solved[None, None, :]).min(axis=2)
    found: NDArray[np.int64] = gaps.argmin(axis=1)
    return found


def sums_of_losses(rounds: Sequence[Round], copy: OwnCopy, members: int) -> list[Equation]:
    """Return what mean losses over a whole split say of who is in it, each at the start of its round."""
    found = []
    for one in rounds:
        if one.loss is not None:
            own = copy.losses(one.start)[np.arange(len(copy)), copy.labels]
            found.append(Equation(own / members, one.loss, ROUNDING))
    return found


def _guessed_batch(seed: int, site: str, number: int, cases: int, batch: int) -> NDArray[np.int64]:
    """Return the places of a round's first batch, if they follow from the seed, the site's name and the round alone."""
    name = int.from_bytes(hashlib.blake2b(site.encode(), digest_size=8).digest(), "big")
    order = np.random.default_rng(np.random.SeedSequence([seed, name, number])).permutation(cases)
    found: NDArray[np.int64] = order[:batch]
    return found
