"""Regular expressions that come from a study, and so from another organisation: bounded in length, size and time.

A counted repeat is written out when a pattern is compiled, so ``((a{1000}){1000}){1000}`` takes all memory;
nested quantifiers take time without end when it is searched for. Invariant: neither happens here.
"""

import math
from functools import lru_cache
from typing import Annotated

import regex
from pydantic import AfterValidator, StringConstraints

__all__ = ["PatternTimeout", "SafePattern", "compiled", "finds"]

MAX_CHARS = 1000
MAX_REPEATS = 100_000
SECONDS = 0.25
_COUNTS = regex.compile(r"\{\s*(\d*)\s*,?\s*(\d*)\s*\}")


class PatternTimeout(Exception):
    """A search took longer than it may."""


@lru_cache(maxsize=256)
def compiled(pattern: str, ignore_case: bool = False) -> regex.Pattern[str]:
    """Return the compiled pattern.

    Raises:
        ValueError: it is too long, repeats too much, or is no regular expression.
    """
    if len(pattern) > MAX_CHARS:
        raise ValueError(f"a regular expression has at most {MAX_CHARS} characters, but this one has {len(pattern)}")
    counts = [max([int(digits[-9:]) for digits in found if digits], default=1) for found in _COUNTS.findall(pattern)]
    if any(len(digits) > 9 for found in _COUNTS.findall(pattern) for digits in found) or (
        math.prod(max(1, count) for count in counts) > MAX_REPEATS
    ):
        raise ValueError(f"the counts in braces multiply to more than {MAX_REPEATS:,}; use smaller counts")
    try:
        return regex.compile(pattern, regex.IGNORECASE if ignore_case else 0)
    except (regex.error, ValueError, TypeError, KeyError, IndexError, OverflowError) as error:
        raise ValueError(f"is not a valid regular expression ({error})") from error
    except (RecursionError, MemoryError) as error:
        raise ValueError("is nested too deeply for a regular expression") from error


def _checked(pattern: str) -> str:
    compiled(pattern)
    return pattern


SafePattern = Annotated[str, StringConstraints(min_length=1, max_length=MAX_CHARS), AfterValidator(_checked)]


def finds(
    pattern: str, text: str, *, whole: bool = False, ignore_case: bool = False, seconds: float = SECONDS
) -> "regex.Match[str] | None":
    """Return where the pattern is found in the text, or None.

    Args:
        whole: the pattern must be the whole text.
        seconds: how long it may take.

    Raises:
        ValueError: the pattern is refused.
        PatternTimeout: it took too long, or too much memory.
    """
    search = compiled(pattern, ignore_case)
    try:
        return search.fullmatch(text, timeout=seconds) if whole else search.search(text, timeout=seconds)
    except (TimeoutError, MemoryError, RecursionError) as error:
        raise PatternTimeout from error
