"""The best prompts in short: name, mean, worst site."""

from collections.abc import Mapping, Sequence

import pandas as pd
import streamlit as st

from fedprompt.workspace.results.views import LeaderRow

__all__ = ["draw_best"]

SHOWN = 6


def draw_best(best: Sequence[LeaderRow], titles: Mapping[str, str]) -> None:
    """Draw the first few prompts of the ranking; ``titles`` is by id."""
    if not best:
        st.caption("No prompt has been scored at every site yet.")
        return
    frame = pd.DataFrame(
        [
            {
                "prompt": titles.get(row.id, row.name),
                "mean": None if row.mean is None else 100 * row.mean,
                "worst site": None if row.worst is None else 100 * row.worst,
            }
            for row in best[:SHOWN]
        ]
    )
    config = st.column_config
    st.dataframe(
        frame,
        hide_index=True,
        placeholder="not measured",
        column_config={
            "prompt": config.TextColumn("Prompt", width=250),
            "mean": config.ProgressColumn(
                "Accuracy",
                format="%.1f %%",
                min_value=0,
                max_value=100,
                width=110,
                help="Mean accuracy over the sites. Every site has the same weight.",
            ),
            "worst site": config.NumberColumn(
                "Worst site", format="%.1f %%", width=80, help="The lowest accuracy of all sites."
            ),
        },
        alt="Best prompts by mean accuracy over the sites",
    )
    measured = len(best[0].sites)
    where = "the first site" if measured == 1 else f"{measured} sites (mean)"
    st.caption(f"Accuracy on validation cases of {where}. The Leaderboard has all prompts and intervals.")
