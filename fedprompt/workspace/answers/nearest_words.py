"""A prompt in its model's tokens: how long it is, and which words its vectors are nearest to, by cosine.

A length is of the text without the case that comes into it, and of the soft vectors.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

from fedprompt.errors import FedPromptError, ModelError
from fedprompt.models.assets.catalogue import ASSETS, MODELS
from fedprompt.models.registry import DEFAULT_MODEL
from fedprompt.models.vocabulary import Worded
from fedprompt.prompts.prompt import Prompt
from fedprompt.stopping import NEVER, StopToken
from fedprompt.workspace.answers.readying import load_quick
from fedprompt.workspace.progress import Progress, Report, quiet
from fedprompt.workspace.workspace import Workspace

__all__ = ["NearWord", "NearestWords", "model_folder", "prompt_tokens", "read_tokenizer", "run_nearest_words"]

COUNT = 5


@dataclass(frozen=True)
class NearWord:
    """A word of the model's vocabulary and its cosine to a vector."""

    word: str
    similarity: float


@dataclass(frozen=True)
class NearestWords:
    """A row for each vector of a soft prompt, the nearest word first."""

    tokens: tuple[tuple[NearWord, ...], ...]


def run_nearest_words(
    ws: Workspace, arguments: Mapping[str, Any], report: Report = quiet, stop: StopToken = NEVER
) -> NearestWords:
    """Return the words nearest to each vector of a soft prompt.

    Args:
        ws: the workspace.
        arguments: ``prompt``, the id of a soft prompt.
        report: hears that the model is loaded.
        stop: looked at before and after that.

    Raises:
        FedPromptError: the prompt has no vectors, or no study here names its model.
        ModelError, AssetError: the model cannot be loaded, or has no vocabulary to look in.
        BankError: no such prompt.
    """
    prompt = ws.bank.prompt(str(arguments["prompt"]))
    if prompt.soft is None:
        raise FedPromptError(
            "a template is already text; choose a soft prompt to see its nearest words",
            code="words-of-its-own",
        )
    names = [row.study.model for row in ws.bank.studies() if row.model_digest == prompt.soft.model]
    if not names:
        raise FedPromptError(
            "no study in this bank names the model of this soft prompt, so its vocabulary is unknown",
            code="vocabulary-unknown",
        )
    report(Progress("load", f"loading {names[-1]}", 0.2))
    stop.check()
    model = load_quick(ws, names[-1])
    stop.check()
    if not isinstance(model, Worded):
        raise ModelError(
            f"{names[-1]} has no vocabulary to search; choose a soft prompt of a language model", code="no-vocabulary"
        )
    prompt.soft.check_model(model.info.digest, model.info.name, model.info.width)
    words = model.vocabulary
    found = words.nearest(prompt.soft.vectors, COUNT, "cosine", plain=False)
    return NearestWords(
        tuple(
            tuple(NearWord(words.spelt([token]), value) for token, value in zip(tokens, values, strict=True))
            for tokens, values in zip(found.tokens.tolist(), found.likeness.tolist(), strict=True)
        )
    )


LARGEST = 64 * 1024 * 1024


def prompt_tokens(ws: Workspace, prompt: Prompt) -> int | None:
    """Return how many tokens a prompt adds to a case, or None where its model's tokenizer is not here."""
    study = ws.bank.prompt_row(prompt.id).study
    name = DEFAULT_MODEL if study is None else ws.bank.study(study).study.model
    tokenizer = read_tokenizer(model_folder(ws, name))
    if tokenizer is None:
        return None
    template = prompt.template
    text = template.text or "\n".join(message.content for message in template.messages or ())
    for variable in (*template.variables, "soft", "demonstrations"):
        text = text.replace(f"{{{variable}}}", "")
    found = len(tokenizer.encode(text, add_special_tokens=False).ids)
    return found + (prompt.soft.tokens if prompt.soft is not None else 0)


def model_folder(ws: Workspace, name: str) -> Path:
    """Return where the files of a model of this machine lie, if they do; nothing is fetched or checked."""
    return ASSETS[name].folder(ws.home.path) if name in MODELS else Path(name).expanduser()


def read_tokenizer(folder: Path) -> Any:
    """Return the tokenizer of a model's folder, of the library ``tokenizers``; None where there is none to read.

    What looks like a control token is read as text, as the models read what a case holds.
    """
    file = folder / "tokenizer.json"
    try:
        state = file.stat()
        return _tokenizer(file, state.st_mtime_ns) if state.st_size <= LARGEST else None
    except OSError:
        return None
    except Exception:  # the library raises this very class of what is no tokenizer
        return None


@lru_cache(maxsize=2)
def _tokenizer(file: Path, changed: int) -> Any:
    from tokenizers import Tokenizer

    found = Tokenizer.from_file(str(file))
    found.encode_special_tokens = True
    return found
