"""Keys under which near-duplicates meet: the same words in another order, the same vectors permuted.

A soft prompt's rows in another order are another prompt to the model (positions differ), as are a text's words: such
prompts are shown beside each other, and never merged.
"""

import hashlib
import re
from collections import Counter

from fedprompt.prompts.ids import canonical_json, content_id
from fedprompt.prompts.prompt import Prompt

__all__ = ["likeness_keys", "prompt_text"]

_WORD = re.compile(r"\{\w+\}|\w+")


def likeness_keys(prompt: Prompt) -> dict[str, str]:
    """Return kind -> key: ``words`` of a template, ``vectors`` of a soft prompt.

    Of words, case and punctuation count for nothing, and slots count as words. Two soft prompts of one model with the
    same vectors meet whatever their templates say; rounds of one study, whose templates are the same, do not.
    """
    words = sorted(Counter(_WORD.findall(prompt_text(prompt).casefold())).items())
    soft = prompt.soft
    if soft is None:
        return {"words": content_id("w1", canonical_json(words))}
    rows = sorted(hashlib.blake2b(row.tobytes(), digest_size=16).digest() for row in soft.vectors)
    return {"vectors": content_id("v1", soft.model.encode() + b"\0" + b"".join(rows))}


def prompt_text(prompt: Prompt) -> str:
    """Return what a prompt's template says: its text or messages, the words for its labels, and its tools."""
    template = prompt.template
    words = (template.words or {}).values()
    tools = (f"{one.name}: {one.description}" for one in template.tools)
    return "\n".join((template.text or "", *(message.content for message in template.messages or ()), *words, *tools))
