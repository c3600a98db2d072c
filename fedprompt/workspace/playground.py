"""Runs one prompt over rows that a visitor typed or pasted: label probabilities, generated text, or both.

Runs inside the quick job process, which keeps the model loaded.
"""

import time
from collections.abc import Mapping
from contextlib import ExitStack
from typing import Annotated, Any

from pydantic import Field, StringConstraints, ValidationError

from fedprompt.errors import JobError
from fedprompt.study.schema import Closed
from fedprompt.workspace.progress import Progress, Report, quiet
from fedprompt.workspace.readying import ready
from fedprompt.workspace.variants import RowResult, Variant
from fedprompt.workspace.workspace import Workspace

__all__ = ["MAX_ROWS", "Row", "RowResult", "RunRequest", "RunResult", "misfit", "run_playground"]

MAX_ROWS = 1000
Row = dict[str, Annotated[str, StringConstraints(max_length=200_000)]]


class RunRequest(Variant):
    """What to run: a variant, and one mapping of fields to text a row."""

    rows: Annotated[list[Row], Field(min_length=1, max_length=MAX_ROWS)]

    @classmethod
    def parse(cls, body: Mapping[str, Any]) -> "RunRequest":
        """Return the request in a JSON object.

        Raises:
            JobError: the object is no request; names the field.
        """
        try:
            return cls.model_validate(dict(body))
        except ValidationError as error:
            raise JobError(misfit(error)) from error


class RunResult(Closed):
    """All rows, in order; ``seconds`` of computing and ``tokens`` that went through the model."""

    rows: list[RowResult]
    seconds: float
    tokens: int
    model: str


def misfit(error: ValidationError) -> str:
    """Return why something is no request of the playground, in a sentence."""
    first = error.errors(include_input=False, include_url=False)[0]
    field = ".".join(str(part) for part in first["loc"]) or "request"
    if first["loc"] == ("rows",) and first["type"] == "too_long":
        return f"the playground runs {MAX_ROWS:,} rows at once at most; paste fewer"
    if first["loc"] == ("rows",) and first["type"] == "too_short":
        return "there is no row to run; type or paste at least one text"
    return f"the playground's request is not well formed: {field}: {first['msg']}"


def run_playground(ws: Workspace, request: RunRequest, report: Report = quiet) -> RunResult:
    """Run every row.

    Raises:
        PromptError: the template is not well formed, or has a slot and no soft prompt is chosen.
        BankError: the soft prompt is not in the bank.
        ModelError: the model cannot be loaded, or the soft prompt was tuned for another one.
    """
    count = len(request.rows)
    rows: dict[int, RowResult] = {}
    with ExitStack() as stack:
        report(Progress("load", f"loading {request.model}", 0, count))
        one = ready(ws, request, stack)
        start = time.perf_counter()

        def heard(place: int, result: RowResult, _: float) -> None:
            rows[place] = result
            left = (time.perf_counter() - start) / len(rows) * (count - len(rows))
            report(Progress("run", f"{len(rows)} of {count} rows", len(rows), count, left))

        one.run(request.rows, heard, lambda place, text: None)
        seconds = time.perf_counter() - start
    ordered = [rows[place] for place in range(count)]
    return RunResult(rows=ordered, seconds=seconds, tokens=sum(r.tokens for r in ordered), model=one.model_name)
