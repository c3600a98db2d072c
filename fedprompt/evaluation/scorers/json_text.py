"""Reads JSON from an output, strictly as RFC 8259 has it: no NaN, no infinity, nothing before or after."""

import json
import re
from dataclasses import dataclass
from typing import Any

__all__ = ["ParsedJson", "read_json"]

_FENCE = re.compile(r"\A\s*```(?:json)?[ \t]*\n(.*?)\n?```\s*\Z", re.DOTALL | re.IGNORECASE)


@dataclass(frozen=True)
class ParsedJson:
    """``value`` where ``problem`` is empty; ``judged`` is False where it nests too deeply to say anything."""

    value: Any = None
    problem: str = ""
    judged: bool = True


def read_json(text: str, fenced: bool) -> ParsedJson:
    """Return what an output holds; ``fenced`` allows a Markdown code fence around it."""
    if fenced and (inner := _FENCE.match(text)):
        text = inner.group(1)
    if not text.strip():
        return ParsedJson(problem="the output is empty")
    try:
        return ParsedJson(json.loads(text, parse_constant=_refused))
    except RecursionError:
        return ParsedJson(problem="the JSON nests too deeply to be judged", judged=False)
    except ValueError:
        return ParsedJson(problem="the output is not JSON")


def _refused(name: str) -> None:
    raise ValueError(name)
