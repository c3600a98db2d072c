"""A prompt as it is sent for one row: its text, how many tokens that is, and how many the model takes.

Invariant: nothing is loaded but a tokenizer, so that it can be asked at every pause in typing; where no tokenizer is on
this machine, as of a chat server, there is no count.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from fedprompt.models.chat.config import is_chat
from fedprompt.models.registry import BUILT_IN
from fedprompt.prompts.rendered import SOFT
from fedprompt.workspace.answers.nearest_words import model_folder, read_tokenizer
from fedprompt.workspace.answers.variants import Variant
from fedprompt.workspace.workspace import Workspace

__all__ = ["AsSent", "as_sent"]

LARGEST_CONFIG = 1024 * 1024
WINDOWS = ("max_position_embeddings", "n_positions", "n_ctx")


@dataclass(frozen=True)
class AsSent:
    """``tokens``: how many stand before the answer, where a tokenizer is here; ``window``: the most there may be.

    ``exact`` is False where the model's own chat format comes on top of the tokens.
    """

    text: str
    tokens: int | None
    window: int | None
    exact: bool = True

    @property
    def over(self) -> bool:
        """Whether it is known that the model cannot take it."""
        return self.tokens is not None and self.window is not None and self.tokens > self.window


def as_sent(ws: Workspace, variant: Variant, row: Mapping[str, str]) -> AsSent:
    """Return what a variant sends for a row; a field that the row lacks is empty.

    Raises:
        PromptError: the template is not well formed.
    """
    template = variant.made()
    rendered = template.render({name: row.get(name, "") for name in template.variables})
    text = rendered.text()
    if variant.server is not None or is_chat(variant.model):
        return AsSent(text, None, None)
    soft = 0
    if template.has_soft and variant.soft is not None:
        vectors = ws.bank.prompt(variant.soft).soft
        soft = 0 if vectors is None else vectors.tokens
    if variant.model in BUILT_IN:
        model = BUILT_IN[variant.model](None)
        return AsSent(text, model.length(rendered, soft=soft), model.info.window)
    folder = model_folder(ws, variant.model)
    tokenizer = read_tokenizer(folder)
    if tokenizer is None:
        return AsSent(text, None, _window(folder))
    pieces = [piece for turn in rendered.turns for piece in turn.pieces]
    texts = [piece for piece in pieces if piece is not SOFT]
    tokens = sum(len(tokenizer.encode(piece, add_special_tokens=False).ids) for piece in _joined(pieces))
    opening = len(tokenizer.encode("", add_special_tokens=True).ids)
    return AsSent(text, tokens + opening + soft * (len(pieces) - len(texts)), _window(folder), not rendered.is_chat)


def _joined(pieces: list[Any]) -> list[str]:
    """Return the texts between soft slots, each read as one."""
    found = [""]
    for piece in pieces:
        if piece is SOFT:
            found.append("")
        else:
            found[-1] += piece
    return [text for text in found if text]


def _window(folder: Path) -> int | None:
    path = folder / "config.json"
    try:
        if path.stat().st_size > LARGEST_CONFIG:
            return None
        config = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError):
        return None
    for part in (config, config.get("text_config") if isinstance(config, dict) else None):
        for name in WINDOWS:
            if isinstance(part, dict) and isinstance(part.get(name), int):
                return int(part[name])
    return None
