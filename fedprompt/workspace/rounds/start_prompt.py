"""What tuning starts from: embeddings of the study's own text, of drawn words, or a soft prompt of the bank."""

import numpy as np

from fedprompt.bank.store import Bank
from fedprompt.errors import PromptError
from fedprompt.models.protocols import CausalModel
from fedprompt.prompts.soft import SoftPrompt
from fedprompt.prompts.template import Template
from fedprompt.study.schema import Study

__all__ = ["start_prompt"]


def start_prompt(model: CausalModel, study: Study, bank: Bank | None = None) -> SoftPrompt:
    """Return what tuning starts from: embeddings of the study's text or of drawn words, or a prompt of the bank.

    Without a bank, as in a site's rehearsal, drawn words stand for the bank's prompt.

    Raises:
        ModelError: the text has no tokens, or the model has no format for the messages that the slot stands in.
        PromptError: the bank's prompt has no soft prompt, or one of another size or model.
        BankError: the bank lacks it.
    """
    assert study.soft is not None
    _check_read(model, study.soft_template(), study.soft.tokens)
    init, tokens = study.soft.init, study.soft.tokens
    if isinstance(init, str):
        return model.text_init(init, tokens)
    if init.prompt is None or bank is None:
        return model.vocabulary_init(tokens, np.random.default_rng(np.random.SeedSequence([init.seed, tokens])))
    soft = bank.prompt(init.prompt).soft
    if soft is None or soft.tokens != tokens:
        held = "no soft prompt" if soft is None else f"a soft prompt of {soft.tokens} tokens"
        raise PromptError(
            f"soft.init names {init.prompt}, which has {held}; the study's has {tokens} tokens", code="wrong-shape"
        )
    soft.check_model(model.info.digest, model.info.name, model.info.width)
    return soft


def _check_read(model: CausalModel, template: Template, tokens: int) -> None:
    """Lay the template out once, empty, so that a model that cannot read it says so before any site is asked."""
    empty = dict.fromkeys(template.variables, "")
    shown = 0 if template.demonstrations is None else template.demonstrations.count
    label = next(iter(template.words or {""}))
    model.length(template.render(empty, [(empty, label)] * shown), (), tokens)
