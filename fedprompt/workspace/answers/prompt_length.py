"""How long a prompt is in its model's tokens: its text without the case that comes into it, and its soft vectors.

Read with the model's own ``tokenizer.json``; no model is loaded. A site's demonstrations never leave it, so they are
not counted.
"""

from functools import lru_cache
from pathlib import Path
from typing import Any

from fedprompt.models.assets.catalogue import ASSETS, MODELS
from fedprompt.models.registry import DEFAULT_MODEL
from fedprompt.prompts.prompt import Prompt
from fedprompt.workspace.workspace import Workspace

__all__ = ["prompt_tokens"]

LARGEST = 64 * 1024 * 1024


def prompt_tokens(ws: Workspace, prompt: Prompt) -> int | None:
    """Return how many tokens a prompt adds to a case, or None where its model's tokenizer is not here."""
    study = ws.bank.prompt_row(prompt.id).study
    name = DEFAULT_MODEL if study is None else ws.bank.study(study).study.model
    folder = ASSETS[name].folder(ws.home.path) if name in MODELS else Path(name).expanduser()
    file = folder / "tokenizer.json"
    if not file.is_file() or file.stat().st_size > LARGEST:
        return None
    template = prompt.template
    text = template.text or "\n".join(message.content for message in template.messages or ())
    for variable in (*template.variables, "soft", "demonstrations"):
        text = text.replace(f"{{{variable}}}", "")
    found = len(_tokenizer(file).encode(text, add_special_tokens=False).ids)
    return found + (prompt.soft.tokens if prompt.soft is not None else 0)


@lru_cache(maxsize=2)
def _tokenizer(file: Path) -> Any:
    from tokenizers import Tokenizer

    return Tokenizer.from_file(str(file))
