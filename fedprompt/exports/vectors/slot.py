"""The two sides of a soft slot, as LangChain-style f-string texts that ``str.format`` fills in."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from string import Formatter

from fedprompt.errors import ExportError
from fedprompt.exports.protocol import Exported, Refusal
from fedprompt.prompts.soft import SoftPrompt
from fedprompt.prompts.template import Template

__all__ = ["Sides", "only_one", "refuse_unheld", "sides"]


@dataclass(frozen=True)
class Sides:
    """The text before the soft slot and the text after it, each tokenised apart."""

    before: str
    after: str


def sides(template: Template) -> Sides:
    """Return both sides of the one soft slot of a bare completion."""
    found = ["", ""]
    side = 0
    for literal, name, _, _ in Formatter().parse(template.text or ""):
        found[side] += literal.replace("{", "{{").replace("}", "}}")
        if name == "soft":
            side = 1
        elif name is not None:
            found[side] += "{" + name + "}"
    return Sides(*found)


def refuse_unheld(item: Exported) -> Refusal | None:
    """Return why plain vectors beside one text cannot hold a prompt, or None if they can."""
    if item.prompt.soft is None:
        return Refusal("it has no soft prompt, only text", "langchain")
    if item.prompt.template.is_chat:
        return Refusal("its soft slot is in a chat message, which this format cannot hold", "bundle")
    if item.prompt.template.demonstrations is not None:
        return Refusal("it shows demonstrations of a site, which never leave the site", "bundle")
    return None


def only_one(
    items: Sequence[Exported], destination: Path, what: str, refuses: Callable[[Exported], Refusal | None]
) -> tuple[Exported, SoftPrompt]:
    """Return the one prompt and its vectors, for a format that holds one at a time.

    Raises:
        ExportError: not exactly one, or one that the format refuses; ``what`` names the format in the
        message.
    """
    if len(items) != 1:
        raise ExportError(
            f"{destination}: {what} holds one prompt, not {len(items)}; write one at a time", code="one-prompt-only"
        )
    item = items[0]
    refusal = refuses(item)
    if refusal is not None or item.prompt.soft is None:
        why = f"{refusal.reason}; use {refusal.instead} instead" if refusal else "it has no soft prompt"
        raise ExportError(f"prompt '{item.name}' cannot be written as {what}: {why}", code="cannot-hold")
    return item, item.prompt.soft
