"""What a study's rounds start from: whatever they move, of the study's own text, drawn, or of the bank."""

from fedprompt.bank.store import Bank
from fedprompt.models.protocols import CausalModel
from fedprompt.prompts.soft import SoftPrompt
from fedprompt.prompts.tensors import Tensors
from fedprompt.study.schema import Study
from fedprompt.tuning.tunables.registry import tunable_of
from fedprompt.tuning.tunables.soft import SoftTunable

__all__ = ["start_of", "start_prompt"]


def start_of(model: CausalModel, study: Study, bank: Bank | None = None) -> Tensors:
    """Return what rounds start from; without a bank, as in a site's rehearsal, drawn words stand for its prompt.

    Raises:
        ModelError, PromptError, BankError: as of the study's tunable.
    """
    tunable = tunable_of(study)
    assert tunable is not None, "the study has rounds"
    return tunable.start(model, study, None if bank is None else bank.prompt)


def start_prompt(model: CausalModel, study: Study, bank: Bank | None = None) -> SoftPrompt:
    """Return the soft prompt that tuning starts from, of a study that moves one.

    Raises:
        ModelError, PromptError, BankError: as of ``SoftTunable.start``.
    """
    return SoftTunable().start(model, study, None if bank is None else bank.prompt)
