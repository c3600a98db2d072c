"""What a prompt is called: a template by its name, a tuned one by who tuned it and in which round."""

from collections import Counter
from collections.abc import Mapping, Sequence

from fedprompt.bank.rows import PromptRow

__all__ = ["apart", "origin_words", "title", "titles"]

TUNED = ("federated", "local", "group", "recomputed", "centralised")


def origin_words(origin: str) -> str:
    """Return where a prompt comes from in words."""
    kind, _, site = origin.partition(":")
    return {
        "study": "written for the study",
        "federated": "tuned together",
        "local": f"tuned at {site}",
        "group": f"tuned in group {site}",
        "recomputed": "recomputed without a site",
        "centralised": "tuned on all cases",
        "import": "imported",
        "playground": "written in the playground",
    }.get(kind, origin)


def title(row: PromptRow) -> str:
    """Return what one prompt is called."""
    if row.kind != "soft" or row.origin.partition(":")[0] not in TUNED:
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
