"""A secure sum of made-up sites, taken step by step, so that a test can put a hostile hub or site in between."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from fedprompt.privacy.secure_sums.fixed_point import FixedPoint
from fedprompt.privacy.secure_sums.keys import Member
from fedprompt.privacy.secure_sums.masks import Whole
from fedprompt.privacy.secure_sums.occasion import Occasion
from fedprompt.privacy.secure_sums.participant import Participant
from fedprompt.study.secure_sums import least_cohort
from fedprompt.trust.signing import Signer

__all__ = ["OCCASION", "SumSites", "updates_of"]

OCCASION = Occasion("s1:" + "0" * 32, 1, 0)


def updates_of(sites: int, numbers: int = 6, seed: int = 0) -> tuple[NDArray[np.float32], NDArray[np.int64]]:
    """Return updates ([sites, numbers] float32) and weights ([sites])."""
    rng = np.random.default_rng(seed)
    return rng.normal(0, 0.1, (sites, numbers)).astype(np.float32), rng.integers(30, 90, sites)


class SumSites:
    """Sites, and all that a hub holds of them: ``members``, ``given`` (giver -> taker -> sealed), ``masked``."""

    def __init__(self, sites: int, seed: int = 0) -> None:
        self.deltas, self.weights = updates_of(sites, seed=seed)
        self.fixed = FixedPoint(2.0, 100, sites)
        self.least = least_cohort(sites)
        self.signers = sorted((Signer(bytes([place + 1] * 32)) for place in range(sites)), key=lambda one: one.key)
        self.keys = [signer.key for signer in self.signers]
        begun = [Participant.begin(OCCASION, signer) for signer in self.signers]
        self.sites = {one.key: one for one, _ in begun}
        self.members: list[Member] = [member for _, member in begun]
        self.given: dict[str, dict[str, bytes]] = {}
        self.masked: dict[str, Whole] = {}

    def share(self, keys: Sequence[str] | None = None) -> None:
        """Have sites cut and seal their secrets."""
        for key in keys or self.keys:
            self.sites[key], self.given[key] = self.sites[key].share(self.members, self.least)

    def received(self, key: str) -> dict[str, bytes]:
        """Return what the others sealed for a site."""
        return {giver: sealed[key] for giver, sealed in self.given.items() if giver != key}

    def mask(self, keys: Sequence[str] | None = None) -> None:
        """Have sites hide their vectors."""
        for key in keys or self.keys:
            place = self.keys.index(key)
            vector = self.fixed.encoded(self.deltas[place], int(self.weights[place]))
            self.sites[key], self.masked[key] = self.sites[key].mask(vector, self.received(key), sorted(self.given))

    def confirm(self, survivors: Sequence[str], keys: Sequence[str] | None = None) -> dict[str, bytes]:
        """Have sites sign the survivors."""
        found = {}
        for key in keys or survivors:
            signer = self.signers[self.keys.index(key)]
            self.sites[key], found[key] = self.sites[key].confirm(list(survivors), signer)
        return found

    def reveal(self, signatures: dict[str, bytes], keys: Sequence[str]) -> dict[str, dict[str, bytes]]:
        """Have sites give their shares."""
        found = {}
        for key in keys:
            self.sites[key], found[key] = self.sites[key].reveal(signatures)
        return found

    def plain(self, keys: Sequence[str]) -> NDArray[np.float64]:
        """Return the weighted mean of some sites' updates as it is without masks."""
        places = [self.keys.index(key) for key in keys]
        weights = self.weights[places].astype(np.float64)
        return np.asarray((self.deltas[places] * weights[:, None]).sum(axis=0) / weights.sum())
