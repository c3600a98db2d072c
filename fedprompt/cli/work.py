"""``fedprompt score``, ``tune``, ``federate`` and ``compare``: the work on a user's own cases."""

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal, cast, get_args

import typer

from fedprompt.cli.demo import show_rounds, show_test, show_work
from fedprompt.cli.options import Group, Header, Home, Json, Map, Seed, StudyFile, columns, sites
from fedprompt.cli.showing import emit, line, number, percent, show_calls, table
from fedprompt.cli.telling import Teller

if TYPE_CHECKING:
    from fedprompt.evaluation.column_map import Columns
    from fedprompt.models.chat.cost import Cost
    from fedprompt.models.protocols import CacheDtype as KeptIn
    from fedprompt.workspace.local.scored import ChatScored, Scored
    from fedprompt.workspace.ranking.comparing import PairMeasured, PairTold
    from fedprompt.workspace.results.worth import WorthResult

__all__ = ["compare", "federate", "score", "tune"]

SplitName = Literal["tune", "validation", "test"]
Data = Annotated[Path, typer.Option("--data", help="A CSV, JSONL or Parquet file of cases.")]
CacheBytes = Annotated[
    int | None,
    typer.Option("--cache-bytes", min=0, help="Keys and values to keep in memory; the rest goes to the disk."),
]
CacheDtype = Annotated[
    str | None,
    typer.Option("--cache-dtype", help="What they are kept in: model (its own dtype) or bfloat16, in half the room."),
]
SURE = 0.05
Split = Annotated[str, typer.Option("--split", help="tune, validation or test.")]


def score(
    study: StudyFile,
    data: Data,
    map_: Map = None,
    header: Header = None,
    group: Group = None,
    split: Split = "validation",
    seed: Seed = 0,
    model: Annotated[str | None, typer.Option("--model", help="Instead of the study's model.")] = None,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Only say what it would take.")] = False,
    cache_bytes: CacheBytes = None,
    no_cache: Annotated[
        bool, typer.Option("--no-cache", help="Compute, and on a chat model pay for, what is known already.")
    ] = False,
    home: Home = None,
    json: Json = False,
) -> None:
    """Score every template of a study on one site's cases."""
    chosen = _split(split)
    if dry_run:
        _dry_run(study, data, columns(map_, header, group), chosen, model, home, json)
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
        line(f"the best two: {apart.power}")
    show_calls(found.judge)
    if not isinstance(found, Scored):
        _say_chat(found)
        return
    show_work(found.work, found.clipped)
    line(f"{found.seconds:.1f} s in all")
    if found.cached:
        line(f"{found.cached:,} scores of single cases were known from an earlier run")


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
    home: Path | None,
    json: bool,
) -> None:
    from fedprompt.workspace.local.dry_run import dry_run
    from fedprompt.workspace.workspace import open_workspace

    with open_workspace(home) as ws, Teller() as tell:
        found = dry_run(ws, study, data, columns=read_as, split=split, model=model, report=tell)
    if json:
        emit(found)
        return
    line(f"{found.templates:,} templates on {found.cases:,} cases with {found.model}, nothing was run:")
    take = found.take
    if take.calls:
        where = "another machine" if take.remote else "this machine"
        line(f"{take.calls:,} calls to a server on {where}")
        line(f"about {take.input_tokens:,} tokens to read and at most {take.output_tokens:,} to write")
        line(f"cost: {_money(take.cost)}")
    else:
        line(f"about {take.tokens:,} tokens")
    if take.seconds is not None:
        line(f"about {take.seconds:.1f} s")
    show_calls(found.judge, "at most ")
    for note in found.notes:
        line(note)


def _say_chat(found: "ChatScored") -> None:
    """Say how a chat model was asked, what it could not be asked, and what that cost."""
    told = {"likelihood": "by the likelihoods of its first token", "constrained": "by constrained answers"}
    for method in sorted({entry.method for entry in found.results if entry.method is not None}):
        line(f"answered {told[method]}")
    for entry in found.results:
        if entry.unparsed:
            lines = (found.unparsed_lines or {}).get(entry.prompt, [])
            shown = ", ".join(map(str, lines[:10])) + (" ..." if len(lines) > 10 else "")
            line(f"{entry.name}: {entry.unparsed} answers were no label and count as wrong (lines {shown})")
        for reason, count in sorted((entry.failed or {}).items()):
            line(f"{entry.name}: {count} calls failed for good ({reason}) and are in no score")
    paid = found.paid
    if paid.cached:
        line(f"{paid.cached:,} answers were known from an earlier run and cost nothing")
    line(f"{paid.calls:,} calls, {paid.tokens:,} tokens, {found.seconds:.1f} s, cost {_money(paid.cost)}")
    for note in paid.notes:
        line(note)


def _money(cost: "Cost | None") -> str:
    return "not known" if cost is None else f"{cost.amount:,.4f} {cost.currency}"


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
    """Tune the study's soft prompt on one site's cases; with rounds.patience, until validation no longer gains."""
    kept_in = _kept_in(cache_dtype)
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
            cache_dtype=kept_in,
            report=tell,
        )
    if json:
        emit(found)
        return
    line(f"{found.prompt}: {found.steps} steps in {found.seconds:.1f} s")
    if loss := found.loss:
        line(f"loss {loss[0]:.3f} in the first part of the steps, {loss[-1]:.3f} in the last")
    for split, entry in (("validation", found.validation), ("test", found.test)):
        line(f"{split}: {percent(entry.value)} {number(entry.low, entry.high)}".rstrip())
    show_work(found.work, found.clipped)


def federate(
    study: StudyFile,
    site: Annotated[
        list[str] | None,
        typer.Option("--site", help="A site and its cases: clinic=clinic.csv. Repeat it. Over flare a name alone."),
    ] = None,
    transport: Annotated[
        str, typer.Option("--transport", help="local: all sites in this process; flare: sites on their own machines.")
    ] = "local",
    map_: Map = None,
    header: Header = None,
    group: Group = None,
    seed: Seed = 0,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Only say what it would take, site by site.")] = False,
    resume: Annotated[bool, typer.Option("--resume", help="Go on with a run that stopped; begin none.")] = False,
    worth: Annotated[
        bool, typer.Option("--worth", help="Measure what joining is worth: sites also answer as newcomers.")
    ] = False,
    cache_bytes: CacheBytes = None,
    cache_dtype: CacheDtype = None,
    home: Home = None,
    json: Json = False,
) -> None:
    """Run a whole federation: score, tune in rounds, report on test."""
    if transport not in ("local", "flare"):
        raise typer.BadParameter(f"'{transport}' is neither local nor flare", param_hint="--transport")
    kept_in = _kept_in(cache_dtype)
    for option, value in (("--cache-bytes", cache_bytes), ("--cache-dtype", kept_in)):
        if transport == "flare" and value is not None:
            raise typer.BadParameter("over flare each site has its own memory", param_hint=option)
    if transport == "flare" and (map_ or group or any("=" in one for one in site or ())):
        said = "over flare each site names its own file and columns; give names alone"
        raise typer.BadParameter(said, param_hint="--site")
    from fedprompt.workspace.rounds.federating import federate as run
    from fedprompt.workspace.rounds.federating import federate_flare
    from fedprompt.workspace.workspace import open_workspace

    files = sites(site or ()) if transport == "local" else {}
    if dry_run:
        _forecast(study, files or dict.fromkeys(site or ()), columns(map_, header, group), home, json)
        return
    with open_workspace(home) as ws, Teller() as tell:
        if transport == "flare":
            found = federate_flare(ws, study, site or (), seed=seed, resume=resume, worth=worth, report=tell)
        else:
            found = run(
                ws,
                study,
                files,
                columns=columns(map_, header, group),
                seed=seed,
                resume=resume,
                worth=worth,
                cache_bytes=cache_bytes,
                cache_dtype=kept_in,
                report=tell,
            )
    if json:
        emit(found)
        return
    show_rounds(found.rounds)
    show_test(found.test)
    for sentence in found.sentences:
        line(sentence)
    if found.worth is not None:
        _show_worth(found.worth)
    show_work(found.work, found.clipped)
    show_calls(found.judge)


def _show_worth(found: "WorthResult") -> None:
    """Print what joining is worth: a row for each number of labelled cases, and a sentence."""
    from fedprompt.workspace.results.points import points
    from fedprompt.workspace.rounds.worth_ways import way_words

    rows = []
    for point, at in zip(found.curve, found.at, strict=True):
        needed = "more" if point.needed is None else f"{point.needed:.0f}"
        values = (percent(point.alone), percent(point.shared))
        span = number(point.low, point.high)
        rows.append(
            (point.n, point.sites, *values, points(point.gain, signed=True), span, needed, way_words(at.chosen))
        )
    if rows:
        heads = ("labelled cases", "sites", "alone", "shared", "points", "95 %", "needed alone", "best way")
        table(heads, rows, title="what joining is worth, over sites that took no part in what they were helped with")
    for sentence in (*found.sentences, *([] if found.note is None else [found.note])):
        line(sentence)
    for at in found.at:
        for site, reason in at.missing.items():
            line(f"{at.n} labelled cases: without {site} ({reason})")


def _forecast(
    study: Path,
    files: Mapping[str, Path | None],
    read_as: "Columns",
    home: Path | None,
    json: bool,
) -> None:
    from fedprompt.workspace.rounds.forecast import forecast
    from fedprompt.workspace.workspace import open_workspace

    with open_workspace(home) as ws, Teller() as tell:
        found = forecast(ws, study, files, columns=read_as, report=tell)
    if json:
        emit(found)
        return
    rows, chat = [], found.chat
    for name, one in found.sites.items():
        seconds = "-" if one.seconds is None else f"{one.seconds:.0f}"
        cases = "-" if one.cases is None else one.cases
        bill = () if one.chat is None else (_count(one.chat.calls), _count(one.chat.tokens), _money(one.chat.cost))
        rows.append((name, cases, seconds, f"{one.sent:,}", f"{one.received:,}", *bill))
    counted = () if chat is None else ("calls", "tokens", "cost")
    table(("site", "cases", "seconds", "bytes to it", "bytes from it", *counted), rows, title=f"{found.rounds} rounds")
    if chat is not None:
        cost = _money(chat.cost)
        line(f"all sites: {_count(chat.calls)} calls, at most {_count(chat.tokens)} tokens, cost {cost}")
    show_calls(None if found.judging is None else found.judging.judge, "at most ")
    line(f"nothing was sent; seconds: {found.basis}")
    for note in found.notes:
        line(note)


def _count(number: int | None) -> str:
    return "-" if number is None else f"{number:,}"


def compare(
    a: Annotated[str, typer.Argument(help="A prompt's id, or the beginning of one.")],
    b: Annotated[str, typer.Argument(help="The prompt to compare it with.")],
    more: Annotated[list[str] | None, typer.Argument(help="Up to two more to compare it with.")] = None,
    split: Split = "validation",
    home: Home = None,
    json: Json = False,
) -> None:
    """Compare a prompt of the bank with one to three others over the cases that both were scored on."""
    chosen = _split(split)
    from fedprompt.workspace.ranking.comparing import compare_scores
    from fedprompt.workspace.workspace import open_workspace

    with open_workspace(home) as ws:
        found = compare_scores(ws, a, b, *(more or ()), split=chosen)
    if json:
        emit(found)
        return
    first, *others = found.prompts
    for second, pair in zip(others, found.pairs, strict=True):
        rows, told = [], pair.told
        for site, one in first.by_site.items():
            other, apart = second.by_site.get(site), told.by_site.get(site)
            values = (percent(None if entry is None else entry.value) for entry in (one, other))
            rows.append((site, *values, *(("-", "", "") if apart is None else _cells(apart))))
        if rows:
            table(("site", first.name, second.name, "points", "95 %", "p"), rows)
        line(told.sentence)
        if told.whole.p is not None:
            line(_tests_said(told, len(others)))


def _tests_said(pair: "PairTold", pairs: int) -> str:
    """Return the test over all sites, how much they differ, and how many cases it takes."""
    name = {"mcnemar": "McNemar's exact test", "normal": "the paired test of means"}[pair.whole.test or "mcnemar"]
    said = [f"{name} over {pair.whole.n:,} cases: p = {pair.whole.p:.3f}"]
    if pairs > 1:
        said.append(f"{pair.p_adjusted:.3f} corrected for {pairs} comparisons (Holm)")
    if pair.i2 is not None:
        said.append(f"{100 * pair.i2:.0f} % of the spread between sites is more than chance (I squared)")
    return "; ".join([*said, *([] if pair.power is None else [pair.power])])


def _cells(entry: "PairMeasured") -> tuple[str, str, str]:
    """Return a site's difference and its interval, both in points, and its p-value."""
    if entry.difference is None or entry.low is None or entry.high is None:
        return "-", "", ""
    interval = f"({100 * entry.low:+.1f} to {100 * entry.high:+.1f})"
    return f"{100 * entry.difference:+.1f}", interval, f"{entry.p:.3f}"


def _split(name: str) -> SplitName:
    if name not in get_args(SplitName):
        raise typer.BadParameter(f"'{name}' is not one of tune, validation, test", param_hint="--split")
    return cast(SplitName, name)


def _kept_in(name: str | None) -> "KeptIn | None":
    if name is None:
        return None
    from fedprompt.models.protocols import CacheDtype as KeptIn

    if name not in get_args(KeptIn):
        raise typer.BadParameter(f"'{name}' is neither model nor bfloat16", param_hint="--cache-dtype")
    return cast("KeptIn", name)
