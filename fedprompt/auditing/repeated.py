"""Words of a template that stand in a row in a case too: a template that quotes a case tells it to whoever reads it."""

import re
from collections.abc import Iterable

from fedprompt.evaluation.cases import Case
from fedprompt.prompts.template import Template

__all__ = ["WORDS", "repeated"]

WORDS = 8
_WORD = re.compile(r"\w+")
_SLOT = re.compile(r"\{\w*\}")


def repeated(template: Template, cases: Iterable[Case]) -> dict[str, tuple[int, ...]]:
    """Return the template's words, ``WORDS`` in a row, that stand in a case too, with the lines of those cases."""
    wanted = {run for part in _parts(template) for run in _runs(part)}
    found: dict[tuple[str, ...], list[int]] = {}
    if wanted:
        for case in cases:
            there = {run for text in case.fields.values() for run in _runs(text)}
            for run in sorted(wanted & there):
                found.setdefault(run, []).append(case.line)
    return {" ".join(run): tuple(lines) for run, lines in sorted(found.items())}


def _runs(text: str) -> Iterable[tuple[str, ...]]:
    words = [word.casefold() for word in _WORD.findall(text)]
    return zip(*(words[start:] for start in range(WORDS)), strict=False)


def _parts(template: Template) -> list[str]:
    texts = [template.text] if template.text is not None else [m.content for m in template.messages or ()]
    return [part for text in [*texts, *(template.words or {}).values()] for part in _SLOT.split(text)]
