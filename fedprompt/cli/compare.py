"""``fedprompt compare``: prompts of the bank side by side, over the cases that they were scored on."""

from typing import TYPE_CHECKING, Annotated

import typer

from fedprompt.cli.options import Home, Json, Split, split_named
from fedprompt.cli.showing import emit, line, percent, table

if TYPE_CHECKING:
    from fedprompt.workspace.ranking.comparing import PairMeasured, PairTold

__all__ = ["compare"]


def compare(
    a: Annotated[str, typer.Argument(help="A prompt's id, or the start of an id.")],
    b: Annotated[str, typer.Argument(help="The prompt to compare with.")],
    more: Annotated[list[str] | None, typer.Argument(help="Up to two more prompts to compare with.")] = None,
    split: Split = "validation",
    home: Home = None,
    json: Json = False,
) -> None:
    """Compare a prompt with one to three others, over the cases on which both were scored."""
    chosen = split_named(split)
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
    name = {"mcnemar": "exact McNemar test", "normal": "paired test of means"}[pair.whole.test or "mcnemar"]
    said = [f"{name} over {pair.whole.n:,} cases: p = {pair.whole.p:.3f}"]
    if pairs > 1:
        said.append(f"{pair.p_adjusted:.3f} after Holm's correction for {pairs} comparisons")
    if pair.i2 is not None:
        said.append(f"I² = {100 * pair.i2:.0f} % (share of the spread between sites that is more than chance)")
    return "; ".join([*said, *([] if pair.power is None else [pair.power])])


def _cells(entry: "PairMeasured") -> tuple[str, str, str]:
    """Return a site's difference and its interval, both in points, and its p-value."""
    if entry.difference is None or entry.low is None or entry.high is None:
        return "-", "", ""
    interval = f"({100 * entry.low:+.1f} to {100 * entry.high:+.1f})"
    return f"{100 * entry.difference:+.1f}", interval, f"{entry.p:.3f}"
