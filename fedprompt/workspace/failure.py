"""One sentence for any error, so that nobody has to read a traceback; a trace for the log, without a case's text.

Invariant: the message of an error that nobody foresaw is in neither, since libraries quote what they were given.
"""

import errno
import logging
import traceback
from pathlib import Path
from types import TracebackType

from fedprompt.errors import FedPromptError

__all__ = ["Traces", "sentence_of"]

FULL = "the disk is full{}; free some space and run the same again, it goes on where it stopped"


def sentence_of(error: BaseException, details: str = "the log has the details") -> str:
    """Return what happened and what to do next, in one sentence.

    Args:
        error: any error.
        details: where to read on after one that nobody foresaw.
    """
    if isinstance(error, FedPromptError):
        return str(error)
    for cause in _chain(error):
        if isinstance(cause, OSError) and cause.errno == errno.ENOSPC:
            return FULL.format(f" ({cause.filename})" if cause.filename else "")
        if "database or disk is full" in str(cause):
            return FULL.format("")
    if isinstance(error, MemoryError):
        return "the memory is full; close other programs or use fewer or shorter cases"
    if isinstance(error, OSError) and error.strerror:
        where = f"{error.filename}: " if error.filename else ""
        return f"{where}{error.strerror.lower()}; check the path and its permissions"
    return f"an unexpected error ({type(error).__name__}{_place(error)}); {details}"


class Traces(logging.Formatter):
    """Writes log lines; of an error it gives the lines of code and the kinds of errors, and only our own messages."""

    def formatException(
        self,
        ei: tuple[type[BaseException], BaseException, TracebackType | None] | tuple[None, None, None],
    ) -> str:
        """Return the trace, the first cause first."""
        lines = []
        for error in reversed(_chain(ei[1])):
            lines += traceback.format_tb(error.__traceback__)
            lines.append(f"{type(error).__name__}{f': {error}' if isinstance(error, FedPromptError) else ''}\n")
        return "".join(lines).rstrip()


def _place(error: BaseException) -> str:
    frames = traceback.extract_tb(error.__traceback__)
    return f" at {Path(frames[-1].filename).name}:{frames[-1].lineno}" if frames else ""


def _chain(error: BaseException | None) -> list[BaseException]:
    found: list[BaseException] = []
    while error is not None and error not in found:
        found.append(error)
        error = error.__cause__ or error.__context__
    return found
