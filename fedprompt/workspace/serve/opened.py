"""Prompts of a bank for programs that only run them: open, get, run.

    import fedprompt

    with fedprompt.open() as bank:
        sentiment = bank.get("sentiment@production")
    print(sentiment.run(text="I would gladly see it again.").text)

Invariant: nothing here writes to the bank. A prompt that was got goes on running after its bank was closed.
"""

import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Self

from fedprompt.errors import BankError, PromptError, did_you_mean
from fedprompt.models.protocols import Decoding
from fedprompt.workspace.answers.adapted_answers import LocalAdapted, runnable
from fedprompt.workspace.answers.answering import Given, LocalPrompt
from fedprompt.workspace.home import Home, default_home
from fedprompt.workspace.workspace import Workspace, open_workspace

__all__ = ["BankPrompt", "PromptBank", "open_bank"]


@dataclass(frozen=True)
class BankPrompt:
    """One prompt, or one that was adapted, its model loaded; ``local`` is what runs it."""

    local: LocalPrompt | LocalAdapted

    @property
    def id(self) -> str:
        """The prompt's content id."""
        return self.local.id

    @property
    def name(self) -> str:
        """The name that it first came with."""
        return self.local.name

    @property
    def model(self) -> str:
        """The name of the model that it runs on."""
        return self.local.model.info.name

    @property
    def fields(self) -> tuple[str, ...]:
        """The fields that a case must have, in the order of the template."""
        return self.local.fields

    @property
    def labels(self) -> tuple[str, ...]:
        """The labels that it chooses among; empty where it writes free text."""
        return self.local.answer.labels if self.local.answer.type == "choice" else ()

    def run(self, /, **fields: str) -> Given:
        """Answer one case: ``run(text=...)`` gives the label (or the text) and each label's probability.

        Raises:
            PromptError: a field is missing, unknown or no text.
            ModelError: the case does not fit the model's window.
        """
        return self.answer(fields)

    def answer(self, fields: Mapping[str, str], decoding: Decoding | None = None) -> Given:
        """Answer one case as :meth:`run` does; ``decoding``: for free text, in place of the study's own."""
        if stray := [name for name in fields if name not in self.fields]:
            raise PromptError(
                f"prompt '{self.name}' has no field '{stray[0]}'{did_you_mean(stray[0], self.fields)}; "
                f"it has {', '.join(self.fields) or 'none'}",
                code="unknown-field",
            )
        for name, value in fields.items():
            if not isinstance(value, str):
                raise PromptError(
                    f"the field '{name}' of prompt '{self.name}' is {type(value).__name__}; give text", code="not-text"
                )
        return self.local.run(fields, decoding)


class PromptBank:
    """A bank that is read and run from; a context manager, and :meth:`close` may be called more than once."""

    def __init__(self, workspace: Workspace) -> None:
        self._workspace = workspace
        self._closed = False

    def tags(self) -> Mapping[str, str]:
        """Return ``name@tag`` -> the id of the prompt that it stands for now.

        Raises:
            BankError: the bank was closed or cannot be read.
        """
        return {row.tag: row.prompt for row in self._open().bank.tags()}

    def get(self, reference: str) -> BankPrompt:
        """Return a prompt with its model loaded.

        Args:
            reference: ``name@tag``, the name of an adapted prompt such as ``questions@home``, an id, or a beginning of
                one that only one prompt has.

        Raises:
            BankError: none or several are meant, or the bank was closed.
            ModelError: its model cannot be loaded, or is another one than its soft prompt was tuned for.
            AssetError: its model was not fetched yet.
        """
        workspace = self._open()
        if not reference.strip().startswith(("p1:", "a1:")):
            self._check_name(reference)
        return BankPrompt(runnable(workspace, reference))

    def close(self) -> None:
        """Close the bank."""
        if not self._closed:
            self._closed = True
            self._workspace.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def _open(self) -> Workspace:
        if self._closed:
            raise BankError("the bank was closed; open it again with fedprompt.open()", code="bank-closed")
        return self._workspace

    def _check_name(self, reference: str) -> None:
        known = {**self.tags(), **{row.name: row.id for row in self._open().bank.all_adapted()}}
        if reference in known or reference.count("@") > 1:
            return  # the bank itself says what is wrong with more than one '@'
        name, at, _ = reference.partition("@")
        mine = [tag for tag in known if tag.startswith(f"{name}@")]
        if mine and not at:
            several = "it points to several prompts: " if len({known[tag] for tag in mine}) > 1 else ""
            raise BankError(f"'{name}' has no tag; {several}give {' or '.join(sorted(mine))}", code="name-without-tag")
        nearest = did_you_mean(reference, mine or known)
        raise BankError(
            f"no prompt is tagged '{reference}'{nearest}; 'fedprompt bank tags' shows the tags, and an id "
            "starts with 'p1:'",
            code="no-such-tag",
        )


def open_bank(home: Path | str | None = None) -> PromptBank:
    """Open the bank of a home folder, to read and run its prompts.

    Args:
        home: the home folder; by default ``$FEDPROMPT_HOME``, else ``~/.fedprompt``. Its bank is the file in it, or
            the PostgreSQL database that ``$FEDPROMPT_BANK_URL`` names.

    Raises:
        BankError: there is no bank, or it cannot be opened.
    """
    chosen = default_home() if home is None else Path(home).expanduser().absolute()
    if not os.environ.get("FEDPROMPT_BANK_URL") and not Home(chosen).bank.is_file():
        raise BankError(
            f"there is no bank in {chosen}; give a home folder that has one, or fill this one with 'fedprompt "
            "demo' or 'fedprompt import FILE'",
            code="no-bank",
        )
    return PromptBank(open_workspace(chosen))
