"""A variant made ready once, its model loaded or its server found, to be run row by row."""

from contextlib import ExitStack
from dataclasses import replace

from fedprompt.errors import JobError
from fedprompt.models.chat.config import is_chat
from fedprompt.models.chat.through_langchain import load_chat
from fedprompt.models.protocols import CausalModel
from fedprompt.models.registry import BUILT_IN, find_model_folder, load, settings_for
from fedprompt.prompts.template import Template
from fedprompt.prompts.tensors import Tensors
from fedprompt.workspace.answers.adapted_answers import check_members, encoder_for
from fedprompt.workspace.answers.chat_rows import ChatVariant
from fedprompt.workspace.answers.local_rows import LocalVariant
from fedprompt.workspace.answers.tuned_part import tuned_part
from fedprompt.workspace.answers.variants import Ready, Variant
from fedprompt.workspace.bills.session_servers import load_session_chat
from fedprompt.workspace.workspace import Workspace

__all__ = ["load_quick", "ready"]


def load_quick(ws: Workspace, name: str) -> CausalModel:
    """Return a model on one thread, as the playground uses it while a long job has the other cores.

    Raises:
        ModelError: there is no such model, or it cannot be loaded.
        AssetError: the asset is not there yet.
    """
    if name in BUILT_IN:
        return load(name, ws.home.path)
    find_model_folder(name, ws.home.path)  # before the machine is measured, which takes seconds the first time
    return load(name, ws.home.path, replace(settings_for(ws.home.path), threads=1))


def ready(ws: Workspace, variant: Variant, open_: ExitStack) -> Ready:
    """Return a variant that can run; ``open_`` closes what it holds.

    Raises:
        PromptError: the template is not well formed.
        JobError: it has a slot and no soft prompt is chosen, or a chat model is asked for what it cannot give.
        BankError: the soft prompt is not in the bank.
        ModelError: the model cannot be loaded, or the soft prompt was tuned for another one.
    """
    template = variant.made()
    if variant.adapted is not None:
        return _adapted(ws, variant)
    if variant.server is not None or is_chat(variant.model):
        if variant.labels and (variant.normalise, variant.prior) != ("none", "none"):
            raise JobError(
                "the study corrects label likelihoods for length or prior, but chat models do not give them in "
                "full; choose a model of this machine",
                code="needs-whole-likelihoods",
            )
        if template.tools and not variant.generate:
            raise JobError("a model calls tools only where it writes text; turn that on", code="tools-need-text")
        if template.has_soft or tuned_part(ws, template, variant.soft) is not None:
            raise JobError(
                "a soft prompt or an adapter needs a model of this machine, not a chat model; choose one",
                code="words-only",
            )
        home = ws.home.path
        chat = load_chat(variant.model, home) if variant.server is None else load_session_chat(variant.server, home)
        return ChatVariant(open_.enter_context(chat), template, variant)
    if template.tools:
        raise JobError(
            "tools are offered through chat servers only; choose one, or take the tools out of the prompt",
            code="tools-need-a-server",
        )
    tuned = _tuned(ws, template, variant.soft)
    model = load_quick(ws, variant.model)
    if tuned is not None:
        tuned.check_model(model.info.digest, model.info.name, model.info.width)
    return LocalVariant(model, template, tuned, variant)


def _adapted(ws: Workspace, variant: Variant) -> LocalVariant:
    if variant.server is not None or is_chat(variant.model):
        raise JobError(
            "an adapted prompt runs only on the model for which it was made, not on a chat model; choose a "
            "model of this machine",
            code="words-only",
        )
    adapted = ws.bank.adapted(variant.adapted or "")
    if adapted.labels != variant.labels:
        raise JobError(
            f"the adapted prompt has the labels {', '.join(adapted.labels)}, but other labels were requested; "
            "start again from the bank",
            code="wrong-labels",
        )
    model = load_quick(ws, variant.model)
    check_members(adapted.members, model)
    heaviest = adapted.heaviest
    encoder = encoder_for(ws.home.path, adapted.head)
    return LocalVariant(model, heaviest.template, heaviest.soft, variant, adapted, encoder)


def _tuned(ws: Workspace, template: Template, prompt: str | None) -> Tensors | None:
    if template.has_soft and prompt is None:
        raise JobError(
            f"template '{template.name}' has a {{soft}} slot; choose a soft prompt or remove the slot",
            code="soft-slot-open",
        )
    tuned = tuned_part(ws, template, prompt)
    if template.has_soft and tuned is None:
        raise JobError(f"the prompt {prompt} has no soft prompt; choose a tuned one", code="no-soft-prompt")
    return tuned
