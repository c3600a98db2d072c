"""Signatures by the keys of certificates: the authority vouches to its sites, and a site signs what it hands over.

RSASSA-PSS with SHA-256 (RFC 8017). Whoever joined holds the authority's certificate. A message begins with a line that
says what it is, so that it never passes for something else.
"""

from pathlib import Path
from typing import TYPE_CHECKING

from fedprompt.errors import FederationError

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicKey
    from cryptography.x509 import Certificate

__all__ = ["is_vouched", "member_that_signed", "sign_as_member", "vouch"]

MAX_BYTES = 64 * 1024


def vouch(hub: Path, message: bytes) -> bytes:
    """Return the authority's signature of a message.

    Args:
        hub: the hub's folder, which holds ``ca``.

    Raises:
        FederationError: the authority's key is missing or damaged.
    """
    return _sign(hub / "ca" / "rootCA.key", message)


def is_vouched(kit: Path, message: bytes, signature: bytes) -> bool:
    """Say whether the authority whose certificate a kit holds signed a message.

    Raises:
        FederationError: the certificate is missing or damaged.
    """
    from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicKey

    key = _certificate(kit / "startup" / "rootCA.pem").public_key()
    return isinstance(key, RSAPublicKey) and _verified(key, message, signature)


def sign_as_member(kit: Path, message: bytes) -> tuple[bytes, bytes]:
    """Return a site's signature of a message, and its certificate (PEM) to check it with.

    Raises:
        FederationError: the kit's key or certificate is missing or damaged.
    """
    try:
        certificate = (kit / "startup" / "client.crt").read_bytes()[:MAX_BYTES]
    except OSError as error:
        raise FederationError(
            f"{kit}: the site's certificate cannot be read; join again", code="cannot-read"
        ) from error
    return _sign(kit / "startup" / "client.key", message), certificate


def member_that_signed(hub: Path, certificate: bytes, message: bytes, signature: bytes) -> str | None:
    """Return the name of the site that signed a message; None where the authority did not admit it, or it did not.

    Raises:
        FederationError: the authority's certificate is missing or damaged.
    """
    from cryptography.exceptions import InvalidSignature
    from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicKey
    from cryptography.x509 import NameOID, load_pem_x509_certificate

    root = _certificate(hub / "ca" / "rootCA.pem")
    try:
        own = load_pem_x509_certificate(certificate)
        own.verify_directly_issued_by(root)
    except (ValueError, TypeError, InvalidSignature):
        return None
    key = own.public_key()
    names = own.subject.get_attributes_for_oid(NameOID.COMMON_NAME)
    if not isinstance(key, RSAPublicKey) or len(names) != 1 or not _verified(key, message, signature):
        return None
    return str(names[0].value)


def _sign(path: Path, message: bytes) -> bytes:
    from cryptography.hazmat.primitives import hashes
    from cryptography.hazmat.primitives.asymmetric.padding import MGF1, PSS
    from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey
    from cryptography.hazmat.primitives.serialization import load_pem_private_key

    try:
        key = load_pem_private_key(path.read_bytes()[:MAX_BYTES], None)
    except (OSError, ValueError, TypeError) as error:
        raise FederationError(
            f"{path}: the key cannot be read; restore it from a backup", code="cannot-read"
        ) from error
    if not isinstance(key, RSAPrivateKey):
        raise FederationError(f"{path} is not a key made by fedprompt; restore it from a backup", code="not-a-key")
    return key.sign(message, PSS(MGF1(hashes.SHA256()), PSS.DIGEST_LENGTH), hashes.SHA256())


def _verified(key: "RSAPublicKey", message: bytes, signature: bytes) -> bool:
    from cryptography.exceptions import InvalidSignature
    from cryptography.hazmat.primitives import hashes
    from cryptography.hazmat.primitives.asymmetric.padding import MGF1, PSS

    try:
        key.verify(signature, message, PSS(MGF1(hashes.SHA256()), PSS.DIGEST_LENGTH), hashes.SHA256())
    except InvalidSignature:
        return False
    return True


def _certificate(path: Path) -> "Certificate":
    from cryptography.x509 import load_pem_x509_certificate

    try:
        return load_pem_x509_certificate(path.read_bytes()[:MAX_BYTES])
    except (OSError, ValueError) as error:
        raise FederationError(
            f"{path}: the certificate cannot be read; restore it from a backup", code="cannot-read"
        ) from error
