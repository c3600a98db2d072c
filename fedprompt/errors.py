"""Every error that fedprompt raises on purpose; the message is one sentence that says what to do next.

The code names the fault in one word (``no-header``) and stays when the sentence is written better, so programs and
tests ask for it; ``docs/errors.md`` lists every code. Invariant: a copy and a pickle of an error keep its code.

FedPromptError
|-- DataError        a file of cases cannot be used (names file, line, field)
|-- StudyError       a study file cannot be used (names file, line, field)
|-- PromptError      a template or soft prompt is not well formed
|-- ModelError       a model cannot be loaded or run
|   `-- ModelMismatch    a soft prompt was tuned for another model
|-- AssetError       a bundled asset is missing, unreachable or damaged
|-- TuningError      tuning cannot go on (loss is not a number, too few cases)
|-- EgressRefused    the gate refused a reply
|-- LedgerError      a ledger's hash chain is broken
|-- FederationError  a round cannot be completed
|   |-- SiteRefused      a site would not do what it was asked
|   `-- ReplyUntrue      a site's reply contradicts itself, the study, or what the site described
|-- BankError        the bank cannot be opened, or holds something wrong
|-- ExportError      a format cannot hold a prompt, or a file to import is damaged or hostile
`-- JobError         a job failed, was cancelled, or no worker answers
"""

from collections.abc import Iterable
from difflib import get_close_matches
from typing import Any

__all__ = [
    "AssetError",
    "BankError",
    "DataError",
    "EgressRefused",
    "ExportError",
    "FedPromptError",
    "FederationError",
    "JobError",
    "LedgerError",
    "ModelError",
    "ModelMismatch",
    "PromptError",
    "ReplyUntrue",
    "SiteRefused",
    "StudyError",
    "TuningError",
    "did_you_mean",
]


class FedPromptError(Exception):
    """The root of all errors that are for people to read; ``code`` names the fault, by default only its class."""

    code: str = "failed"

    def __init__(self, message: str = "", *, code: str | None = None) -> None:
        super().__init__(message)
        self.code = code or type(self).code

    def __reduce__(self) -> tuple[Any, ...]:
        """Return how a copy is made, whatever a subclass is made of."""
        return _restored, (type(self), self.args), self.__dict__


class DataError(FedPromptError):
    """A file of cases cannot be used."""

    code = "data"


class StudyError(FedPromptError):
    """A study file cannot be used."""

    code = "study"


class PromptError(FedPromptError):
    """A template or a soft prompt is not well formed."""

    code = "prompt"


class ModelError(FedPromptError):
    """A model cannot be loaded or run."""

    code = "model"


class ModelMismatch(ModelError):
    """A soft prompt was tuned for another model."""

    code = "another-model"


class AssetError(FedPromptError):
    """An asset is missing, cannot be fetched, or is damaged."""

    code = "asset"


class TuningError(FedPromptError):
    """Tuning cannot go on."""

    code = "tuning"


class EgressRefused(FedPromptError):
    """The gate refused to let a reply leave the site."""

    code = "egress-refused"


class LedgerError(FedPromptError):
    """The ledger's chain of hashes is broken."""

    code = "ledger"


class FederationError(FedPromptError):
    """A round cannot be completed."""

    code = "federation"


class SiteRefused(FederationError):
    """A site would not do what it was asked."""

    code = "site-refused"


class ReplyUntrue(FederationError):
    """A reply cannot be true: it contradicts itself, the study, or what its site described."""

    code = "reply-untrue"


class BankError(FedPromptError):
    """The bank cannot be opened or holds something wrong."""

    code = "bank"


class ExportError(FedPromptError):
    """A format cannot hold a prompt, or a file to import is damaged or hostile."""

    code = "export"


class JobError(FedPromptError):
    """A job failed, was cancelled, or no worker answers."""

    code = "job"


def _restored(kind: type[FedPromptError], args: tuple[object, ...]) -> FedPromptError:
    error = kind.__new__(kind)
    error.args = args
    return error


def did_you_mean(name: str, known: Iterable[str]) -> str:
    """Return ``, did you mean 'x'?`` for the nearest other name that is known, in any case, or an empty string."""
    others = {one.casefold(): one for one in known if one != name}
    near = get_close_matches(name.casefold(), list(others), n=1)
    return f", did you mean '{others[near[0]]}'?" if near else ""
