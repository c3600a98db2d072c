"""What to do about a text that is not YAML: the usual slips (a tab, a colon, a brace), told by what stands in the line.

Invariant: the parser's own words are kept where none of the slips is seen, so that nothing is made up.
"""

import re

__all__ = ["advice"]

# A list's dashes, a key, and what stands after it; in ``{a: b}`` the last key of the line.
_VALUE = re.compile(r"^\s*(?:-\s+)*(?:[{,]?\s*(?P<key>[\w.-]{1,60})\s*:\s+)?(?P<value>\S.*)$")
_COLON = re.compile(r"[{,]\s*([\w.-]{1,60})\s*:\s+[^\"'\[{\s,][^,]{0,400}?:\s")
_UNSPACED = re.compile(r"\s*(?:-\s+)*[\w.-]{1,60}:[^\s:/]")
_STARTS = {
    "{": "a mapping",
    "[": "a list",
    "*": "an alias",
    "&": "an anchor",
    "!": "a tag",
    "%": "a directive",
    "|": "a text of several lines",
    ">": "a text of several lines",
    "?": "a key",
    "-": "a list",
}
_NO_START = "@`}],"


def advice(problem: str, text: str, line: int, begun: int | None) -> tuple[int, str]:
    """Return the line (from 1) and the reason for a parser's complaint.

    Args:
        problem: in the parser's words.
        text: the whole text.
        line: where it stopped, from 0.
        begun: where the part begins that it was reading, from 0; None if it does not say.
    """
    lines = text.split("\n")
    line = min(line, len(lines) - 1)
    at = lines[line]
    if re.match(r"\s*\t", at) and at.strip():
        return line + 1, "not valid YAML: the line is indented with a tab; use spaces"
    if "quoted scalar" in problem or ("unexpected end of stream" in problem and begun is not None):
        return (begun or 0) + 1, "not valid YAML: this quote is never closed"
    if "unknown escape" in problem:
        return line + 1, (
            "not valid YAML: in double quotes a backslash starts an escape; write \\\\ for a backslash, or use "
            "single quotes"
        )
    for place in dict.fromkeys((line, begun)):
        if place is not None and place < len(lines) and (found := _slip(lines[place], problem)) is not None:
            return place + 1, f"not valid YAML: {found}"
    if "mapping values" in problem and line and _UNSPACED.match(lines[line - 1]):
        return line, "not valid YAML: add a space after the colon"
    if "mapping values" in problem:
        return line + 1, "not valid YAML: the line has more indentation than its neighbours; indent them equally"
    if "expected ',' or ']'" in problem or "expected ',' or '}'" in problem:
        opening, closing = "[]" if "]" in problem else "{}"
        opened = "" if begun is None else f" that opens in line {begun + 1}"
        return line + 1, f"not valid YAML: the '{opening}'{opened} has no '{closing}', or a comma is missing"
    if "node content" in problem and not "".join(lines[line + 1 :]).strip():
        return line + 1, "not valid YAML: the text ends in the middle of a list or a mapping"
    return line + 1, f"not valid YAML ({problem})"


def _slip(line: str, problem: str) -> str | None:
    """Return which slip a line shows, None if it shows none."""
    if "expected ',' or" in problem:
        found = _COLON.search(line)
        return (
            None
            if found is None
            else f"text without quotes cannot contain ': '; put the value of '{found[1]}' in quotes"
        )
    found = _VALUE.match(line)
    if found is None:
        return None
    key, value = found["key"], found["value"]
    whose = f"the value of '{key}'" if key else "the text"
    first = value[0]
    if first in _NO_START:
        return f"text without quotes cannot start with '{first}'; put {whose} in quotes"
    if "mapping values" in problem and ": " in value and first not in "\"'":
        return f"text without quotes cannot contain ': '; put {whose} in quotes"
    if first in _STARTS and ("expected key" in problem or first in "%|>?-"):
        return f"in YAML '{first}' starts {_STARTS[first]}; put {whose} in quotes"
    if first in "\"'" and "expected key" in problem:
        return (
            f"{whose} continues after its closing quote; put all of it in one pair of quotes, and double a quote inside"
        )
    return None
