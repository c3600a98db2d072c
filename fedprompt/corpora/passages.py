"""Cuts text into passages of bounded length, at ends of paragraphs, lines or words where there are any."""

from collections.abc import Iterable, Iterator

__all__ = ["LONGEST", "cut"]

LONGEST = 16_000  # characters
ENDS = ("\n\n", "\n", ". ", " ")


def cut(chunks: Iterable[str], longest: int = LONGEST) -> Iterator[str]:
    """Yield the text of ``chunks`` in passages of at most ``longest`` characters; joined, they are the text.

    A passage that is full ends behind the last paragraph, line, sentence or word of its second half, and is cut
    anywhere in a line that has none of them.
    """
    held = ""
    for chunk in chunks:
        held += chunk
        at = 0
        while len(held) - at > longest:
            end = _end(held, at, longest)
            yield held[at:end]
            at = end
        held = held[at:]
    if held:
        yield held


def _end(text: str, at: int, longest: int) -> int:
    for end in ENDS:
        if (found := text.rfind(end, at + longest // 2, at + longest)) >= 0:
            return found + len(end)
    return at + longest
