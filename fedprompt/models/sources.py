"""Where a model comes from, read from its name alone. Nothing is loaded, converted or fetched for it.

The one place that decides what a model's name stands for. A site's policy lists the models that the site may load: the
words in ``WORDS``, each for a kind of source, and single models by the name that a study writes. Invariant: no word and
no other model's name lets a model be fetched from a hub; only its own name in the list does.
"""

import re
from collections.abc import Collection
from dataclasses import dataclass
from pathlib import Path
from typing import Final, Literal

from fedprompt.errors import ModelError, did_you_mean
from fedprompt.models.assets.catalogue import ASSETS, MODELS
from fedprompt.models.assets.fetched import fetched_folder, is_hub_id
from fedprompt.models.chat.config import chat_settings, is_chat, read_machine
from fedprompt.models.scripted import NAME as SCRIPTED

__all__ = ["TRAINED", "WORDS", "Source", "Word", "is_listed", "is_plain", "source_of"]

Kind = Literal["built in", "bundled", "folder", "GGUF file", "fetched", "hub", "server here", "server elsewhere"]
Word = Literal["bundled", "here", "servers"]
TRAINED = "trained"  # the folder of a home that holds the models that were trained there, each by its name
_PLAIN = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,59}")
WORDS: Final[tuple[Word, ...]] = ("bundled", "here", "servers")
_WORD: dict[Kind, Word] = {
    "built in": "bundled",
    "bundled": "bundled",
    "folder": "here",
    "GGUF file": "here",
    "fetched": "here",
    "server here": "here",
    "server elsewhere": "servers",
}


@dataclass(frozen=True)
class Source:
    """``name`` is what the study writes; ``where`` is a folder, a file, a hub's id or a server's host."""

    name: str
    kind: Kind
    where: str

    @property
    def word(self) -> Word | None:
        """The word of a policy that stands for it; None for a model that would be fetched."""
        return _WORD.get(self.kind)

    @property
    def told(self) -> str:
        """The source in words."""
        return {
            "built in": "built into fedprompt",
            "bundled": f"bundled with fedprompt, in {self.where}",
            "folder": f"the folder {self.where}",
            "GGUF file": f"the GGUF file {self.where}",
            "fetched": f"a hub's model that is on this machine, in {self.where}",
            "hub": f"the model hub, as {self.where} (not on this machine)",
            "server here": f"a server of this machine ({self.where})",
            "server elsewhere": f"the server {self.where}, to which cases would be sent",
        }[self.kind]


def source_of(name: str, home: Path) -> Source:
    """Return where the model called ``name`` comes from.

    Raises:
        ModelError: no source is known by that name; the message gives the nearest one.
    """
    if name == SCRIPTED:
        return Source(name, "built in", "")
    if name in MODELS:
        return Source(name, "bundled", str(ASSETS[name].folder(home)))
    try:
        if is_chat(name):
            settings = chat_settings(name, read_machine(home))
            return Source(name, "server elsewhere" if settings.remote else "server here", settings.host)
        if (found := _on_disk(name)) is not None:
            return found
        if is_plain(name) and (trained := home / TRAINED / name).is_dir():
            return Source(name, "folder", str(trained.resolve()))
    except (OSError, RuntimeError, ValueError):  # a path that no machine has, or that this user may not look at
        pass
    if is_hub_id(name):
        folder = fetched_folder(name, home)
        return Source(name, "fetched", str(folder)) if folder.is_dir() else Source(name, "hub", name)
    known = (SCRIPTED, *MODELS)
    raise ModelError(
        f"unknown model '{name}'{did_you_mean(name, known)}; it is neither a folder, a GGUF file, an id such as "
        f"owner/name, nor one of {', '.join(known)}",
        code="unknown-model",
    )


def is_plain(name: str) -> bool:
    """Return whether a trained model may have this name, which is a folder's."""
    return _PLAIN.fullmatch(name) is not None


def _on_disk(name: str) -> Source | None:
    path = Path(name).expanduser()
    if path.is_dir():
        return Source(name, "folder", str(path.resolve()))
    if path.suffix == ".gguf" and path.is_file():
        return Source(name, "GGUF file", str(path.resolve()))
    return None


def is_listed(source: Source, listed: Collection[str]) -> bool:
    """Return whether a list of words and names lets a model be loaded; a word is never taken for a name."""
    return source.word in listed or (source.name in listed and source.name not in WORDS)
