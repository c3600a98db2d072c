"""What a prompt is called: a template by its name, a tuned one by who tuned it and in which round."""

from collections import Counter
from collections.abc import Mapping, Sequence

from fedprompt.bank.rows import PromptRow
from fedprompt.prompts.origins import origin_of, origin_words

__all__ = ["apart", "title", "titles"]


def title(row: PromptRow) -> str:
    """Return what one prompt is called."""
    origin, _ = origin_of(row.origin)
    if row.kind != "soft" or origin is None or not origin.rounds:
        return row.name
    number = row.notes.get("round")
    return origin_words(row.origin) + (f", round {number}" if isinstance(number, int) else "")


def titles(rows: Sequence[PromptRow]) -> dict[str, str]:
    """Return a title for each prompt by id; those that would be alike carry the beginning of their id."""
    return apart({row.id: title(row) for row in rows})


def apart(names: Mapping[str, str]) -> dict[str, str]:
    """Return names by id; those that are alike carry the beginning of their id, so that each can be chosen."""
    often = Counter(names.values())
    return {key: name if often[name] == 1 else f"{name} ({key[3:9]})" for key, name in names.items()}
