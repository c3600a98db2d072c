"""``fedprompt score`` and ``tune``: the work on one site's own cases."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from fedprompt.cli.demo import show_work
from fedprompt.cli.options import (
    CacheBytes,
    CacheDtype,
    Group,
    Header,
    Home,
    Json,
    Map,
    Seed,
    Split,
    SplitName,
    StudyFile,
    columns,
    kept_in,
    split_named,
)
from fedprompt.cli.showing import emit, line, money, number, percent, show_calls, table
from fedprompt.cli.telling import Teller

if TYPE_CHECKING:
    from fedprompt.evaluation.column_map import Columns
    from fedprompt.workspace.local.scored import ChatScored, Scored

__all__ = ["score", "tune"]

Data = Annotated[Path, typer.Option("--data", help="A file of cases: CSV, JSONL or Parquet.")]
SURE = 0.05


def score(
    study: StudyFile,
    data: Data,
    map_: Map = None,
    header: Header = None,
    group: Group = None,
    split: Split = "validation",
    seed: Seed = 0,
    model: Annotated[str | None, typer.Option("--model", help="Use this model instead of the study's.")] = None,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Only estimate the time and the cost.")] = False,
    cache_bytes: CacheBytes = None,
    no_cache: Annotated[
        bool, typer.Option("--no-cache", help="Compute again what is already known. Chat models charge again.")
    ] = False,
    judge: Annotated[
        str | None, typer.Option("--judge", help="The model that judges texts, instead of FEDPROMPT_JUDGE.")
    ] = None,
    home: Home = None,
    json: Json = False,
) -> None:
    """Score every template of a study on one site's cases."""
    chosen = split_named(split)
    if dry_run:
        _dry_run(study, data, columns(map_, header, group), chosen, model, judge, home, json)
        return
    from fedprompt.evaluation.runs.label_pairs import told
    from fedprompt.workspace.local.scored import Scored
    from fedprompt.workspace.local.scoring import score as run
    from fedprompt.workspace.workspace import open_workspace

    with open_workspace(home) as ws, Teller() as tell:
        found = run(
            ws,
            study,
            data,
            columns=columns(map_, header, group),
            split=chosen,
            seed=seed,
            model=model,
            cache_bytes=cache_bytes,
            anew=no_cache,
            judge=judge,
            report=tell,
        )
    if json:
        emit(found)
        return
    _show_scores(found)
    if isinstance(found, Scored):
        for pair in found.label_pairs:
            line(told(pair))
    apart = found.apart
    if apart.power is not None and not any(row.p_adjusted < SURE for row in apart.against_best[:1]):
        line(f"best two: {apart.power}")
    show_calls(found.judge)
    if not isinstance(found, Scored):
        _say_chat(found)
        return
    show_work(found.work, found.clipped)
    line(f"{found.seconds:.1f} s in all")
    if found.cached:
        line(f"{found.cached:,} scores of single cases were reused from an earlier run")


def _show_scores(found: "Scored | ChatScored") -> None:
    """Print the templates, the best first, and why free texts got what they got."""
    rows = sorted(found.results, key=lambda entry: -(entry.run.score.value or 0.0))
    scores = [entry.run.score for entry in rows]
    more = {
        "macro F1": [None if one.choice is None else one.choice.macro_f1 for one in scores],
        "balanced": [None if one.choice is None else one.choice.balanced_accuracy for one in scores],
    }
    shown = {name: values for name, values in more.items() if any(value is not None for value in values)}
    table(
        ("template", "cases", scores[0].metric if scores else "score", "95 %", *shown, "prompt"),
        [
            (
                *(entry.name, score.n, percent(score.value), number(score.low, score.high)),
                *(percent(values[place]) for values in shown.values()),
                entry.prompt,
            )
            for place, (entry, score) in enumerate(zip(rows, scores, strict=True))
        ],
        title=f"{found.study} on {found.split} with {found.model}",
    )
    why = [
        (entry.name, label, reason, cases)
        for entry in rows
        for label, counts in entry.run.reasons.items()
        for reason, cases in counts.items()
    ]
    if why:
        table(("template", "scorer", "reason", "cases"), why)
    for entry in rows:
        if entry.run.unscored:
            line(f"{entry.name}: {entry.run.unscored:,} cases could not be judged and are in no score")


def _dry_run(
    study: Path,
    data: Path,
    read_as: "Columns",
    split: SplitName,
    model: str | None,
    judge: str | None,
    home: Path | None,
    json: bool,
) -> None:
    from fedprompt.workspace.local.dry_run import dry_run
    from fedprompt.workspace.workspace import open_workspace

    with open_workspace(home) as ws, Teller() as tell:
        found = dry_run(ws, study, data, columns=read_as, split=split, model=model, judge=judge, report=tell)
    if json:
        emit(found)
        return
    line(f"{found.templates:,} templates on {found.cases:,} cases with {found.model}; nothing was run:")
    take = found.take
    if take.calls:
        where = "another machine" if take.remote else "this machine"
        line(f"{take.calls:,} calls to a server on {where}")
        line(f"about {take.input_tokens:,} input tokens and at most {take.output_tokens:,} output tokens")
        line(f"cost: {money(take.cost)}")
    else:
        line(f"about {take.tokens:,} tokens")
    if take.seconds is not None:
        line(f"about {take.seconds:.1f} s")
    show_calls(found.judge, "at most ")
    for note in found.notes:
        line(note)


def _say_chat(found: "ChatScored") -> None:
    """Say how a chat model was asked, what it could not be asked, and what that cost."""
    told = {"likelihood": "by the likelihood of the first token", "constrained": "by constrained answers"}
    for method in sorted({entry.method for entry in found.results if entry.method is not None}):
        line(f"answered {told[method]}")
    for entry in found.results:
        if entry.unparsed:
            lines = (found.unparsed_lines or {}).get(entry.prompt, [])
            shown = ", ".join(map(str, lines[:10])) + (" ..." if len(lines) > 10 else "")
            line(f"{entry.name}: {entry.unparsed} answers were not a label and count as wrong (lines {shown})")
        for reason, count in sorted((entry.failed or {}).items()):
            line(f"{entry.name}: {count} calls failed ({reason}) and are in no score")
    paid = found.paid
    if paid.cached:
        line(f"{paid.cached:,} answers were reused from an earlier run at no cost")
    line(f"{paid.calls:,} calls, {paid.tokens:,} tokens, {found.seconds:.1f} s, cost {money(paid.cost)}")
    for note in paid.notes:
        line(note)


def tune(
    study: StudyFile,
    data: Data,
    map_: Map = None,
    header: Header = None,
    group: Group = None,
    seed: Seed = 0,
    cache_bytes: CacheBytes = None,
    cache_dtype: CacheDtype = None,
    home: Home = None,
    json: Json = False,
) -> None:
    """Tune the study's soft prompt on one site's cases. With rounds.patience, stop when validation stops improving."""
    cached_in = kept_in(cache_dtype)
    from fedprompt.workspace.local.tuning import tune as run
    from fedprompt.workspace.workspace import open_workspace

    with open_workspace(home) as ws, Teller() as tell:
        found = run(
            ws,
            study,
            data,
            columns=columns(map_, header, group),
            seed=seed,
            cache_bytes=cache_bytes,
            cache_dtype=cached_in,
            report=tell,
        )
    if json:
        emit(found)
        return
    line(f"{found.prompt}: {found.steps} steps in {found.seconds:.1f} s")
    if loss := found.loss:
        line(f"mean loss {loss[0]:.3f} in the first part of the steps, {loss[-1]:.3f} in the last")
    for split, entry in (("validation", found.validation), ("test", found.test)):
        line(f"{split}: {percent(entry.value)} {number(entry.low, entry.high)}".rstrip())
    show_work(found.work, found.clipped)
