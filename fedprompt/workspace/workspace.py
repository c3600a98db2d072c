"""A workspace: the home folder and the bank in it. Every action takes one as its first argument."""

import os
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Self

from fedprompt.bank.store import Bank
from fedprompt.workspace.home import Home, find_home

__all__ = ["Workspace", "open_workspace"]


@dataclass(frozen=True)
class Workspace:
    """What actions work on. As a context manager it closes the bank at the end."""

    home: Home
    bank: Bank

    def close(self) -> None:
        """Close the bank."""
        self.bank.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()


def open_workspace(home: Path | None = None) -> Workspace:
    """Open the home folder (``$FEDPROMPT_HOME``, by default ``~/.fedprompt``) and its bank, or make them.

    The bank is a file in the home, or the PostgreSQL database that ``$FEDPROMPT_BANK_URL`` names.

    Raises:
        FedPromptError: the home folder cannot be made.
        BankError: the bank cannot be opened.
    """
    found = find_home(home)
    return Workspace(found, Bank.open(found.bank, os.environ.get("FEDPROMPT_BANK_URL")))
