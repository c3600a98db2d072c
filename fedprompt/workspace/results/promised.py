"""What a study's budget of privacy promises, where people read of its prompts and scores."""

from fedprompt.bank.store import Bank
from fedprompt.errors import FedPromptError
from fedprompt.privacy.promise import Promise, promise_of

__all__ = ["promised"]


def promised(bank: Bank, study: str | None) -> Promise | None:
    """Return what noise hides in a study's updates and scores; None where there is no budget, or no such study.

    Args:
        bank: holds the study.
        study: its digest.
    """
    if study is None:
        return None
    try:
        return promise_of(bank.study(study).study)
    except FedPromptError:  # a prompt that came from elsewhere may name a study that is not here
        return None
