"""A site's own lists of its cases: JSON files, private, replaced as a whole, and read within a bound."""

import json
from pathlib import Path
from typing import Any

from fedprompt.errors import DataError
from fedprompt.private_file import write_private

__all__ = ["read_stored", "write_stored"]

MAX_BYTES = 1024**3


def read_stored(path: Path, what: str, mend: str) -> Any:
    """Return the JSON in a file, or None where there is no such file.

    Args:
        what: it is, with its article, for messages.
        mend: what to do where it is damaged.

    Raises:
        DataError: the file cannot be read, is too large or is not JSON.
    """
    try:
        if path.stat().st_size > MAX_BYTES:
            raise DataError(f"{path}: larger than {MAX_BYTES:,} bytes, so not {what}; {mend}", code="too-large")
        found = json.loads(path.read_bytes())
        if found is None:  # it would look like no file
            raise ValueError
        return found
    except FileNotFoundError:
        return None
    except OSError as error:
        raise DataError(
            f"{path}: cannot be read ({error.strerror}); check its permissions", code="cannot-read"
        ) from error
    except (ValueError, RecursionError):
        raise DataError(f"{path}: damaged, not JSON; {mend}", code="damaged") from None


def write_stored(path: Path, body: str) -> None:
    """Write such a file.

    Raises:
        DataError: it cannot be written.
    """
    try:
        write_private(path, body)
    except OSError as error:
        raise DataError(
            f"{path}: cannot be written ({error.strerror}); check the folder and free space", code="cannot-write"
        ) from error
