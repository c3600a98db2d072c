"""Blind rating: two answers to a case, without saying whose; what is preferred ranks the prompts (Bradley and Terry).

Invariant: each rating is kept with the run at once, so that a reload goes on at the same pair, and whose answers are
shown is told only by the ranking.
"""

import hashlib
import json
from collections.abc import Callable, Mapping, Sequence
from itertools import combinations

import numpy as np
import pandas as pd
import streamlit as st

from app.display.named import named
from app.display.plain import plain, sentence
from fedprompt.errors import FedPromptError
from fedprompt.evaluation.statistics.bradley_terry import bradley_terry
from fedprompt.workspace.playground.trial_files import TrialFolder

__all__ = ["draw_rating"]

Duel = tuple[int, str, str]
MOST = 2000


def draw_rating(
    folder: TrialFolder, run: str, rows: Sequence[Mapping[str, str]], answers: Mapping[str, Sequence[str | None]]
) -> bool:
    """Draw the next pair of answers that differ and, once there are ratings, the ranking.

    Args:
        folder: the visitor's runs.
        run: the run whose answers are rated.
        rows: the visitor's own cases.
        answers: prompt -> what it answered to each case, None where it failed.

    Returns:
        Whether there is nothing left to rate.
    """
    # A rating is of these answers; with others it begins anew. The pairs follow from them, in the same order each time.
    of = hashlib.sha256(json.dumps(list(map(list, answers.values()))).encode()).hexdigest()[:32]
    duels = _duels(answers, np.random.default_rng(int(of, 16)))
    rated = folder.ratings(run, of)[: len(duels)]
    if not duels:
        named("rating_nothing").caption("All prompts give the same answers, so there is nothing to rate.")
        return True
    if (told := st.session_state.pop("compare_rating_told", None)) is not None:
        named("rating_elsewhere").warning(plain(sentence(told)), icon=":material/difference:")

    def rate(ratings: tuple[float, ...]) -> None:
        try:
            folder.rate(run, of, rated, ratings)
        except FedPromptError as error:
            st.session_state["compare_rating_told"] = str(error)

    if len(rated) < len(duels):
        _ask(rows, answers, duels[len(rated)], rated, rate, f"{len(rated) + 1} of {len(duels)}")
    else:
        named("rating_done").caption("You have rated every differing pair.")
    if rated:
        st.button(
            "Undo last rating",
            key="compare_rate_undo",
            icon=":material/undo:",
            type="tertiary",
            on_click=rate,
            args=(rated[:-1],),
        )
        _draw_ranking(list(answers), _wins(duels, rated), _lines(duels, rated))
    return len(rated) >= len(duels)


def _wins(duels: Sequence[Duel], rated: Sequence[float]) -> dict[tuple[str, str], float]:
    """Return (prompt, other) -> how often it was preferred; an 'alike' is half."""
    wins: dict[tuple[str, str], float] = {}
    for (_, left, right), share in zip(duels, rated, strict=False):
        wins[left, right] = wins.get((left, right), 0.0) + share
        wins[right, left] = wins.get((right, left), 0.0) + 1 - share
    return wins


def _lines(duels: Sequence[Duel], rated: Sequence[float]) -> list[dict[str, object]]:
    """Return a line for each rating: the case, counted from 1, the two prompts, and which answer was preferred."""
    words = {1.0: "first", 0.5: "alike", 0.0: "second"}
    return [
        {"case": row + 1, "first": left, "second": right, "preferred": words.get(share, "alike")}
        for (row, left, right), share in zip(duels, rated, strict=False)
    ]


def _duels(answers: Mapping[str, Sequence[str | None]], rng: np.random.Generator) -> list[Duel]:
    """Return every two answers to one case that differ, shuffled, sides too."""
    found: list[Duel] = []
    for one, other in combinations(answers, 2):
        for row, (left, right) in enumerate(zip(answers[one], answers[other], strict=True)):
            if left is not None and right is not None and left != right:
                found.append((row, one, other) if rng.random() < 0.5 else (row, other, one))
    return [found[place] for place in rng.permutation(len(found))[:MOST]]


def _ask(
    rows: Sequence[Mapping[str, str]],
    answers: Mapping[str, Sequence[str | None]],
    duel: Duel,
    rated: tuple[float, ...],
    rate: Callable[[tuple[float, ...]], None],
    where: str,
) -> None:
    row, left, right = duel
    named("rating_pair").caption(f"Pair {where}. Which answer is better? The prompts are hidden.")
    for text in rows[row].values():
        st.code(text[:4000], language=None, wrap_lines=True)
    grid = st.grid(2, min_column_width=240)
    for side, who in (("A", left), ("B", right)):
        with grid.container(border=True, height="stretch"):
            st.markdown(f"**{side}**")
            st.code(answers[who][row] or " ", language=None, wrap_lines=True)

    with st.container(horizontal=True):
        st.button("A is better", key="compare_rate_a", on_click=rate, args=((*rated, 1.0),))
        st.button("Equal", key="compare_rate_same", on_click=rate, args=((*rated, 0.5),))
        st.button("B is better", key="compare_rate_b", on_click=rate, args=((*rated, 0.0),))


def _draw_ranking(
    names: Sequence[str], wins: Mapping[tuple[str, str], float], lines: Sequence[Mapping[str, object]]
) -> None:
    rated = len(lines)
    table = np.array([[wins.get((one, other), 0.0) for other in names] for one in names])
    strength = bradley_terry(table)
    share = 1 / (1 + np.exp(-strength))
    frame = pd.DataFrame(
        {"prompt": names, "preferred": table.sum(axis=1), "rated": (table + table.T).sum(axis=1), "share": 100 * share}
    ).sort_values("share", ascending=False)
    with st.expander(
        f"Ranking after {rated} rating{'s' if rated != 1 else ''} (reveals the prompts)",
        key="rating_table",
    ):
        st.dataframe(
            frame,
            hide_index=True,
            column_config={
                "prompt": st.column_config.TextColumn("Prompt"),
                "preferred": st.column_config.NumberColumn("Preferred", format="%.1f", help="'Equal' counts as half."),
                "rated": st.column_config.NumberColumn("Rated", format="%d"),
                "share": st.column_config.ProgressColumn(
                    "Win probability",
                    format="%.0f %%",
                    min_value=0,
                    max_value=100,
                    help="Bradley-Terry model: the probability of winning against a prompt of average strength. A "
                    "prior of half a win each way keeps it between 0 and 100.",
                ),
            },
            alt="Prompts ranked by your ratings",
        )
        named("rating_ranking").caption("Your ratings are saved with these answers on this machine.")
        st.download_button(
            "Download ratings as CSV",
            pd.DataFrame(lines).to_csv(index=False),
            file_name="ratings.csv",
            mime="text/csv",
            key="compare_rating_csv",
            icon=":material/download:",
            on_click="ignore",
        )
