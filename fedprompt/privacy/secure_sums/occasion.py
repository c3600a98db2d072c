"""What one secure sum is of, and what every secret and signature of it is bound to."""

from dataclasses import dataclass

from fedprompt.prompts.ids import canonical_json

__all__ = ["Occasion", "derived"]

LABEL = b"fedprompt secure sum 1\n"
KEY_BYTES = 32


@dataclass(frozen=True)
class Occasion:
    """One round of one run of a study: its digest, the round's number and the run's seed."""

    study: str
    round: int
    seed: int

    def context(self, what: str, *more: object) -> bytes:
        """Return bytes that name this sum and what they are for; signatures and derived keys begin with them."""
        return LABEL + canonical_json([what, self.study, self.round, self.seed, *more])


def derived(secret: bytes, context: bytes) -> bytes:
    """Return 32 bytes that HKDF-SHA256 (RFC 5869) derives from a secret for one purpose."""
    from cryptography.hazmat.primitives.hashes import SHA256
    from cryptography.hazmat.primitives.kdf.hkdf import HKDF

    return HKDF(SHA256(), KEY_BYTES, salt=None, info=context).derive(secret)
