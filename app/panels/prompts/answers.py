"""The answers a visitor expects of a model: one a line, ``label`` or ``label = word``.

A word stands after a space, as it would in running text, unless it is quoted; then it is taken as it is.
"""

from collections.abc import Mapping

from fedprompt.errors import PromptError
from fedprompt.study.labels import alike

__all__ = ["MAX_LABELS", "read_answers", "said", "write_answers"]

MAX_LABELS = 32


def read_answers(text: str, *, spaced: bool) -> dict[str, str]:
    """Return label -> word.

    Args:
        text: the lines.
        spaced: whether a word without quotes gets a space before it.

    Raises:
        PromptError: a line has no label, a label or a word occurs twice, or there is one only or too many.
    """
    words: dict[str, str] = {}
    for number, line in enumerate(text.splitlines(), 1):
        if not line.strip():
            continue
        label, equals, word = (part.strip() for part in line.partition("="))
        if not label or (equals and not word):
            raise PromptError(f"labels, line {number}: write 'label' or 'label = word'", code="not-a-pair")
        if label in words:
            raise PromptError(
                f"labels, line {number}: '{label}' appears twice; give each label once", code="named-twice"
            )
        words[label] = _word(word or label, spaced)
    if len(words) == 1:
        raise PromptError(
            "one label alone is always right; give at least two, one per line, or none for text only",
            code="one-label-only",
        )
    if len(words) > MAX_LABELS:
        raise PromptError(f"there are {len(words)} labels; give at most {MAX_LABELS}", code="too-many")
    if len(set(words.values())) < len(words):
        raise PromptError(
            "two labels have the same word, so the model cannot distinguish them; change one", code="same-word"
        )
    for texts in (words, words.values()):
        if (found := alike(texts)) is not None:
            one, other, difference = found
            raise PromptError(
                f"the labels {one!r} and {other!r} differ only in {difference}; change one", code="same-word"
            )
    return words


def write_answers(words: Mapping[str, str], *, spaced: bool) -> str:
    """Return the lines that :func:`read_answers` reads as these words."""
    lines = []
    for label, word in words.items():
        if _word(label, spaced) == word:
            lines.append(label)
        elif word.strip() and _word(word.strip(), spaced) == word:
            lines.append(f"{label} = {word.strip()}")
        else:
            lines.append(f'{label} = "{word}"')
    return "\n".join(lines)


def said(words: Mapping[str, str]) -> str:
    """Return the answers in one line for people: a label alone where its word is itself."""
    return ", ".join(label if word.strip() == label else f"{label} = “{word.strip()}”" for label, word in words.items())


def _word(word: str, spaced: bool) -> str:
    if len(word) > 2 and word[0] == word[-1] == '"':
        return word[1:-1]
    return f" {word}" if spaced else word
