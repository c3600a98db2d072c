"""The hub's side of a secure sum: adds masked vectors up, and takes the masks off the sum with shares of the secrets.

Invariant: what comes out is a sum over at least the least cohort; a share that does not fit is found by the marks and
public keys that its owner signed, and whoever gave it is named.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from fedprompt.errors import FederationError
from fedprompt.privacy.secure_sums.keys import Member, digest_of, masks_key, own_mark
from fedprompt.privacy.secure_sums.masks import Whole, own_mask, pairwise_masks
from fedprompt.privacy.secure_sums.neighbours import neighbourhoods, threshold_of
from fedprompt.privacy.secure_sums.occasion import Occasion
from fedprompt.privacy.secure_sums.participant import MISSING
from fedprompt.privacy.secure_sums.shares import recovered

__all__ = ["Unmasked", "added", "unmasked"]


@dataclass(frozen=True, eq=False)
class Unmasked:
    """The sum of the survivors' vectors, and the keys of sites that gave shares which do not fit."""

    total: Whole
    liars: tuple[str, ...] = ()


def added(vectors: Iterable[Whole]) -> Whole:
    """Return the sum of masked vectors, each [size]; one at a time, so that memory does not grow with sites.

    Raises:
        FederationError: there is none, or they differ in length or type.
    """
    total: Whole | None = None
    for vector in vectors:
        if total is None:
            total = vector.copy()
        elif vector.shape != total.shape or vector.dtype != total.dtype:
            raise FederationError("masked vectors of a secure sum differ in length", code="wrong-shape")
        else:
            total += vector
    if total is None:
        raise FederationError("no masked vector came", code="cohort-too-small")
    return total


def unmasked(
    total: Whole,
    members: Sequence[Member],
    givers: Sequence[str],
    survivors: Sequence[str],
    shares: Mapping[str, Mapping[str, bytes]],
    occasion: Occasion,
    least: int,
    terms: str = "",
    degree: int | None = None,
) -> Unmasked:
    """Take the masks off a sum.

    Args:
        total: the sum of the survivors' masked vectors, [size].
        members: the cohort, by key.
        givers: who sealed shares.
        survivors: whose vectors are in the sum.
        shares: holder -> owner -> the holder's share of the owner's secret: of its own mask, if it survived, else of
            its mask key.
        occasion: the sum.
        least: the least cohort.
        terms: what all vectors agreed on.
        degree: neighbours with whom masks are shared; None for all.

    Raises:
        FederationError: too few survivors (``cohort-too-small``) or shares (``too-few-shares``), or too many forged
            ones (``forged-share``).
    """
    if len(survivors) < least:
        raise FederationError(
            f"{len(survivors)} sites are in a secure sum and {least} are needed", code="cohort-too-small"
        )
    near = neighbourhoods([one.key for one in members], digest_of(members), degree)
    known, alive = {one.key: one for one in members}, set(survivors)
    found, liars = total.copy(), set[str]()
    for owner in givers:
        around, member = near[owner], known[owner]
        needed = threshold_of(len(around), least, len(around) == len(members))
        held = {
            place: shares[holder][owner]
            for place, holder in enumerate(around, 1)
            if shares.get(holder, {}).get(owner, MISSING) != MISSING
        }

        def fits(secret: bytes, member: Member = member, alive: bool = owner in alive) -> bool:
            if alive:
                return own_mark(secret, occasion) == member.own
            return masks_key(secret, occasion) == member.masks

        others = {key: known[key].masks for key in around if key in alive and key != owner}
        if owner not in alive and not others:
            continue
        back = recovered(held, needed, fits)
        liars |= {around[place - 1] for place in back.forged}
        if owner in alive:
            found -= own_mask(back.secret, occasion, total.size, total.dtype)
        else:  # what its neighbours added for it, with the other sign
            found += pairwise_masks(back.secret, owner, others, occasion, terms, total.size, total.dtype)
    return Unmasked(np.asarray(found), tuple(sorted(liars)))
