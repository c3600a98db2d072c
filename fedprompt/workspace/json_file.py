"""JSON objects in private files of a home, and the time as they write it."""

import json
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from fedprompt.boundary.checked import Bounds, Unfit, plain_json
from fedprompt.errors import FederationError
from fedprompt.private_file import write_private

__all__ = ["now", "read_json", "write_json"]

MAX_JSON_BYTES = 4 * 1024 * 1024
_BOUNDS = Bounds(MAX_JSON_BYTES, values=200_000, nested=20_000, members=10_000)


def now() -> str:
    """Return the time as ISO 8601 in UTC."""
    return datetime.now(UTC).isoformat(timespec="seconds")


def read_json(path: Path) -> dict[str, Any] | None:
    """Return the object in a file, None where there is no file.

    Raises:
        FederationError: it is too large or not a JSON object.
    """
    try:
        if path.exists() and not path.is_file():
            raise FederationError(f"{path} is not a regular file; give the file that you received", code="not-a-file")
        with path.open("rb") as file:
            data = file.read(MAX_JSON_BYTES + 1)
        found = plain_json(data, _BOUNDS)
    except FileNotFoundError:
        return None
    except OSError as error:
        raise FederationError(
            f"{path}: cannot be read ({error.strerror}); check its permissions", code="cannot-read"
        ) from error
    except Unfit as error:
        raise FederationError(f"{path}: {error}; restore a backup", code="damaged") from None
    if not isinstance(found, dict):
        raise FederationError(f"{path} was not written by fedprompt; restore a backup", code="damaged")
    return found


def write_json(path: Path, value: Mapping[str, Any]) -> None:
    """Write an object, mode 0600, all of it or nothing."""
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    write_private(path, json.dumps(dict(value), indent=1, ensure_ascii=False))
