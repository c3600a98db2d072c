"""A secret in a file of its own, made at first use and readable by its owner alone."""

import os
from collections.abc import Callable
from pathlib import Path

from fedprompt.errors import FedPromptError
from fedprompt.private_file import write_first

__all__ = ["secret_in"]


def secret_in(path: Path, what: str, make: Callable[[], bytes], most: int = 4096) -> bytes:
    """Return the bytes of a secret's file, made with mode 0600 where there is none.

    Args:
        path: the file; its folder must be there.
        what: what messages call it.
        make: gives the bytes of a new one.
        most: bytes that are read at the most; what is longer comes cut after one more.

    Raises:
        FedPromptError: it cannot be made or read, or others can read it.
    """
    try:
        if not path.exists():
            write_first(path, make())
        if not path.is_file():
            raise FedPromptError(
                f"{path} is not a regular file, but {what} must be in one; give another path", code="not-a-file"
            )
        with path.open("rb") as file:
            if os.fstat(file.fileno()).st_mode & 0o077:
                raise FedPromptError(
                    f"{path} is readable by others; check who had access, then run 'chmod 600' on it",
                    code="others-can-read",
                )
            return file.read(most + 1)
    except OSError as error:
        raise FedPromptError(
            f"{path}: {what} cannot be created or read ({error.strerror})", code="cannot-read"
        ) from error
