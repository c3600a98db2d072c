"""What prompts and studies are called: by the name that a person gave, else by what made them.

A template has its name, a tuned prompt who tuned it and in which round. Studies that share a name are its revisions.
"""

from collections import Counter
from collections.abc import Mapping, Sequence

from fedprompt.bank.rows import PromptRow, StudyRow
from fedprompt.prompts.origins import TUNED, origin_of, origin_words

__all__ = ["apart", "revision_titles", "title", "titles"]


def title(row: PromptRow) -> str:
    """Return what one prompt is called."""
    if row.given is not None:
        return row.given
    origin, _ = origin_of(row.origin)
    if row.kind != "soft" or origin is None or not origin.rounds:
        return row.name
    number = row.notes.get("round")
    if not isinstance(number, int):
        return row.name if origin == TUNED else origin_words(row.origin)
    return f"{origin_words(row.origin)}, {origin.part} {number}"


def titles(rows: Sequence[PromptRow]) -> dict[str, str]:
    """Return a title for each prompt by id; those that are alike carry their time, or else their id's beginning."""
    found = {row.id: title(row) for row in rows}
    often = Counter(found.values())
    timed = {row.id: f"{found[row.id]}, {row.created:%d %b %H:%M}" for row in rows if often[found[row.id]] > 1}
    once = Counter(timed.values())
    return apart(found | {id: name for id, name in timed.items() if once[name] == 1})


def revision_titles(rows: Sequence[StudyRow]) -> dict[str, str]:
    """Return what the revisions of one study are called, by digest: numbered by their time, the newest first."""
    ordered = sorted(rows, key=lambda row: row.created)
    found = {row.digest: f"revision {number}, {row.created:%d %b %H:%M}" for number, row in enumerate(ordered, 1)}
    return dict(reversed(found.items()))


def apart(names: Mapping[str, str]) -> dict[str, str]:
    """Return names by id; those that are alike carry the beginning of their id, so that each can be chosen."""
    often = Counter(names.values())
    return {key: name if often[name] == 1 else f"{name} ({key[3:9]})" for key, name in names.items()}
