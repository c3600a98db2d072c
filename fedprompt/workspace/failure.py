"""One sentence and one code for any error, so nobody reads a traceback; a trace for the log without a case's text.

Invariant: the message of an error that nobody foresaw is in neither, since libraries quote what they were given.
"""

import errno
import logging
import traceback
from pathlib import Path
from types import TracebackType
from typing import NamedTuple

from fedprompt.errors import FedPromptError

__all__ = ["Failure", "Traces", "failure_of", "sentence_of"]

FULL = "the disk is full{}; free some space, then run the same command to resume"


class Failure(NamedTuple):
    """What is told of an error: the code for programs, the sentence for people."""

    sentence: str
    code: str


def sentence_of(error: BaseException, details: str = "the log has the details") -> str:
    """Return the sentence of :func:`failure_of`."""
    return failure_of(error, details).sentence


def failure_of(error: BaseException, details: str = "the log has the details") -> Failure:
    """Return what happened and what to do next in one sentence, and its code.

    Args:
        error: any error.
        details: where to read on after one that nobody foresaw.
    """
    if isinstance(error, FedPromptError):
        return Failure(str(error), error.code)
    for cause in _chain(error):
        if isinstance(cause, OSError) and cause.errno == errno.ENOSPC:
            return Failure(FULL.format(f" ({cause.filename})" if cause.filename else ""), code="disk-full")
        if "database or disk is full" in str(cause):
            return Failure(FULL.format(""), code="disk-full")
    if isinstance(error, MemoryError):
        return Failure("memory is full; close other programs, or use fewer or shorter cases", code="memory-full")
    if (found := _foreseen(error)) is not None:
        return found
    if isinstance(error, OSError) and error.strerror:
        where = f"{error.filename}: " if error.filename else ""
        return Failure(f"{where}{error.strerror.lower()}; check the path and its permissions", code="system")
    return Failure(f"an unexpected error ({type(error).__name__}{_place(error)}); {details}", code="unexpected")


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


def _foreseen(error: BaseException) -> Failure | None:
    """Return what is told of what names, paths and texts from outside can bring about anywhere."""
    said = str(error)
    if isinstance(error, UnicodeError):
        return Failure(
            "a name or a text has characters that are not valid UTF-8; rename the file or write the text again",
            code="not-utf-8",
        )
    if isinstance(error, ValueError) and ("null byte" in said or "null character" in said):
        return Failure("a path or a text has the character NUL, which file names cannot have; remove it", code="nul")
    if isinstance(error, RuntimeError) and "home directory" in said:
        return Failure(
            "'~' has no meaning here because this user has no home directory; write the path in full", code="no-home"
        )
    if isinstance(error, RuntimeError) and "start new thread" in said:
        return Failure(
            "this machine cannot start more threads for this user; end other programs or raise the limit (ulimit -u)",
            code="no-more-threads",
        )
    if isinstance(error, RecursionError):
        return Failure("the input is nested too deeply; use fewer levels", code="nested-too-deep")
    return None


def _chain(error: BaseException | None) -> list[BaseException]:
    found: list[BaseException] = []
    while error is not None and error not in found:
        found.append(error)
        error = error.__cause__ or error.__context__
    return found
