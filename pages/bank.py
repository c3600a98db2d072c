"""Bank: look at prompts, take them away, bring some in."""

from collections.abc import Sequence

import streamlit as st

from app.display.address import go
from app.display.named import named
from app.display.titles import title
from app.panels.exchange.bringing import draw_bring
from app.panels.exchange.exporting import draw_export
from app.panels.prompts.beside import draw_beside
from app.panels.prompts.prompt import draw_prompt
from app.panels.prompts.versions import draw_versions
from app.panels.ranking.ranking_table import LEAST_COMPARED, MOST_COMPARED
from app.panels.shelf.asked import draw_waiting
from app.panels.shelf.shelf import choose
from app.panels.shelf.standing import draw_standing
from app.session import full_row, guarded, prompt_titles, workspace

SHOWN = 4


@guarded
def draw() -> None:
    """Draw the page."""
    st.title("Bank")
    st.caption("Every prompt that was written, tuned or imported here. Choose some to read them or take them away.")
    draw_waiting()
    chosen = choose() if workspace().bank.count_prompts() else None
    if chosen is None:
        named("bank_empty").info(
            "Start the demo on the Overview page, or import a bundle below.",
            title="The bank is empty",
            icon=":material/inventory_2:",
        )
    if chosen:
        draw_chosen(chosen)
    st.header("Bring a prompt in")
    draw_bring()


def draw_chosen(chosen: Sequence[str]) -> None:
    """Draw the chosen prompts in full, where they can go next, and the formats they can be written in."""
    ws = workspace()
    for one in chosen[:SHOWN]:
        row = ws.bank.prompt_row(one)
        parents = {parent: prompt_titles().get(parent, parent[:11]) for parent in row.parents}
        draw_prompt(ws.bank.prompt(one), row, parents, full_row(one))
        draw_standing(row)
        draw_versions(row)
    if len(chosen) > SHOWN:
        st.caption(f"and {len(chosen) - SHOWN} more, which are exported with these")
    if len(chosen) > 1:
        st.header("What differs")
        shown = chosen[:SHOWN]
        draw_beside([ws.bank.prompt(one) for one in shown], [title(ws.bank.prompt_row(one)) for one in shown])
    with st.container(horizontal=True):
        if st.button("Try in the playground", key="bank_try", icon=":material/experiment:", disabled=len(chosen) > 1):
            go("playground", chosen[:1])
        if st.button(
            "Compare",
            key="bank_compare",
            icon=":material/compare_arrows:",
            disabled=not LEAST_COMPARED <= len(chosen) <= MOST_COMPARED,
        ):
            go("compare", chosen)
    st.header("Take away")
    draw_export(tuple(chosen))


draw()
