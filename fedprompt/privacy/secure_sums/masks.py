"""Masks: streams of ChaCha20 (RFC 8439), added to a vector of whole numbers modulo 2^32 or 2^64.

A vector that carries one mask which nobody else knows is uniform, whatever it was: it says nothing by itself.
"""

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from fedprompt.privacy.secure_sums.keys import agreed, masks_private, opened_key
from fedprompt.privacy.secure_sums.occasion import Occasion, derived

__all__ = ["Whole", "own_mask", "pairwise_masks"]

Whole = NDArray[Any]
"""Unsigned whole numbers of 32 or 64 bits; sums wrap, and are meant to."""

NONCE = bytes(16)


def own_mask(secret: bytes, occasion: Occasion, size: int, dtype: Any) -> Whole:
    """Return the mask that a site adds for itself: [size] of ``dtype``."""
    return _stream(derived(secret, occasion.context("own mask")), size, dtype)


def pairwise_masks(
    secret: bytes, key: str, others: Mapping[str, str], occasion: Occasion, terms: str, size: int, dtype: Any
) -> Whole:
    """Return the sum of the masks that a site has with others: [size] of ``dtype``; over all sites they cancel.

    Args:
        secret: of the site's mask key.
        key: the site's signing key.
        others: signing key -> public mask key of each of the others.
        occasion: the sum.
        terms: what all vectors of the sum must agree on.
        size: of the vector.
        dtype: of its numbers.
    """
    private = opened_key(masks_private(secret, occasion))
    total = np.zeros(size, dtype)
    for other, public in others.items():
        low, high = sorted((key, other))
        mask = _stream(agreed(private, public, occasion.context("mask", low, high, terms)), size, dtype)
        if key == low:
            total += mask
        else:
            total -= mask
    return total


def _stream(key: bytes, size: int, dtype: Any) -> Whole:
    from cryptography.hazmat.primitives.ciphers import Cipher, algorithms

    cipher = Cipher(algorithms.ChaCha20(key, NONCE), mode=None).encryptor()
    number = np.dtype(dtype).newbyteorder("<")
    return np.frombuffer(cipher.update(bytes(size * number.itemsize)), number).astype(dtype)
