"""Who signed an export that lies on this machine, as the file itself says."""

from pathlib import Path

from fedprompt.boundary.checked import Bounds, Unfit, checked_json
from fedprompt.errors import ExportError
from fedprompt.exports.archive import open_archive
from fedprompt.exports.bundle_schema import Signature
from fedprompt.trust.signing import fingerprint

__all__ = ["signed_by"]

FILE = "signature.json"
MAX_BYTES = 4096
_BOUNDS = Bounds(MAX_BYTES, values=10, nested=1, members=5, depth=1)


def signed_by(path: Path) -> str | None:
    """Return the fingerprint of the key that an export names as its signer's; None where it is not signed.

    The signature itself is checked when the export is read in, not here.

    Args:
        path: what was written; only a zip can hold a signature.
    """
    if path.suffix.lower() != ".zip":
        return None
    try:
        with open_archive(path) as archive:
            found = next((name for name in archive.names if name.rpartition("/")[2] == FILE), None)
            if found is None:
                return None
            return fingerprint(checked_json(Signature, archive.read(found, MAX_BYTES), _BOUNDS, strict=True).key)
    except (ExportError, Unfit):
        return None
