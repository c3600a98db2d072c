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
    if (found := _foreseen(error)) is not None:
        return found
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


def _foreseen(error: BaseException) -> str | None:
    """Return the sentence for what names, paths and texts from outside can bring about anywhere."""
    said = str(error)
    if isinstance(error, UnicodeError):
        return (
            "a name or a text holds characters that are none in UTF-8 (half of a pair, or bytes of another encoding); "
            "rename the file or write the text anew"
        )
    if isinstance(error, ValueError) and ("null byte" in said or "null character" in said):
        return "a path or a text holds the character NUL, which no file name has; write it without"
    if isinstance(error, RuntimeError) and "home directory" in said:
        return "this user has no home directory, which '~' stands for; write the path in full"
    if isinstance(error, RuntimeError) and "start new thread" in said:
        return "this machine starts no more threads for this user; end other programs or raise the limit (ulimit -u)"
    if isinstance(error, RecursionError):
        return "something is nested too deeply to be read; write it with fewer levels"
    return None


def _chain(error: BaseException | None) -> list[BaseException]:
    found: list[BaseException] = []
    while error is not None and error not in found:
        found.append(error)
        error = error.__cause__ or error.__context__
    return found
