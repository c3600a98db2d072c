"""``fedprompt demo``: a federation on real text, from nothing to what joining gave."""

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Annotated, Any

import typer

from fedprompt.cli.options import Home, Json, Seed
from fedprompt.cli.showing import emit, line, number, percent, table
from fedprompt.cli.telling import Teller

if TYPE_CHECKING:
    from fedprompt.workspace.demo.result import DemoTemplate
    from fedprompt.workspace.demo.worthwhile import DonorsGain, NewcomerPoint, NewcomerResult
    from fedprompt.workspace.results.shown import ShownWork
    from fedprompt.workspace.rounds.federated import RoundValues
    from fedprompt.workspace.rounds.result_table import Difference, ResultRow, SiteDifference

__all__ = ["demo", "show_donors", "show_newcomer", "show_rounds", "show_templates", "show_test", "show_work"]


def demo(
    task: Annotated[
        str,
        typer.Option("--task", help="'questions': help desks and a newcomer. 'sentiment': a task with little to gain."),
    ] = "questions",
    rounds: Annotated[int | None, typer.Option("--rounds", min=1, help="Rounds of federated tuning.")] = None,
    cases: Annotated[int | None, typer.Option("--cases", min=1, help="Tuning cases per site.")] = None,
    seed: Seed = 0,
    again: Annotated[bool, typer.Option("--again", help="Run again, even if the bank has the results.")] = False,
    home: Home = None,
    json: Json = False,
) -> None:
    """Run the demo federation. A stopped run resumes; a finished run shows its results."""
    from fedprompt.workspace.assets import assets_ready, pull_assets
    from fedprompt.workspace.demo.run import demo as run
    from fedprompt.workspace.demo.settings import DemoSettings
    from fedprompt.workspace.demo.tasks import task_of
    from fedprompt.workspace.workspace import open_workspace

    given: dict[str, Any] = {"seed": seed, "again": again, "task": task}
    given |= {name: value for name, value in (("rounds", rounds), ("cases", cases)) if value is not None}
    task_of(DemoSettings(**given))  # before anything is fetched
    with open_workspace(home) as ws, Teller() as tell:
        if not assets_ready(ws.home):
            pull_assets(ws.home, tell)
        found = run(ws, DemoSettings(**given), tell)
    if json:
        emit(found)
        return
    show_templates(found.templates)
    show_rounds(found.rounds)
    show_test(found.outcome.test)
    show_work(found.work, found.clipped)
    line("seconds: " + ", ".join(f"{stage} {value:.0f}" for stage, value in found.seconds.items()))
    if found.newcomer is None or found.donors is None:
        for sentence in (found.headline, *found.outcome.sentences, found.note):
            line(sentence)
        return
    show_donors(found.donors)
    show_newcomer(found.newcomer)
    for sentence in (found.note, found.donors.sentence, found.headline):
        line(sentence)


def show_donors(donors: "DonorsGain") -> None:
    """Print the gain of each participating site."""
    from fedprompt.workspace.results.points import points

    def mean(by_site: Mapping[str, float]) -> float:
        return sum(by_site.values()) / len(by_site)

    whole = donors.gain
    rows = [
        (site, percent(donors.alone[site]), percent(donors.shared[site]), points(one.difference), _span(one))
        for site, one in whole.by_site.items()
    ]
    last = ("mean", percent(mean(donors.alone)), percent(mean(donors.shared)), points(whole.difference), _span(whole))
    table(
        ("site", "alone", "shared", "gain, points", "95 %"),
        [*rows, last],
        title="Test accuracy at the participating sites: each site's own prompt alone, and mixed with shared prompts",
    )


def show_newcomer(newcomer: "NewcomerResult") -> None:
    """Print the newcomer's accuracy alone and with shared prompts, by its number of labelled questions."""
    from fedprompt.workspace.demo.worthwhile import WAYS
    from fedprompt.workspace.results.points import points

    table(
        ("labelled", "alone", "by", "shared", "gain, points", "95 %", "needed alone"),
        [
            (
                f"{point.n}",
                percent(point.alone),
                WAYS[point.alone_by],
                percent(point.shared),
                points(point.gain),
                _span(point),
                f"more than {newcomer.curve[-1].n}" if point.needed is None else f"{point.needed:.0f}",
            )
            for point in newcomer.curve
        ],
        title="Test accuracy at the newcomer, which took part in no round",
    )


def _span(found: "Difference | SiteDifference | NewcomerPoint") -> str:
    from fedprompt.workspace.results.points import points

    return f"({points(found.low)} to {points(found.high)})"


def show_work(work: "ShownWork", clipped: int | Mapping[str, int]) -> None:
    """Print the model's work in a run, and how many cases were too long, in total or by site."""
    from fedprompt.workspace.results.shown import told_work

    if (told := told_work(work)) is not None:
        line(told)
    by_site = clipped if isinstance(clipped, Mapping) else {"": clipped}
    if count := sum(by_site.values()):
        where = ", ".join(f"{site} {cases:,}" for site, cases in by_site.items() if site and cases)
        line(
            f"{count:,} cases were too long for the model; the ends of their longest fields were cut"
            + (f" ({where})" if where else "")
        )


def show_templates(templates: "Sequence[DemoTemplate]") -> None:
    """Print the candidate templates, sorted by accuracy on pooled validation cases."""
    if templates:
        table(
            ("template", "pooled", "mean", "worst"),
            [(row.name, percent(row.pooled), percent(row.mean), percent(row.worst)) for row in templates],
            title="Templates: validation accuracy",
        )


def show_rounds(rounds: "Sequence[RoundValues]") -> None:
    """Print the validation accuracy of each round."""
    if rounds:
        sites = list(rounds[0].by_site)
        table(
            ("round", *sites, "mean", "bytes"),
            [
                (
                    entry.round,
                    *(percent(entry.by_site.get(site)) for site in sites),
                    percent(entry.mean),
                    f"{entry.bytes:,}",
                )
                for entry in rounds
            ],
            title="Validation accuracy by round",
        )


def show_test(test: "Mapping[str, ResultRow]") -> None:
    """Print the test table: mean over sites, its 95 % interval, the worst site, and every site."""
    from fedprompt.workspace.results.labels import labelled

    if test:
        sites = list(next(iter(test.values())).by_site)
        table(
            ("prompt", "mean", "95 %", "worst", *sites),
            [
                (
                    words,
                    percent(test[name].mean),
                    number(test[name].low, test[name].high),
                    percent(test[name].worst),
                    *(percent(test[name].by_site.get(site)) for site in sites),
                )
                for name, words in labelled(test)
            ],
            title="Test accuracy",
        )
