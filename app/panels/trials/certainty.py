"""How sure a run's results are: each variant against the first, results by label, and the confusion matrix."""

import pandas as pd
import streamlit as st

from app.display.named import named
from app.display.plain import percent, plain, points
from app.panels.trials.cells import title_of
from fedprompt.workspace.playground.trial_statistics import PairTest, by_label, confusion, pair_tests
from fedprompt.workspace.playground.trials import Trial

__all__ = ["draw_certainty", "said_pair"]

SIGNIFICANT = 0.05
MOST_PAIRS = 12


def draw_certainty(page: str, trial: Trial) -> None:
    """Draw what can be said of the differences, and results by label where answers are labels.

    Args:
        page: begins the keys of what is drawn.
        trial: a run of several rows.
    """
    tests = pair_tests(trial)[:MOST_PAIRS]
    for test in tests:
        named(f"{page}_pair_{test.other}").markdown(f":green[:material/balance:] {said_pair(trial, test)}")
    if tests:
        st.caption(
            "The difference covers the rows judged for both, with a 95 % bootstrap interval. p is from the "
            "exact McNemar test" + (", with Holm's correction." if len(tests) > 1 else ".")
        )
    labelled = [number for number in range(len(trial.request.variants)) if by_label(trial, number)]
    if labelled:
        with st.expander("Results by label", icon=":material/grid_view:", key=f"{page}_by_label"):
            _draw_labels(page, trial, labelled)


def said_pair(trial: Trial, test: PairTest) -> str:
    """Return a comparison in a sentence, its names safe to draw."""
    first, other = plain(title_of(trial, test.first)), plain(title_of(trial, test.other))
    found, rows = test.difference, f"{test.n:,} row{'s' if test.n != 1 else ''}"
    interval = f"{points(100 * found.low)} to {points(100 * found.high)}"
    if test.better + test.worse == 0:
        return f"**{other}** and **{first}** pass the same rows out of {rows}."
    counts = f"only **{other}** passes {test.better:,}, only **{first}** passes {test.worse:,}"
    numbers = f"{points(100 * found.value)} points ({interval}), p = {_p(test.p)}"
    if test.p < SIGNIFICANT and found.excludes_zero:
        word = "better" if found.value > 0 else "worse"
        return f"**{other}** is significantly {word} than **{first}** on {rows}: {numbers}; {counts}."
    return f"**{other}** is not significantly different from **{first}** on {rows}: {numbers}; {counts}."


def _p(p: float) -> str:
    return "0.001 or less" if p <= 0.001 else f"{p:.2g}" if p < 0.1 else f"{p:.2f}"


def _draw_labels(page: str, trial: Trial, labelled: list[int]) -> None:
    chosen = labelled[0]
    if len(labelled) > 1:
        chosen = st.segmented_control(
            "Variant",
            labelled,
            format_func=lambda number: plain(title_of(trial, number)),
            default=labelled[0],
            key=f"{page}_labels_of",
            required=True,
        )
    results, counts = by_label(trial, chosen), confusion(trial, chosen)
    st.dataframe(
        pd.DataFrame(
            [
                {
                    "label": one.label,
                    "rows": one.n,
                    "right": one.right,
                    "recall": None if one.recall is None else 100 * one.recall,
                    "from": None if one.interval is None else 100 * one.interval.low,
                    "to": None if one.interval is None else 100 * one.interval.high,
                    "precision": None if one.precision is None else 100 * one.precision,
                }
                for one in results
            ]
        ),
        hide_index=True,
        placeholder="\N{EN DASH}",
        column_config={
            "rows": st.column_config.NumberColumn(help="Number of rows whose right answer is this label."),
            "recall": st.column_config.NumberColumn(
                format="%.1f %%", help="Share of these rows that are answered correctly."
            ),
            "from": st.column_config.NumberColumn(format="%.1f %%", help="95 % interval of the recall."),
            "to": st.column_config.NumberColumn(format="%.1f %%", help="95 % interval of the recall."),
            "precision": st.column_config.NumberColumn(
                format="%.1f %%", help="Share of answers with this label that are correct."
            ),
        },
        alt="Results by label",
    )
    st.caption("Confusion matrix. Rows are correct answers. Columns are given answers.")
    labels = [one.label for one in results]
    matrix = pd.DataFrame(counts, index=labels, columns=[f"\N{RIGHTWARDS ARROW} {label}" for label in labels])
    st.dataframe(matrix, alt="Confusion matrix")
    wrong = [(n, labels[a], labels[b]) for a, row in enumerate(counts) for b, n in enumerate(row) if a != b and n]
    if wrong:
        n, answer, given = max(wrong)
        share = percent(n / max(1, sum(map(sum, counts))))
        st.caption(f"Most common error: {plain(answer)} is answered as {plain(given)} in {n:,} rows ({share}).")
