"""The standard streams of the command line: any text can be written to them, and a reader that goes away is no error.

Invariant: what a stream cannot hold is written as an escape and never ends a command; where a stream was
closed before the start, nothing that is opened later takes its number.
"""

import os
import sys
from typing import TextIO

__all__ = ["flushed", "holds", "is_utf8", "open_streams"]

STREAMS = (("stdin", 0, "r"), ("stdout", 1, "w"), ("stderr", 2, "w"))


def open_streams() -> None:
    """Open closed streams onto the null device, and make all streams accept any text."""
    for name, number, mode in STREAMS:
        if getattr(sys, name) is None:
            _onto_nothing(number)
            setattr(sys, name, open(number, mode, encoding="utf-8", closefd=False))  # noqa: SIM115
    for stream in (sys.stdout, sys.stderr):
        if (reconfigure := getattr(stream, "reconfigure", None)) is not None:
            reconfigure(errors="backslashreplace")


def holds(text: str, stream: TextIO) -> bool:
    """Return whether a stream's encoding has all of a text's characters."""
    try:
        text.encode(getattr(stream, "encoding", None) or "utf-8")
    except (UnicodeError, LookupError):
        return False
    return True


def is_utf8(stream: TextIO) -> bool:
    """Return whether a stream is written in UTF-8."""
    return (getattr(stream, "encoding", None) or "utf-8").lower().replace("_", "-") in ("utf-8", "utf8")


def flushed() -> OSError | None:
    """Flush the streams, and return the error if that fails. The interpreter's own flush comes too late."""
    found: OSError | None = None
    for stream, number in ((sys.__stdout__, 1), (sys.__stderr__, 2)):
        try:
            if stream is not None and not stream.closed:
                stream.flush()
        except OSError as error:
            _onto_nothing(number)
            found = found or error
    return found


def _onto_nothing(number: int) -> None:
    nothing = os.open(os.devnull, os.O_RDWR)
    if nothing != number:
        os.dup2(nothing, number)
        os.close(nothing)
