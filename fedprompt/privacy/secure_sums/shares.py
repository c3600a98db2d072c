"""A secret cut into shares, of which so many put it together again and fewer say nothing: Shamir 1979.

The arithmetic is PyCryptodome's (``Crypto.Protocol.SecretSharing``, GF(2^128)). A share travels sealed with
ChaCha20-Poly1305 (RFC 8439) under a key that two sites agreed on for this sum, this direction and this cohort; each
such key seals one message, so that a nonce of zeros is right.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from itertools import combinations, islice

from fedprompt.errors import FederationError
from fedprompt.privacy.secure_sums.keys import SECRET_BYTES

__all__ = ["PAIR_BYTES", "SEALED_BYTES", "Recovered", "opened", "recovered", "sealed", "split"]

PAIR_BYTES = 2 * SECRET_BYTES  # a share of the own mask's secret, and one of the mask key's
SEALED_BYTES = PAIR_BYTES + 16
NONCE = bytes(12)
MOST_TRIES = 200


@dataclass(frozen=True)
class Recovered:
    """A secret, and the places of the shares that do not belong to it."""

    secret: bytes
    forged: tuple[int, ...] = ()


def split(secret: bytes, needed: int, places: int) -> list[bytes]:
    """Return the shares of a secret of 16 bytes for the places 1 to ``places``, of which ``needed`` give it back."""
    from Crypto.Protocol.SecretSharing import Shamir

    return [bytes(share) for _, share in Shamir.split(needed, places, secret)]


def recovered(shares: Mapping[int, bytes], needed: int, is_right: Callable[[bytes], bool]) -> Recovered:
    """Return the secret that shares give.

    Args:
        shares: by place from 1.
        needed: how many of them give the secret.
        is_right: knows the secret.

    Raises:
        FederationError: there are too few (``too-few-shares``), or too many of them are forged (``forged-share``).
    """
    if len(shares) < needed:
        raise FederationError(
            f"{len(shares)} shares of a site's secret came, and {needed} are needed", code="too-few-shares"
        )
    places = sorted(shares)
    for tried in islice(combinations(places, needed), MOST_TRIES):
        secret = _combined({place: shares[place] for place in tried})
        if not is_right(secret):
            continue
        if list(tried) == places[:needed]:
            return Recovered(secret)
        most = tried[:-1]
        forged = [
            place
            for place in places
            if place not in tried and _combined({at: shares[at] for at in (*most, place)}) != secret
        ]
        return Recovered(secret, tuple(forged))
    raise FederationError(
        "the shares of a site's secret do not fit together, so some of them are forged", code="forged-share"
    )


def sealed(key: bytes, pair: bytes, cohort: str) -> bytes:
    """Return two shares as they travel to one site; ``cohort`` is the digest that they are bound to."""
    from cryptography.hazmat.primitives.ciphers.aead import ChaCha20Poly1305

    return ChaCha20Poly1305(key).encrypt(NONCE, pair, cohort.encode())


def opened(key: bytes, data: bytes, cohort: str) -> bytes | None:
    """Return the two shares that were sealed, None where this is not what was sealed for this site and cohort."""
    from cryptography.exceptions import InvalidTag
    from cryptography.hazmat.primitives.ciphers.aead import ChaCha20Poly1305

    try:
        found = ChaCha20Poly1305(key).decrypt(NONCE, data, cohort.encode())
    except InvalidTag:
        return None
    return found if len(found) == PAIR_BYTES else None


def _combined(shares: Mapping[int, bytes]) -> bytes:
    from Crypto.Protocol.SecretSharing import Shamir

    return bytes(Shamir.combine(list(shares.items())))
