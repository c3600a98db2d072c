"""One sentence for any error, so that nobody has to read a traceback."""

import errno

from fedprompt.errors import FedPromptError

__all__ = ["sentence_of"]

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
    return f"an unexpected error ({type(error).__name__}: {str(error)[:200]}); {details}"


def _chain(error: BaseException | None) -> list[BaseException]:
    found: list[BaseException] = []
    while error is not None and error not in found:
        found.append(error)
        error = error.__cause__ or error.__context__
    return found
