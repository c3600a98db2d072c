"""Signatures hold for one key and one message; a site's identity shows nothing of its secret."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fedprompt.trust.signing import Signer, fingerprint, is_signed, site_identity

# RFC 8032, section 7.1, test 2.
PRIVATE = bytes.fromhex("4ccd089b28ff96da9db6c346ec114e0f5b8a319f35aba624da8cf6ed4fb8a6fb")
PUBLIC = "3d4017c3e843895a92b70aa74d1b7ebc9c982ccf2ec4968cc0cd55f12af4660c"
SIGNATURE = bytes.fromhex(
    "92a009a9f0d4cab8720e820b5f642540a2b27b5416503f8fb3762223ebdb69da"
    "085ac1e43e15996e458f3613d0f11d8c387b2eaeb4302aeeb00d291612bb0c00"
)


def test_the_standards_example_holds() -> None:
    signer = Signer(PRIVATE)
    assert signer.key == PUBLIC
    assert signer.sign(b"\x72") == SIGNATURE
    assert is_signed(PUBLIC, b"\x72", SIGNATURE)


@given(message=st.binary(max_size=64), bit=st.integers(0, 511))
def test_one_bit_spoils_a_signature(message: bytes, bit: int) -> None:
    signer = Signer(PRIVATE)
    signature = bytearray(signer.sign(message))
    assert is_signed(signer.key, message, bytes(signature))
    signature[bit // 8] ^= 1 << bit % 8
    assert not is_signed(signer.key, message, bytes(signature))
    assert not is_signed(signer.key, message + b"x", signer.sign(message))


@pytest.mark.parametrize("key", ["", "00", "zz" * 32, PUBLIC[:-2], PUBLIC + "00"])
def test_what_is_no_key_signed_nothing(key: str) -> None:
    assert not is_signed(key, b"\x72", SIGNATURE)


def test_a_site_is_known_by_its_secret_and_told_apart_by_it() -> None:
    one, two = site_identity(bytes(32)), site_identity(bytes([1]) * 32)
    assert one != two and one == site_identity(bytes(32))
    assert one.startswith("k1:") and one != fingerprint(bytes(32).hex())
