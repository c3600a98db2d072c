"""``fedprompt study``: draft, check and show a study file."""

import os
import secrets
import shlex
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from fedprompt.cli.options import Header, Home, Json
from fedprompt.cli.showing import emit, line, table

if TYPE_CHECKING:
    from fedprompt.study.schema import Study

__all__ = ["app", "check", "new", "show"]

app = typer.Typer(help="Write and check study files. A study is one task for all sites.", no_args_is_help=True)
StudyArgument = Annotated[Path, typer.Argument(help="A study (a YAML file).")]


@app.command()
def new(
    data: Annotated[Path, typer.Option("--data", help="A file of cases: CSV, JSONL or Parquet.")],
    out: Annotated[Path | None, typer.Option("--out", help="Write the draft to this file. Default: stdout.")] = None,
    name: Annotated[str | None, typer.Option("--name", help="The study's name. Default: the file's name.")] = None,
    answer: Annotated[str | None, typer.Option("--answer", help="The answer column. Default: detected.")] = None,
    text: Annotated[str | None, typer.Option("--text", help="The text column. Default: detected.")] = None,
    header: Header = None,
    model: Annotated[str | None, typer.Option("--model", help="The study's model.")] = None,
) -> None:
    """Draft a study from a file of cases."""
    from fedprompt.errors import StudyError
    from fedprompt.evaluation.drafting import drafted
    from fedprompt.models.registry import DEFAULT_MODEL
    from fedprompt.study.files import parse_study

    if out is not None and out.exists():
        raise StudyError(f"{out} exists already; choose another name or delete the file", code="there-already")
    draft = drafted(data, name=name, model=model or DEFAULT_MODEL, answer=answer, text=text, header=header)
    parse_study(draft.text, "the draft")
    if out is None:
        typer.echo(draft.text, nl=False)
        return
    temporary = out.with_name(f".{out.name}.{secrets.token_hex(8)}")
    try:
        temporary.write_text(draft.text, encoding="utf-8")
        os.replace(temporary, out)
    finally:
        temporary.unlink(missing_ok=True)
    check = f"fedprompt data check {shlex.quote(str(data))} --study {shlex.quote(str(out))} {draft.options}".rstrip()
    line(f"wrote {out}; review it, edit it, then run: {check}")


def _parts(study: "Study") -> str:
    """Return in a phrase what a study ranks and what its rounds change."""
    if study.pretraining is not None:
        rounds, steps = study.rounds.count, study.pretraining.steps
        return f"it trains a model on unlabelled text, {rounds} round{'' if rounds == 1 else 's'} of {steps} steps"
    count, moved = len(study.templates), {"soft": "with a soft slot", None: "without a soft slot"}
    moves = moved.get(study.moves, "with an adapter")
    return f"{count} template{'' if count == 1 else 's'}, {moves}"


@app.command()
def check(file: StudyArgument, home: Home = None, json: Json = False) -> None:
    """Check a study file, and report labels that begin with one another for the model's tokenizer."""
    from fedprompt.evaluation.runs.label_pairs import told
    from fedprompt.evaluation.scorers import complete_scorers
    from fedprompt.privacy.promise import promise_of
    from fedprompt.study.files import read_study
    from fedprompt.study.showing import notes
    from fedprompt.workspace.as_json import as_json
    from fedprompt.workspace.cases.label_check import labels_checked
    from fedprompt.workspace.rounds.planned_questions import check_questions, planned_questions, spare_scores

    study = read_study(file, complete_scorers)
    check_questions(study, str(file))
    promise = promise_of(study)
    pairs = labels_checked(study, home)
    odd = [*notes(study), *(note for note in [spare_scores(study)] if note is not None)]
    found = {
        "ok": True,
        "study": study.study,
        "model": study.model,
        "fields": list(study.fields),
        "labels": list(study.answer.labels),
        "templates": [template.name for template in study.candidates()],
        "soft": study.soft is not None,
        "min_cases": study.privacy.min_cases,
        "questions": study.privacy.questions,
        "questions_asked": dict(planned_questions(study)),
        **({} if promise is None else {"privacy": as_json(promise)}),
        "label_pairs": None if pairs is None else [asdict(pair) for pair in pairs],
        "notes": list(odd),
    }
    if json:
        emit(found)
    else:
        line(f"{file}: the study '{study.study}' is valid: {_parts(study)}")
        if promise is not None:
            line(promise.sentence)
            line(promise.details)
            line(promise.cost)
        for pair in pairs or ():
            line(told(pair))
        if pairs is None and study.answer.type == "choice":
            line(
                f"its labels were not checked with the tokenizer of '{study.model}', because that model is not "
                "on this machine"
            )
        for note in odd:
            line(f"note: {note}")


@app.command()
def show(file: StudyArgument, json: Json = False) -> None:
    """Show a study with its defaults filled in."""
    import yaml

    from fedprompt.evaluation.scorers import complete_scorers
    from fedprompt.study.files import read_study

    study = read_study(file, complete_scorers)
    body = study.model_dump(mode="json", exclude_none=True)
    if json:
        emit(body)
        return
    templates = body.pop("templates")
    line(yaml.safe_dump(body, sort_keys=False, allow_unicode=True, width=110, default_flow_style=None).rstrip())
    rows = []
    for spec, template in zip(templates, study.candidates(), strict=True):
        text = spec.get("text") or " / ".join(f"{m['role']}: {m['content']}" for m in spec.get("messages", ()))
        words = ", ".join(repr(word) for word in (template.words or {}).values())
        rows.append((template.name, text.replace("\n", "\\n"), words))
    table(("template", "text", "label words"), rows)
