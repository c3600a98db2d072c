"""A pack ready to be asked: its model loaded, and how its members' answers are read.

Invariant: what is returned fits together: every soft prompt of it was tuned for the model that is loaded.
"""

from dataclasses import dataclass

from fedprompt.models.protocols import CausalModel, Encoder
from fedprompt.models.registry import load, settings_for
from fedprompt.study.schema import Answer
from fedprompt.workspace.answers.adapted_answers import adapted_answer, encoder_for
from fedprompt.workspace.exchange.pack import PackFile
from fedprompt.workspace.workspace import Workspace

__all__ = ["ReadyPack", "ready_pack"]


@dataclass(frozen=True)
class ReadyPack:
    """A pack, how its answers are read, its model, and the sentence encoder where it has a head.

    ``study``: the digest under which the bank holds the pack's study, None where it holds none.
    """

    file: PackFile
    answer: Answer
    model: CausalModel
    study: str | None
    encoder: Encoder | None = None


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
    head = None if found.pack.head is None else found.pack.head.made
    return ReadyPack(found, answer, model, digest, encoder_for(ws.home.path, head))
