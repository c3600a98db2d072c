"""The TREC questions (Li and Roth 2002, COLING), sorted by what they ask for, and how they are dealt out to help desks.

The file is UTF-8 text, a question a line: ``CLASS:detail question``. It strings several samples of one collection
together, so that most questions stand in it more than once.

Invariant: a question is dealt to one desk at most, under its own class. A desk whose class has run out gets fewer.
"""

from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np

from fedprompt.errors import AssetError
from fedprompt.evaluation.cases import Case, normalise

__all__ = ["CLASSES", "QUESTIONS", "deal", "read_questions"]

QUESTIONS = "question_labels.txt"
# Code in the file -> what it is called here. Abbreviations (ABBR, 86 questions) are too few to deal out.
CLASSES: Mapping[str, str] = {
    "DESC": "description",
    "ENTY": "thing",
    "HUM": "person",
    "LOC": "place",
    "NUM": "number",
}
DAMAGED = "\ufffd"  # stands in the file where somebody before lost a character


def read_questions(folder: Path) -> tuple[Case, ...]:
    """Return each distinct question of the five classes once, in the file's order.

    A question that the file puts into two of them, and one that has lost a character, is left out.

    Raises:
        AssetError: the file is missing or is not the one that is expected.
    """
    path = folder / QUESTIONS
    try:
        lines = path.read_text(encoding="utf-8").split("\n")
    except OSError as error:
        raise AssetError(
            f"{path}: the demo's questions cannot be read ({error.strerror}); run 'fedprompt assets pull'",
            code="assets-not-ready",
        ) from error
    except UnicodeDecodeError as error:
        raise _damaged(path, "it is not UTF-8 text") from error
    found: dict[str, Case] = {}
    codes: dict[str, set[str]] = {}
    for number, line in enumerate(lines, start=1):
        kind, _, rest = line.partition(" ")
        code, text = kind.partition(":")[0], " ".join(rest.split())
        if not text or DAMAGED in text:
            continue
        key = normalise(text)
        codes.setdefault(key, set()).add(code)
        if code in CLASSES:
            found.setdefault(key, Case({"text": text}, CLASSES[code], line=number))
    questions = tuple(case for key, case in found.items() if len(codes[key]) == 1)
    if {case.answer for case in questions} != set(CLASSES.values()):
        raise _damaged(path, "it does not have questions of all five classes")
    return questions


def deal(
    questions: Sequence[Case], counts: Mapping[str, int], seed: np.random.SeedSequence, *, alpha: float = 1.0
) -> dict[str, tuple[Case, ...]]:
    """Return desk -> the questions that it is asked, each desk with a mix of classes of its own.

    A desk's shares of the classes are drawn from a Dirichlet distribution, then the class of each question from these
    shares, then the question from what is left of the class. Where nothing is left of it, the desk's draw ends.

    Args:
        counts: desk -> how many questions it is to get.
        alpha: of the Dirichlet distribution; below 1 the desks differ more.
    """
    rng = np.random.default_rng(seed)
    labels = tuple(CLASSES.values())
    left = {label: [case for case in questions if case.answer == label] for label in labels}
    for pool in left.values():
        rng.shuffle(pool)
    dealt: dict[str, tuple[Case, ...]] = {}
    for desk, count in counts.items():
        shares = rng.dirichlet(np.full(len(labels), alpha))
        drawn: list[Case] = []
        for number in rng.choice(len(labels), size=count, p=shares):
            pool = left[labels[int(number)]]
            if not pool:
                break
            drawn.append(pool.pop())
        dealt[desk] = tuple(drawn)
    return dealt


def _damaged(path: Path, why: str) -> AssetError:
    return AssetError(f"{path}: {why}; download it again with 'fedprompt assets pull'", code="asset-damaged")
