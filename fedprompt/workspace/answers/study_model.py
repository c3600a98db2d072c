"""The model of a study that sites share: one of this machine, or a chat model, which can be scored but not tuned."""

from pathlib import Path

from fedprompt.errors import ModelError
from fedprompt.models.chat.config import chat_settings, is_chat, read_machine
from fedprompt.models.chat.through_langchain import LangChainChat, chat_info, load_chat
from fedprompt.models.hf.digest import model_digest, tokenizer_digest
from fedprompt.models.protocols import CacheDtype, CausalModel, RunSettings
from fedprompt.models.registry import BUILT_IN, chosen_settings, find_model_folder, load
from fedprompt.study.schema import Study
from fedprompt.workspace.workspace import Workspace

__all__ = ["digest_known", "machine_settings", "model_digest_of", "shared_model", "trained_digest"]


def shared_model(
    study: Study, home: Path, cache_bytes: int | None = None, cache_dtype: CacheDtype | None = None
) -> CausalModel | LangChainChat:
    """Return the model that a site answers a study with.

    Args:
        cache_bytes: keys and values that may be held in memory; the machine's own setting if None.
        cache_dtype: what they are kept in; the model's own dtype if None.

    Raises:
        ModelError: it cannot be loaded, its host is not allowed, or the study would tune a chat model.
    """
    if is_chat(study.model):
        _refuse_tuning(study)
        return load_chat(study.model, home)
    return load(study.model, home, chosen_settings(home, cache_bytes, cache_dtype))


def model_digest_of(study: Study, home: Path) -> str:
    """Return the digest of a study's model; of a chat model without a key or a connection.

    How a choice is asked is no part of it, since no server was asked yet: scores tell it, and are ranked apart.

    Raises:
        ModelError: as :func:`shared_model`.
    """
    if study.pretraining is not None:
        return trained_digest(study, home)
    if is_chat(study.model):
        _refuse_tuning(study)
        return chat_info(study.model, chat_settings(study.model, read_machine(home))).digest
    return load(study.model, home).info.digest


def trained_digest(study: Study, home: Path) -> str:
    """Return the digest of the model that a study trains on, of its tokenizer alone where weights are fresh.

    Raises:
        ModelError: the model is not one of this machine, or has no weights or tokenizer.
    """
    if study.model in BUILT_IN or is_chat(study.model):
        raise ModelError(
            f"'{study.model}' has no weights on this machine, so it cannot be trained; name a model's folder, or a "
            "bundled model",
            code="needs-local-model",
        )
    folder = find_model_folder(study.model, home)
    fresh = study.pretraining is not None and study.pretraining.scratch is not None
    return tokenizer_digest(folder) if fresh else model_digest(folder)


def digest_known(ws: Workspace, model: str) -> str | None:
    """Return the digest that the newest study of a model names, without loading the model; None without a study."""
    return next((row.model_digest for row in reversed(ws.bank.studies()) if row.study.model == model), None)


def machine_settings(model: CausalModel | LangChainChat) -> RunSettings | None:
    """Return what a run records of the machine, None for a chat model, whose machine is not ours."""
    return None if isinstance(model, LangChainChat) else model.info.settings


def _refuse_tuning(study: Study) -> None:
    if study.moves is not None:
        raise ModelError(
            f"'{study.model}' is a chat model, so it can be scored and tried but not tuned: a server gives no "
            "gradients. Remove 'soft:' from the study, or use a model of this machine such as "
            "'smollm2-135m-instruct'",
            code="needs-local-model",
        )
