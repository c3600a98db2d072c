"""A soft prompt: vectors at the template's slot (Lester et al. 2021, arXiv 2104.08691)."""

from collections.abc import Sequence
from typing import Unpack

import numpy as np
from numpy.typing import NDArray

from fedprompt.errors import PromptError
from fedprompt.evaluation.cases import Case
from fedprompt.models.protocols import CausalModel
from fedprompt.prompts.soft import SoftPrompt
from fedprompt.prompts.template import Template
from fedprompt.study.schema import Study
from fedprompt.tuning.metered import MeteredObjective, Preparing, prepare
from fedprompt.tuning.tunables.tunable import PromptOf

__all__ = ["MAX_SOFT_NORM", "SoftTunable", "soft_of"]

# Enough rows for a bank of candidates; a soft prompt's rows are of the size of embeddings, not of this.
MAX_SOFT_NORM = 1e4


class SoftTunable:
    """Implements ``Tunable``; its values are the vectors, [tokens, width] float32."""

    name = "soft"

    def start(self, model: CausalModel, study: Study, prompt_of: PromptOf | None = None) -> SoftPrompt:
        """Return embeddings of the study's text or of drawn words, or a soft prompt of the bank.

        Without a bank drawn words stand for the bank's prompt.

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
        if init.prompt is None or prompt_of is None:
            return model.vocabulary_init(tokens, np.random.default_rng(np.random.SeedSequence([init.seed, tokens])))
        soft = prompt_of(init.prompt).soft
        if soft is None or soft.tokens != tokens:
            held = "no soft prompt" if soft is None else f"a soft prompt of {soft.tokens} tokens"
            raise PromptError(
                f"soft.init names {init.prompt}, which has {held}; the study's has {tokens} tokens", code="wrong-shape"
            )
        soft.check_model(model.info.digest, model.info.name, model.info.width)
        return soft

    def shape(self, model: CausalModel, study: Study) -> tuple[int, ...]:
        """Return (tokens, width)."""
        assert study.soft is not None
        return study.soft.tokens, model.info.width

    def installed(self, model: CausalModel, study: Study, values: NDArray[np.float32]) -> SoftPrompt | None:
        """Return the soft prompt of these vectors, None where their shape or norm is off."""
        return soft_of(model, values) if values.shape == self.shape(model, study) else None

    def moving(self, model: CausalModel, study: Study, number: int) -> NDArray[np.bool_] | None:
        """Return None: every round moves all vectors."""
        return None

    def objective(
        self, model: CausalModel, study: Study, cases: Sequence[Case], **how: Unpack[Preparing]
    ) -> MeteredObjective:
        """Return cases prepared for the study's soft template."""
        return prepare(model, study, cases, **how)


def soft_of(model: CausalModel, vectors: NDArray[np.float32]) -> SoftPrompt | None:
    """Return a soft prompt of any number of tokens that came, None if its width or norm is off."""
    norm = float(np.linalg.norm(vectors.astype(np.float64)))
    if vectors.ndim != 2 or vectors.shape[1] != model.info.width or norm > MAX_SOFT_NORM:
        return None
    return SoftPrompt(vectors, model.info.digest)


def _check_read(model: CausalModel, template: Template, tokens: int) -> None:
    """Lay the template out once, empty, so that a model that cannot read it says so before any site is asked."""
    empty = dict.fromkeys(template.variables, "")
    shown = 0 if template.demonstrations is None else template.demonstrations.count
    label = next(iter(template.words or {""}))
    model.length(template.render(empty, [(empty, label)] * shown), (), tokens)
