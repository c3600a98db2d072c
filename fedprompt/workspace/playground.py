"""Runs a template over rows that a visitor typed or pasted: label probabilities, generated text, or both.

Each row goes through the model alone, so that a row's numbers do not depend on its neighbours, and a row that
cannot be run says why while the others go on; a chat model's rows are asked side by side. Runs inside the quick
job process, which keeps the model loaded.
"""

import time
from collections.abc import Mapping
from dataclasses import asdict, replace
from typing import Annotated, Any

import numpy as np
from pydantic import Field, StringConstraints, ValidationError

from fedprompt.errors import FedPromptError, JobError
from fedprompt.models.chat_config import is_chat
from fedprompt.models.protocols import CausalModel, ChoiceQuery, Decoding, GenerateQuery
from fedprompt.models.registry import DEFAULT_MODEL, SCRIPTED, load, settings_for
from fedprompt.prompts.soft import SoftPrompt
from fedprompt.prompts.template import Template
from fedprompt.study.schema import Closed
from fedprompt.workspace.progress import Progress, Report, quiet
from fedprompt.workspace.workspace import Workspace

__all__ = ["MAX_ROWS", "RowResult", "RunRequest", "RunResult", "load_quick", "run_playground"]

MAX_ROWS = 1000
Cell = Annotated[str, StringConstraints(max_length=200_000)]
Label = Annotated[str, StringConstraints(min_length=1, max_length=200)]


class RunRequest(Closed):
    """What to run: a template's canonical JSON and its name, and one mapping of fields to text a row.

    ``labels`` empty asks for no probabilities. ``soft`` is the id of a prompt in the bank whose soft prompt
    is to stand in the template's slot.
    """

    name: Annotated[str, StringConstraints(min_length=1, max_length=80)] = "playground"
    template: dict[str, Any]
    rows: Annotated[list[dict[str, Cell]], Field(min_length=1, max_length=MAX_ROWS)]
    labels: Annotated[tuple[Label, ...], Field(max_length=256)] = ()
    soft: str | None = None
    model: Annotated[str, StringConstraints(min_length=1, max_length=300)] = DEFAULT_MODEL
    max_tokens: Annotated[int, Field(ge=1, le=1024)] = 64
    generate: bool = False

    @classmethod
    def parse(cls, body: Mapping[str, Any]) -> "RunRequest":
        """Return the request in a JSON object.

        Raises:
            JobError: the object is no request; names the field.
        """
        try:
            return cls.model_validate(dict(body))
        except ValidationError as error:
            first = error.errors()[0]
            field = ".".join(str(part) for part in first["loc"]) or "request"
            if first["loc"] == ("rows",) and first["type"] == "too_long":
                raise JobError(f"the playground runs {MAX_ROWS:,} rows at once at most; paste fewer") from error
            if first["loc"] == ("rows",) and first["type"] == "too_short":
                raise JobError("there is no row to run; type or paste at least one text") from error
            raise JobError(f"the playground's request is not well formed: {field}: {first['msg']}") from error


class RowResult(Closed):
    """One row: the text the model saw, the labels' probabilities (which sum to 1), and what it wrote."""

    text: str
    probabilities: dict[str, float] | None
    answer: str | None
    generated: str | None
    tokens: int
    error: str | None


class RunResult(Closed):
    """All rows, in order; ``seconds`` of computing and ``tokens`` that went through the model."""

    rows: list[RowResult]
    seconds: float
    tokens: int
    model: str


def load_quick(ws: Workspace, name: str) -> CausalModel:
    """Return a model on one thread, as the playground uses it while a long job has the other cores.

    Raises:
        ModelError: there is no such model, or it cannot be loaded.
        AssetError: the asset is not there yet.
    """
    if name == SCRIPTED:
        return load(name, ws.home.path)
    return load(name, ws.home.path, replace(settings_for(ws.home.path), threads=1))


def run_playground(ws: Workspace, request: RunRequest, report: Report = quiet) -> RunResult:
    """Run every row.

    Raises:
        PromptError: the template is not well formed, or has a slot and no soft prompt is chosen.
        BankError: the soft prompt is not in the bank.
        ModelError: the model cannot be loaded, or the soft prompt was tuned for another one.
    """
    template = Template.from_canonical(request.name, request.template)
    if request.labels:
        template = template.with_words(request.labels)
    if is_chat(request.model):
        return _run_chat(ws, template, request, report)
    soft = _soft(ws, template, request.soft)
    report(Progress("load", f"loading {request.model}", 0, len(request.rows)))
    model = load_quick(ws, request.model)
    if soft is not None:
        soft.check_model(model.info.digest, model.info.name, model.info.width)
    start = time.perf_counter()
    rows: list[RowResult] = []
    for row in request.rows:
        rows.append(_run_row(model, template, row, soft, request))
        spent = time.perf_counter() - start
        left = spent / len(rows) * (len(request.rows) - len(rows))
        report(Progress("run", f"{len(rows)} of {len(request.rows)} rows", len(rows), len(request.rows), left))
    seconds = time.perf_counter() - start
    return RunResult(rows=rows, seconds=seconds, tokens=sum(row.tokens for row in rows), model=model.info.name)


def _run_chat(ws: Workspace, template: Template, request: RunRequest, report: Report) -> RunResult:
    from fedprompt.workspace.chat_rows import run_chat_rows

    if template.has_soft:
        raise JobError("a soft prompt is vectors, which a chat model cannot take; choose a model of this machine")
    start = time.perf_counter()
    length = request.max_tokens if request.generate else None
    found = run_chat_rows(ws.home.path, request.model, template, request.rows, request.labels, length, report)
    rows = [RowResult(**asdict(row)) for row in found]
    seconds = time.perf_counter() - start
    return RunResult(rows=rows, seconds=seconds, tokens=sum(row.tokens for row in rows), model=request.model)


def _soft(ws: Workspace, template: Template, prompt: str | None) -> SoftPrompt | None:
    if not template.has_soft:
        return None
    if prompt is None:
        raise JobError(f"template '{template.name}' has a {{soft}} slot; choose a soft prompt or take the slot out")
    soft = ws.bank.prompt(prompt).soft
    if soft is None:
        raise JobError(f"the prompt {prompt} has no soft prompt; choose one that was tuned")
    return soft


def _run_row(
    model: CausalModel,
    template: Template,
    row: Mapping[str, str],
    soft: SoftPrompt | None,
    request: RunRequest,
) -> RowResult:
    text, tokens = "", 0
    probabilities: dict[str, float] | None = None
    answer = generated = None
    try:
        if template.demonstrations is not None:
            raise JobError("a template with {demonstrations} shows a site's own cases; write the examples out here")
        rendered = template.render(row)
        text = rendered.text()
        if request.labels and template.words is not None:
            words = tuple(template.words[label] for label in request.labels)
            result = model.choices([ChoiceQuery(rendered, words, soft)])
            shares = _shares(result.loglikelihoods[0])
            probabilities = dict(zip(request.labels, shares, strict=True))
            answer = request.labels[int(np.argmax(shares))]
            tokens += result.tokens
        if request.generate:
            (written,) = model.generate([GenerateQuery(rendered, soft)], Decoding(request.max_tokens))
            generated, tokens = written.text, tokens + written.tokens
    except FedPromptError as error:
        return RowResult(text=text, probabilities=None, answer=None, generated=None, tokens=tokens, error=str(error))
    return RowResult(
        text=text, probabilities=probabilities, answer=answer, generated=generated, tokens=tokens, error=None
    )


def _shares(loglikelihoods: np.ndarray) -> list[float]:
    weights = np.exp(loglikelihoods - loglikelihoods.max())
    return [float(share) for share in weights / weights.sum()]
