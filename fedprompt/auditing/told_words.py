"""Words read out of a soft prompt, and whether they are the members' words rather than others'."""

import re
from collections.abc import Sequence
from dataclasses import dataclass

__all__ = ["ToldWords", "told_words"]

WORD = re.compile(r"\w{3,}")


@dataclass(frozen=True)
class ToldWords:
    """``words`` that the vectors are nearest to and did not start at; how many texts of either kind hold one of them.

    ``p``: of no difference (Fisher's exact test); 1 where there is no such word.
    """

    words: tuple[str, ...]
    members: int
    members_with: int
    others: int
    others_with: int
    p: float


def told_words(read: Sequence[str], started: Sequence[str], members: Sequence[str], others: Sequence[str]) -> ToldWords:
    """Compare the words of a prompt with texts.

    Args:
        read: the word nearest to each vector.
        started: the words nearest to where tuning started.
        members: texts that were tuned on.
        others: texts that were not.
    """
    from scipy.stats import fisher_exact

    known = {word.strip().lower() for word in started}
    words = tuple(
        dict.fromkeys(one for word in read if (one := word.strip().lower()) not in known and WORD.fullmatch(one))
    )
    inside, outside = (_holding(texts, words) for texts in (members, others))
    p = 1.0
    if words and members and others:
        table = [[inside, len(members) - inside], [outside, len(others) - outside]]
        p = float(fisher_exact(table, alternative="greater").pvalue)
    return ToldWords(words, len(members), inside, len(others), outside, p)


def _holding(texts: Sequence[str], words: Sequence[str]) -> int:
    wanted = set(words)
    return sum(not wanted.isdisjoint(WORD.findall(text.lower())) for text in texts)
