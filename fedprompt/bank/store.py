"""The bank: one SQLite file that keeps studies, prompts, scores, rounds and jobs, and can prove its ids.

Nothing but a job's state is ever changed or taken away; what is recorded twice is kept once. Usable from
several processes and threads at a time.
"""

from pathlib import Path
from types import TracebackType
from typing import Self

from fedprompt.bank.database import Database
from fedprompt.bank.jobs import JobShelf
from fedprompt.bank.prompts import PromptShelf
from fedprompt.bank.rows import Problem
from fedprompt.bank.runs import RunShelf
from fedprompt.bank.scores import ScoreShelf
from fedprompt.bank.studies import StudyShelf
from fedprompt.bank.verify import find_problems

__all__ = ["Bank"]


class Bank(StudyShelf, PromptShelf, ScoreShelf, RunShelf, JobShelf):
    """All shelves on one file."""

    def __init__(self, database: Database) -> None:
        self._database = database

    @classmethod
    def open(cls, path: Path) -> Self:
        """Open a bank, made with mode 0600 where there is none, its schema brought up to date.

        Raises:
            BankError: a newer schema, no SQLite file, another program's file, a file or disk that cannot be
            written.
        """
        return cls(Database(path))

    @property
    def path(self) -> Path:
        """The file."""
        return self._database.path

    def close(self) -> None:
        """Close the file; the bank is of no use afterwards."""
        self._database.close()

    def verify(self) -> tuple[Problem, ...]:
        """Derive every prompt's id and every study's digest anew, and return what does not agree.

        Raises:
            BankError: the file cannot be read at all.
        """
        return tuple(find_problems(self._database))

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()
