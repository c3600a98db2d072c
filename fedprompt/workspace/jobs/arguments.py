"""What a job of each kind takes, looked at before it runs: a job is started by pages, and taken up again from the bank.

Invariant: what a kind is not made for is refused by the argument's name, and never ends in an error of the language.
"""

import math
from collections.abc import Callable, Mapping
from typing import Any

from fedprompt.errors import JobError

__all__ = ["check_arguments"]

LARGEST = 2**63 - 1
Fits = Callable[[Any], bool]
What = tuple[str, Fits]


def _is_text(value: Any) -> bool:
    return isinstance(value, str) and bool(value) and "\0" not in value


def _is_whole(value: Any, least: int = 0) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and least <= value <= LARGEST


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value) and value >= 0


def _is_names(value: Any) -> bool:
    return isinstance(value, list | tuple) and all(map(_is_text, value))


def _is_pairs_of_names(value: Any) -> bool:
    return isinstance(value, list | tuple) and bool(value) and all(_is_names(one) and len(one) == 2 for one in value)


def _is_pairs(value: Any) -> bool:
    return isinstance(value, Mapping) and all(map(_is_text, value)) and all(map(_is_text, value.values()))


def _is_files(value: Any) -> bool:
    return (
        isinstance(value, Mapping)
        and all(map(_is_text, value))
        and all(v is None or _is_text(v) for v in value.values())
    )


def _one_of(*known: str) -> What:
    return f"one of {', '.join(known)}", lambda value: value in known and isinstance(value, str)


ANYTHING: What = ("anything", lambda value: True)
TEXT: What = ("text", _is_text)
WHOLE: What = (f"a whole number from 0 to {LARGEST}", _is_whole)
COUNT: What = ("a whole number of 1 or more", lambda value: _is_whole(value, 1))
NUMBER: What = ("a number of 0 or more", _is_number)
FLAG: What = ("true or false", lambda value: isinstance(value, bool))
NAMES: What = ("a list of names", _is_names)
PAIRS: What = ("names, each with a column", _is_pairs)
FILES: What = ("sites, each with a file", _is_pairs)
SOME_FILES: What = ("sites, with their files where they lie here", lambda v: _is_files(v) or _is_names(v))
CASE: What = (
    "a text for each variable",
    lambda value: isinstance(value, Mapping) and all(isinstance(one, str) for pair in value.items() for one in pair),
)
OBJECT: What = ("an object", lambda value: isinstance(value, Mapping))
SPLIT = _one_of("tune", "validation", "test")

# A name that ends in "!" must be given; the others may be left out or null.
_COLUMNS: Mapping[str, What] = {"mapping": PAIRS, "group": TEXT, "seed": WHOLE}
_CACHE: Mapping[str, What] = {"cache_bytes": WHOLE, "cache_dtype": _one_of("model", "bfloat16")}
_SCORED: Mapping[str, What] = {"study!": TEXT, "data!": TEXT, **_COLUMNS}
_TAKES: Mapping[str, Mapping[str, What]] = {
    "adapt": {
        **{"pack!": TEXT, "study": TEXT, "data": TEXT, "unlabelled": TEXT, "name": TEXT},
        **{"words": PAIRS, "mapping": PAIRS, "group": TEXT, "show": FLAG},
    },
    "assets": {},
    "compare-pairs": {"run!": TEXT, "pairs!": ("a list of pairs of prompts", _is_pairs_of_names)},
    "data": {"data!": TEXT, "reading": OBJECT, "min_cases": WHOLE, "header": ANYTHING},
    "demo": {
        **dict.fromkeys(("rounds", "cases", "held_out", "threads", "templates", "draws", "asked"), COUNT),
        **{"seed": WHOLE, "again": FLAG, "model": TEXT, "dtype": TEXT, "task": TEXT},
    },
    "audit": {
        **{"prompt!": TEXT, "data!": TEXT, "study": TEXT, "others": TEXT},
        **{"pack": FLAG, "shadows": WHOLE, **_COLUMNS},
    },
    "dry-run": {**_SCORED, "split": SPLIT, "judge": TEXT},
    "export": {"prompts!": NAMES, "format!": TEXT, "destination!": TEXT},
    "export-preview": {"prompts!": NAMES, "format!": TEXT, "name!": TEXT},
    "export-try": {"prompts!": NAMES, "format!": TEXT, "fields!": CASE},
    "federate": {"study!": TEXT, "sites!": FILES, "resume": FLAG, "pause_after": WHOLE, **_COLUMNS, **_CACHE},
    "federate-flare": {"study!": TEXT, "sites": NAMES, "seed": WHOLE, "pause_after": WHOLE, "resume": FLAG},
    "forecast": {"study!": TEXT, "sites!": SOME_FILES, **_COLUMNS},
    "harden": {"prompt!": TEXT, "data!": TEXT, "steps": WHOLE, "fluency": NUMBER, **_COLUMNS},
    "map": {"space!": TEXT, "method!": TEXT},
    "model-test": {"model": ANYTHING, "server": ANYTHING},
    "nearest-words": {"prompt!": TEXT},
    "ranking-csv": {"wanted!": OBJECT, "order!": TEXT, "show_test!": FLAG},
    "rehearse": {"data!": TEXT, "mapping": PAIRS, "group": TEXT, "site": TEXT, "study": TEXT},
    "roster": {},
    "score": {**_SCORED, "split": SPLIT, "model": TEXT, "cache_bytes": WHOLE, "anew": FLAG, "judge": TEXT},
    "search": {"text": ANYTHING, "like": TEXT, "limit!": COUNT},
    "trial": {"owner!": TEXT, "run!": TEXT},
    "tune": {**_SCORED, **_CACHE},
    "tune-time": _SCORED,
}


def check_arguments(kind: str, arguments: Mapping[str, Any]) -> None:
    """Let the arguments of a job pass or refuse them.

    Raises:
        JobError: one is missing, is not what it must be, or is none of the kind's; says which.
    """
    table = _TAKES.get(kind, {})
    takes = {name.rstrip("!"): what for name, what in table.items()}
    for name in arguments:
        if name not in takes:
            known = ", ".join(takes) or "nothing"
            raise JobError(f"a {kind} job does not take '{str(name)[:60]}'; it takes {known}", code="unknown-argument")
    for name, (what, fits) in takes.items():
        value = arguments.get(name)
        if value is None:
            if f"{name}!" in table:
                raise JobError(
                    f"a {kind} job needs '{name}': {what}; start it again from its page", code="argument-missing"
                )
        elif not fits(value):
            raise JobError(
                f"'{name}' of a {kind} job must be {what}; start it again from its page", code="argument-out-of-bounds"
            )
