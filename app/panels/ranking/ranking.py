"""The ranking as a table: every prompt, its mean and worst site, and its sites as heat map columns."""

from collections.abc import Hashable, Mapping, Sequence
from typing import Any
from zlib import crc32

import pandas as pd
import streamlit as st
from pandas.io.formats.style import Styler

from app.display.palette import palette
from app.display.plain import between, plain
from app.display.titles import title
from app.panels.ranking.folding import folded, more_of
from app.session import prompt_titles, workspace
from fedprompt.evaluation.statistics.intervals import Interval
from fedprompt.workspace.ranking.ranking_page import RankingPage, standing_of
from fedprompt.workspace.results.views import LeaderRow

__all__ = ["KINDS", "MORE", "column_order", "column_settings", "heated", "ranking_frame", "table_key"]

KINDS = {"template": "template", "soft": "tuned"}
STANDINGS = {
    "reference": "reference",
    "other way": "other way",
    "best": "best",
    "below": "worse",
    "not told apart": "\N{ALMOST EQUAL TO} best",
}
# Columns that are shown on request: with all of them the table is wider than a screen.
MORE = {"best with": "P(best)", "short id": "Id", "kind": "Kind", "tags": "Tags"}


def ranking_frame(view: RankingPage, before: int, *, test: bool = False, fold: bool = False) -> pd.DataFrame:
    """Return one row a prompt, shares in per cent; a value that was not measured is missing, never zero.

    Args:
        view: the page.
        before: how many rows the pages before this one have.
        test: with the test scores of nominated prompts.
        fold: of the parts of one run on this page, only the best, which counts the others; places stay. With test
            scores, nominated prompts are shown too.
    """
    tags = view.tags or {}
    tagged = any(row.id in tags for row in view.rows)
    known = {row.id: row for row in workspace().bank.rows_of([row.id for row in view.rows])}
    called = prompt_titles()  # the same as on every page: those that are alike are told apart
    names = {id: called.get(id) or title(row) for id, row in known.items()}
    hidden: set[str] = set()
    if fold:
        nominated = [row.id for row in view.rows if test and row.nominated]
        shown = folded([known[row.id] for row in view.rows if row.id in known], lambda row: 0.0, nominated)
        names = {id: more_of(name, shown.get(id, 0)) for id, name in names.items()}
        hidden = known.keys() - shown.keys()
    return pd.DataFrame(
        [
            _row(place, row, view, names, test, tagged)
            for place, row in enumerate(view.rows, before + 1)
            if row.id not in hidden
        ]
    )


def _row(
    place: int, row: LeaderRow, view: RankingPage, names: Mapping[str, str], test: bool, tagged: bool
) -> dict[str, Any]:
    cells: dict[str, Any] = {
        "place": None if row.mean is None else place,
        "prompt": names.get(row.id, row.name),
        "short id": row.id[3:11],
        "mean": _hundred(row.mean),
        "interval": _interval(row.interval),
        "worst site": _hundred(row.worst),
        "standing": STANDINGS.get(standing_of(row, view.best) or ""),
        "best with": _hundred(row.probability_best),
    }
    for site in view.sites:
        score = row.sites.get(site)
        cells[site] = None if score is None else 100 * score.value
    if test:
        cells["test mean"] = _hundred(row.test_mean) if row.nominated else None
        cells["test interval"] = _interval(row.test_interval) if row.nominated else None
    if tagged:
        cells["tags"] = ", ".join((view.tags or {}).get(row.id, ()))
    cells["kind"] = KINDS.get(row.kind, row.kind)
    cells["id"] = row.id
    return cells


def table_key(page: str, ids: Sequence[str]) -> str:
    """Return a key for a table of these prompts in this order.

    Streamlit keeps a table's chosen rows by their place; with a key of its own for each order, a tick never
    moves to another prompt when a new one comes in.
    """
    return f"{page}_table_{crc32(''.join(ids).encode()):08x}"


def heated(frame: pd.DataFrame, sites: Sequence[str]) -> Styler:
    """Return the table with its sites' columns tinted by value, the same scale for all of them."""
    columns = [site for site in sites if site in frame.columns and frame[site].notna().any()]
    values = pd.concat([frame[column] for column in columns]) if columns else pd.Series(dtype=float)
    low, high = (values.min(), values.max()) if len(values) else (0.0, 100.0)
    span = max(float(high - low), 1.0)
    tint = palette().tint

    def colour(value: Any) -> str:
        if pd.isna(value):
            return ""
        return f"background-color: rgba({tint}, {0.03 + 0.5 * (float(value) - float(low)) / span:.2f})"

    return frame.style.map(colour, subset=list[Hashable](columns)) if columns else frame.style


def column_order(frame: pd.DataFrame, sites: Sequence[str], more: Sequence[str]) -> list[str]:
    """Return the columns to show, in order: those that every visitor needs, what is asked for, the sites last."""
    first = ("place", "prompt", "mean", "interval", "worst site", "standing", "test mean", "test interval")
    return [name for name in (*first, *more, *sites) if name in frame.columns]


def column_settings(sites: Sequence[str]) -> dict[str, Any]:
    """Return titles, formats and explanations for the columns."""
    config = st.column_config
    share = "%.1f %%"
    return {
        "place": config.NumberColumn("#", width=52, pinned=True),
        "prompt": config.TextColumn("Prompt", pinned=True, width=300),
        "short id": config.TextColumn("Id", width=80, help="Start of the prompt's content id."),
        "mean": config.ProgressColumn(
            "Accuracy",
            format=share,
            min_value=0,
            max_value=100,
            width=115,
            help="Mean over the sites. Every site has the same weight.",
        ),
        "interval": config.TextColumn(
            "95 % interval",
            width=100,
            help="95 % confidence interval of the mean. More cases make it narrower.",
        ),
        "worst site": config.NumberColumn(
            "Worst site", format=share, width=84, help="The lowest accuracy of all sites."
        ),
        "standing": config.TextColumn(
            "Status",
            width=90,
            help="\N{ALMOST EQUAL TO} best: not significantly different from the best. other way: scored with "
            "another method or other scorers, so not comparable.",
        ),
        **{
            site: config.NumberColumn(
                site,
                format="%.1f",
                width=76,
                help=f"Accuracy on the validation cases of {plain(site)}, in per cent.",
            )
            for site in sites
        },
        "test mean": config.NumberColumn("Test mean", format=share, width=85),
        "test interval": config.TextColumn("Test interval", width=105),
        "best with": config.NumberColumn(
            "P(best)",
            format="%.0f %%",
            width=75,
            help="Probability that this prompt is the best of the study. It is the share of 2,000 bootstrap draws "
            "in which its mean is the highest.",
        ),
        "tags": config.TextColumn("Tags", width=150),
        "kind": config.TextColumn("Kind", width=80),
        "id": None,
    }


def _hundred(value: float | None) -> float | None:
    return None if value is None else 100 * value


def _interval(interval: Interval | None) -> str | None:
    return None if interval is None else between(interval.low, interval.high)
