"""Which public texts a pack that comes with fedprompt was made from, as digests: the texts themselves are not kept.

A file ``NAME.texts`` beside a public pack holds 8 bytes of a digest for each text, sorted. Invariant: a text is known
again whatever its case and white space; the chance that another text has the digest of one of a few thousand is below
1 in 10^15.
"""

import hashlib
from collections.abc import Iterable
from pathlib import Path

from fedprompt.errors import FedPromptError
from fedprompt.evaluation.cases import Case, normalise

__all__ = ["BYTES", "pack_bytes", "read_digests", "text_digest"]

BYTES = 8


def text_digest(case: Case) -> bytes:
    """Return the digest of a case's texts; the names of its fields play no part."""
    texts = "\n".join(normalise(text) for _, text in sorted(case.fields.items()))
    return hashlib.blake2b(texts.encode(), digest_size=BYTES).digest()


def pack_bytes(cases: Iterable[Case]) -> bytes:
    """Return the content of a file of digests."""
    return b"".join(sorted({text_digest(case) for case in cases}))


def read_digests(path: Path) -> frozenset[bytes]:
    """Return the digests of a file; none where there is no file.

    Raises:
        FedPromptError: it is damaged.
    """
    try:
        held = path.read_bytes()
    except FileNotFoundError:
        return frozenset()
    except OSError as error:
        raise FedPromptError(f"{path}: cannot be read ({error.strerror})", code="cannot-read") from error
    if len(held) % BYTES:
        raise FedPromptError(f"{path} is incomplete; install fedprompt again", code="damaged")
    return frozenset(held[at : at + BYTES] for at in range(0, len(held), BYTES))
