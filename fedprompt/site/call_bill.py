"""What chat models and judges took at a site, study by study, for its operator: calls, tokens and money.

A line is appended for a model's call as it ends, and for a judge's batch, so that a process that is killed loses one
line at most, and several processes may write. The file is the site's own (mode 0600). Invariant: it holds names and
numbers alone, nothing of what was asked or answered, and it never leaves.
"""

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Literal

from pydantic import StringConstraints

from fedprompt.boundary.checked import Bounds, Unfit, checked_json
from fedprompt.errors import DataError
from fedprompt.models.chat.cost import Tally
from fedprompt.study.schema import Closed

__all__ = ["CallBill"]

Role = Literal["model", "judge"]
_LINE = Bounds(64 * 1024, values=200, nested=10, members=50, depth=4)
Name = Annotated[str, StringConstraints(max_length=300)]


class _Line(Closed):
    study: Name
    role: Role
    model: Name
    took: Tally


class CallBill:
    """The bill in the file at ``path``."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def add(self, study: str, role: Role, model: str, took: Tally) -> None:
        """Add what calls took to the bill of a study, by its digest, and of a model or a judge, by its name.

        Raises:
            DataError: the file cannot be written.
        """
        line = _Line(study=study, role=role, model=model, took=took).model_dump_json() + "\n"
        try:
            handle = os.open(self.path, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
            with os.fdopen(handle, "w", encoding="utf-8") as file:
                file.write(line)
        except OSError as error:
            raise DataError(
                f"{self.path}: the bill of calls cannot be written ({error.strerror})", code="cannot-write"
            ) from error

    def read(self) -> Mapping[str, Mapping[tuple[Role, str], Tally]]:
        """Return study -> (role, name) -> what it took; a line that is not whole is left out."""
        found: dict[str, dict[tuple[Role, str], Tally]] = {}
        try:
            held = self.path.read_bytes()
        except FileNotFoundError:
            return found
        for line in held.splitlines():
            try:
                one = checked_json(_Line, line, _LINE)
            except Unfit:
                continue
            who, took = (one.role, one.model), found.setdefault(one.study, {})
            took[who] = took.get(who, Tally()) + one.took
        return found
