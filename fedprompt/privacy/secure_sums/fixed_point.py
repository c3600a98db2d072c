"""Updates as whole numbers whose weighted sum over all sites cannot wrap, with each site's weight among them.

A site's vector is ``rint(weight x number x scale)`` for each number, and its weight at the end. With ``bound`` on the
norm of an update, ``most`` on a weight and ``sites`` sites, ``scale = (2^(bits - 1) - 1 - sites) / (sites x most x
bound)``, rounded down to a power of two, so that no sum reaches ``2^(bits - 1)``. The mean differs from the exact one
by at most half a step a site, ``sites / (2 x scale x total weight)``.
"""

import math
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from fedprompt.errors import FederationError
from fedprompt.privacy.secure_sums.masks import Whole
from fedprompt.strategies.clipping import clip

__all__ = ["FixedPoint"]

ROUNDED = 1 + 1e-6  # a norm in float32 may be that much above its bound
FINE = 2**20  # levels that a single site's numbers have at least; 64 bits where 32 hold fewer


@dataclass(frozen=True)
class FixedPoint:
    """How numbers of a sum are written.

    Attributes:
        bound: the longest that an update may be (Euclidean norm), above 0.
        most: the highest weight of a site, 1 or more.
        sites: how many sites there may be in the sum.
    """

    bound: float
    most: int
    sites: int

    @property
    def bits(self) -> Literal[32, 64]:
        """32, or 64 where 32 would be too coarse or could not hold the weights."""
        return 32 if self._room(32) // self.sites >= FINE and self.sites * self.most < 2**31 else 64

    @property
    def dtype(self) -> type[np.unsignedinteger]:
        """The numbers' type."""
        return np.uint32 if self.bits == 32 else np.uint64

    @property
    def scale(self) -> float:
        """What a weighted number is multiplied by."""
        return 2.0 ** math.floor(math.log2(self._room(self.bits) / (self.sites * self.most * self.bound * ROUNDED)))

    def step(self, weight: int) -> float:
        """Return the most by which a mean over ``weight`` cases differs from the exact one."""
        return self.sites / (2 * self.scale * weight)

    def encoded(self, delta: NDArray[np.float32], weight: int) -> Whole:
        """Return a site's vector: [numbers + 1] of ``dtype``.

        Args:
            delta: any shape, float32; cut to ``bound`` where it is longer.
            weight: what it counts, at most ``most``.

        Raises:
            FederationError: it is not finite, or the weight is out of bounds.
        """
        if not 0 < weight <= self.most or not np.isfinite(delta).all():
            raise FederationError("an update that is not finite or weighs too much cannot be summed", code="not-finite")
        short = clip(delta, self.bound).astype(np.float64).reshape(-1)
        numbers = np.rint(short * (weight * self.scale)).astype(np.int64)
        return np.append(numbers, np.int64(weight)).astype(np.uint64).astype(self.dtype)

    def decoded(self, total: Whole) -> tuple[NDArray[np.float64], int]:
        """Return the weighted mean ([numbers] float64) and the weight of a sum of such vectors.

        Raises:
            FederationError: no such sites can have made it.
        """
        signed = total.astype(self.dtype).view(np.int32 if self.bits == 32 else np.int64)
        weight = int(signed[-1])
        if not 0 < weight <= self.sites * self.most:
            raise FederationError(f"a secure sum has the weight {weight:,}, which no sites can have", code="wrong-sum")
        mean = signed[:-1].astype(np.float64) / (self.scale * weight)
        if not float(np.linalg.norm(mean)) <= self.bound + self.step(weight) * math.sqrt(max(1, mean.size)):
            raise FederationError(
                f"the mean of a secure sum is {float(np.linalg.norm(mean)):.3g} long, and no update may be longer than "
                f"{self.bound:.3g}: a site sent what no study's steps make",
                code="wrong-sum",
            )
        return mean, weight

    def _room(self, bits: int) -> int:
        return (1 << (bits - 1)) - 1 - self.sites  # what rounding adds is less than a whole number for each site
