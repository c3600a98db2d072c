"""A site's keys for one sum: made anew, signed with the site's own key, and checked by every other site.

Invariant: whoever passes :func:`check_members` was signed for by a site of the list that the operator accepted, once.
So the hub can neither put itself between two sites nor add sites of its own.
"""

import hashlib
import secrets
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING, Annotated

from pydantic import StringConstraints

from fedprompt.boundary.closed import Closed
from fedprompt.errors import FederationError
from fedprompt.privacy.secure_sums.occasion import Occasion, derived
from fedprompt.prompts.ids import canonical_json
from fedprompt.trust.signing import Signer, fingerprint, is_signed

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey

__all__ = ["SECRET_BYTES", "Key", "Member", "Secrets", "Signature", "agreed", "check_members", "digest_of", "own_mark"]

Key = Annotated[str, StringConstraints(pattern=r"^[0-9a-f]{64}$")]
Signature = Annotated[str, StringConstraints(pattern=r"^[0-9a-f]{128}$")]
SECRET_BYTES = 16  # what the library of shares cuts; 128 bits, as much as X25519 holds


class Member(Closed):
    """What a site shows the others: its signing ``key``, two X25519 public keys, and a mark of its own mask's secret.

    ``masks`` is agreed on for pairwise masks, ``shares`` for sealing shares in transit. ``own`` is a SHA-256, by which
    a secret that was put together from shares is known to be the right one.
    """

    key: Key
    masks: Key
    shares: Key
    own: Key
    signature: Signature


@dataclass(frozen=True)
class Secrets:
    """What a site keeps for itself: what its mask key and own mask follow from (16 bytes each), and the sealing key."""

    masks: bytes
    own: bytes
    shares: bytes

    @classmethod
    def new(cls) -> "Secrets":
        """Return new ones; those of another sum are never used again."""
        return cls(secrets.token_bytes(SECRET_BYTES), secrets.token_bytes(SECRET_BYTES), secrets.token_bytes(32))

    def member(self, occasion: Occasion, signer: Signer) -> Member:
        """Return what the other sites are shown."""
        masks, shares = masks_key(self.masks, occasion), public_key(self.shares)
        own = own_mark(self.own, occasion)
        signature = signer.sign(_signed(occasion, masks, shares, own)).hex()
        return Member(key=signer.key, masks=masks, shares=shares, own=own, signature=signature)


def own_mark(secret: bytes, occasion: Occasion) -> str:
    """Return what is shown of the secret of a site's own mask: a SHA-256."""
    return hashlib.sha256(occasion.context("own mark") + secret).hexdigest()


def masks_private(secret: bytes, occasion: Occasion) -> bytes:
    """Return the X25519 private key that pairwise masks are agreed on with."""
    return derived(secret, occasion.context("mask key"))


def masks_key(secret: bytes, occasion: Occasion) -> str:
    """Return its public key."""
    return public_key(masks_private(secret, occasion))


def public_key(private: bytes) -> str:
    """Return the X25519 public key of a private one, 64 hexadecimal digits."""
    return opened_key(private).public_key().public_bytes_raw().hex()


def opened_key(private: bytes) -> "X25519PrivateKey":
    """Return a private key as :func:`agreed` takes it; making it costs as much as agreeing once."""
    from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey

    return X25519PrivateKey.from_private_bytes(private)


def agreed(private: "X25519PrivateKey", public: str, context: bytes) -> bytes:
    """Return the 32 bytes that two sites share for one purpose.

    Raises:
        FederationError: the public key is none that anything can be agreed on with.
    """
    from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PublicKey

    other = X25519PublicKey.from_public_bytes(bytes.fromhex(public))
    try:
        return derived(private.exchange(other), context)
    except ValueError as error:
        raise FederationError("a site's key for secure sums is no key", code="unknown-keys") from error


def check_members(
    members: Sequence[Member], occasion: Occasion, least: int, accepted: Collection[str] | None = None
) -> None:
    """Refuse keys that are not each signed by another site of the accepted list.

    Args:
        members: the cohort, by key.
        occasion: what their signatures must be for.
        least: how many there must be.
        accepted: fingerprints of the sites that may take part; None where whoever asks holds all of them.

    Raises:
        FederationError: too few (``cohort-too-small``); a key that is doubled, out of order, not accepted or not
            signed for this sum (``unknown-keys``).
    """
    if len(members) < least:
        raise FederationError(
            f"{len(members)} sites would take part in a secure sum, and {least} are needed", code="cohort-too-small"
        )
    for place, name in enumerate(("key", "masks", "shares", "own")):
        shown = [getattr(one, name) for one in members]
        if len(set(shown)) != len(shown) or (place == 0 and shown != sorted(shown)):
            raise FederationError("a site is twice in the cohort of a secure sum", code="unknown-keys")
    for one in members:
        if accepted is not None and fingerprint(one.key) not in accepted:
            raise FederationError(
                f"{fingerprint(one.key)} is none of the sites that the study names for secure sums", code="unknown-keys"
            )
        if not is_signed(one.key, _signed(occasion, one.masks, one.shares, one.own), bytes.fromhex(one.signature)):
            raise FederationError(
                f"the keys of {fingerprint(one.key)} are not signed for this secure sum", code="unknown-keys"
            )


def digest_of(members: Sequence[Member]) -> str:
    """Return the SHA-256 of a cohort with all its keys."""
    return _digest_of(tuple(members))


@lru_cache(maxsize=4)
def _digest_of(members: tuple[Member, ...]) -> str:
    return hashlib.sha256(canonical_json([one.model_dump() for one in members])).hexdigest()


def _signed(occasion: Occasion, masks: str, shares: str, own: str) -> bytes:
    return occasion.context("keys", masks, shares, own)
