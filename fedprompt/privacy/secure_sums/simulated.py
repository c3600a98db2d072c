"""A whole secure sum in memory, with sites that stay away at any step: what tests and benchmarks run."""

import time
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from fedprompt.privacy.secure_sums.fixed_point import FixedPoint
from fedprompt.privacy.secure_sums.occasion import Occasion
from fedprompt.privacy.secure_sums.participant import Participant
from fedprompt.privacy.secure_sums.shares import SEALED_BYTES
from fedprompt.privacy.secure_sums.sums import added, unmasked
from fedprompt.study.secure_sums import least_cohort
from fedprompt.trust.signing import Signer

__all__ = ["STEPS", "Drop", "Simulated", "simulated_sum"]

Drop = Literal["keys", "shares", "masked", "confirm", "reveal"]
STEPS: tuple[Drop, ...] = ("keys", "shares", "masked", "confirm", "reveal")
SIGNATURE, KEY = 64, 32


@dataclass(frozen=True, eq=False)
class Simulated:
    """The weighted mean ([numbers] float64) over ``sites``, their ``weight``, and bytes by step to and from all sites.

    Bytes are of the arrays, keys and signatures alone, without the messages around them. ``seconds`` of the processor
    are those of all sites together, ``hub_seconds`` the hub's.
    """

    mean: NDArray[np.float64]
    weight: int
    sites: tuple[int, ...]
    down: Mapping[Drop, int] = field(default_factory=dict)
    up: Mapping[Drop, int] = field(default_factory=dict)
    seconds: float = 0.0
    hub_seconds: float = 0.0


def simulated_sum(
    deltas: NDArray[np.float32],
    weights: NDArray[np.int64],
    fixed: FixedPoint,
    *,
    drops: Mapping[Drop, Collection[int]] | None = None,
    least: int | None = None,
    degree: int | None = None,
    occasion: Occasion | None = None,
) -> Simulated:
    """Add up sites' updates as a federation does.

    Args:
        deltas: [sites, numbers] float32.
        weights: [sites], what each counts.
        fixed: how numbers are written.
        drops: step -> the places of sites that answer neither it nor any later one.
        least: the least cohort; as :func:`least_cohort` says if None.
        degree: neighbours with whom masks are shared; None for all.
        occasion: what the sum is of.

    Raises:
        FederationError: too few sites are left at a step.
    """
    away, occasion = drops or {}, occasion or Occasion("s1:" + "0" * 32, 1, 0)
    least = least_cohort(len(deltas)) if least is None else least
    signers = {place: Signer(place.to_bytes(32, "big")) for place in range(len(deltas))}
    place_of = {signer.key: place for place, signer in signers.items()}
    began = time.process_time()
    there, down, up = set(signers), dict.fromkeys(STEPS, 0), dict.fromkeys(STEPS, 0)

    there -= set(away.get("keys", ()))
    begun = {place: Participant.begin(occasion, signers[place]) for place in sorted(there)}
    sites = {place: one for place, (one, _) in begun.items()}
    members = tuple(sorted((member for _, member in begun.values()), key=lambda one: one.key))
    up["keys"] = len(members) * (4 * KEY + SIGNATURE)

    there -= set(away.get("shares", ()))
    given = {}
    for place in sorted(there):
        sites[place], given[signers[place].key] = sites[place].share(members, least, degree=degree)
        down["shares"] += len(members) * (4 * KEY + SIGNATURE)
        up["shares"] += SEALED_BYTES * len(given[signers[place].key])
    givers = tuple(sorted(given))

    there -= set(away.get("masked", ()))

    def masked(place: int) -> NDArray[np.unsignedinteger]:
        me = signers[place].key
        received = {key: sealed[me] for key, sealed in given.items() if me in sealed}
        sites[place], hidden = sites[place].mask(fixed.encoded(deltas[place], int(weights[place])), received, givers)
        down["masked"] += SEALED_BYTES * len(received) + KEY * len(givers)
        up["masked"] += hidden.nbytes
        return hidden

    total = added(map(masked, sorted(there)))  # the hub's part of it is an addition a site
    survivors = tuple(sorted(signers[place].key for place in there))

    there -= set(away.get("confirm", ()))
    signatures = {}
    for place in sorted(there):
        sites[place], signatures[signers[place].key] = sites[place].confirm(survivors, signers[place])
        down["confirm"] += KEY * len(survivors)
        up["confirm"] += SIGNATURE

    there -= set(away.get("reveal", ()))
    shares = {}
    for place in sorted(there):
        sites[place], shares[signers[place].key] = sites[place].reveal(signatures)
        down["reveal"] += (KEY + SIGNATURE) * len(signatures)
        up["reveal"] += sum(map(len, shares[signers[place].key].values()))
    left = time.process_time()
    found = unmasked(total, members, givers, survivors, shares, occasion, least, degree=degree)
    mean, weight = fixed.decoded(found.total)
    some = tuple(sorted(place_of[key] for key in survivors))
    return Simulated(mean, weight, some, down, up, left - began, time.process_time() - left)
