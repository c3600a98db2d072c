"""Ed25519 signatures (RFC 8032); who somebody is, is the fingerprint of their public key.

Whoever signs begins the message with a line that says what it is (``fedprompt bank event 1``), so that what was signed
as one thing can never be shown as another.
"""

from fedprompt.prompts.ids import content_id

__all__ = ["KEY_BYTES", "Signer", "fingerprint", "is_signed", "site_identity", "site_signer"]

KEY_BYTES = 32
SITE = b"fedprompt site identity"


class Signer:
    """Holds a private key of 32 bytes, and never shows it; ``key`` is the public one, 64 hexadecimal digits."""

    def __init__(self, private: bytes) -> None:
        from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

        self._private = Ed25519PrivateKey.from_private_bytes(private)
        self.key = self._private.public_key().public_bytes_raw().hex()

    @property
    def fingerprint(self) -> str:
        """Who signs: ``k1:`` and the blake2b-128 of the public key."""
        return fingerprint(self.key)

    def sign(self, message: bytes) -> bytes:
        """Return the signature of a message, 64 bytes."""
        return self._private.sign(message)


def fingerprint(key: str) -> str:
    """Return the name of a public key given in hexadecimal.

    Raises:
        ValueError: it is not hexadecimal.
    """
    return content_id("k1", bytes.fromhex(key))


def is_signed(key: str, message: bytes, signature: bytes) -> bool:
    """Return whether the holder of a public key (hexadecimal) signed a message; False of what is no key at all."""
    from cryptography.exceptions import InvalidSignature
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

    try:
        Ed25519PublicKey.from_public_bytes(bytes.fromhex(key)).verify(signature, message)
    except (InvalidSignature, ValueError):
        return False
    return True


def site_identity(secret: bytes) -> str:
    """Return who a site is: the fingerprint of the key that it signs with. The secret cannot be learnt from it."""
    return site_signer(secret).fingerprint


def site_signer(secret: bytes) -> Signer:
    """Return what a site signs with: a key that HKDF (RFC 5869) derives from its secret."""
    from cryptography.hazmat.primitives.hashes import SHA256
    from cryptography.hazmat.primitives.kdf.hkdf import HKDF

    return Signer(HKDF(SHA256(), KEY_BYTES, salt=None, info=SITE).derive(secret))
