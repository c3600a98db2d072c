"""A pack ready to be asked: its model loaded, and how its members' answers are read.

Invariant: what is returned fits together: every soft prompt of it was tuned for the model that is loaded.
"""

from dataclasses import dataclass

from fedprompt.models.protocols import CausalModel
from fedprompt.models.registry import load, settings_for
from fedprompt.study.schema import Answer
from fedprompt.workspace.answers.adapted_answers import adapted_answer
from fedprompt.workspace.exchange.pack import PackFile
from fedprompt.workspace.workspace import Workspace

__all__ = ["ReadyPack", "ready_pack"]


@dataclass(frozen=True)
class ReadyPack:
    """``study``: the digest under which the bank holds the pack's study, None where it holds none."""

    file: PackFile
    answer: Answer
    model: CausalModel
    study: str | None


def ready_pack(ws: Workspace, found: PackFile) -> ReadyPack:
    """Return a pack whose model is loaded; its study is recorded, where the home knows it.

    Raises:
        ModelError, AssetError: the model cannot be loaded, or is another one than the pack was made for.
    """
    model = load(found.model_name, ws.home.path, settings_for(ws.home.path))
    found.check_model(model.info)
    digest = None if found.study is None else found.study.digest(model.info.digest)
    if found.study is not None and digest is not None:
        ws.bank.record_study(found.study, digest, model.info.digest)
    if found.study is not None:
        answer = found.study.answer.model_copy(update={"labels": found.pack.labels})
    else:
        answer = adapted_answer(found.pack.labels, found.pack.normalise, found.pack.prior)
    return ReadyPack(found, answer, model, digest)
