"""Bank: look at prompts, take them away, bring some in."""

from collections import Counter
from collections.abc import Sequence

import streamlit as st

from app.display.address import go
from app.display.named import named
from app.display.plain import label
from app.display.titles import title
from app.panels.exchange.bringing import draw_bring
from app.panels.exchange.exporting import draw_export, draw_updates
from app.panels.prompts.beside import draw_beside
from app.panels.prompts.prompt import draw_prompt
from app.panels.prompts.versions import draw_versions
from app.panels.ranking.ranking_table import LEAST_COMPARED, MOST_COMPARED
from app.panels.shelf.asked import draw_waiting
from app.panels.shelf.shelf import choose
from app.panels.shelf.standing import draw_standing
from app.session import full_row, guarded, prompt_titles, workspace
from fedprompt.workspace.results.promised import promised

SHOWN = 4
TICKED = "ticked"


@guarded
def draw() -> None:
    """Draw the page."""
    st.title("Bank")
    st.caption("All prompts that were written, tuned or imported here. Select some to read, compare or export them.")
    draw_waiting()
    chosen = choose() if workspace().bank.count_prompts() else None
    if chosen is None:
        named("bank_empty").info(
            "Start the demo on the Overview page, or import a file below.",
            title="The bank is empty",
            icon=":material/inventory_2:",
        )
    if chosen:
        draw_chosen(chosen)
    draw_take(chosen or ())
    st.header("Import prompts")
    draw_bring()


def draw_chosen(chosen: Sequence[str]) -> None:
    """Draw the chosen prompts in full, where they can go next, and the formats they can be written in."""
    ws = workspace()
    for one in chosen[:SHOWN]:
        row = ws.bank.prompt_row(one)
        parents = {parent: prompt_titles().get(parent, parent[:11]) for parent in row.parents}
        draw_prompt(ws.bank.prompt(one), row, parents, full_row(one), promised(ws.bank, row.study))
        draw_standing(row)
        draw_versions(row)
    if len(chosen) > SHOWN:
        st.caption(f"and {len(chosen) - SHOWN} more, which are exported too")
    if len(chosen) > 1:
        st.header("Differences")
        shown = chosen[:SHOWN]
        draw_beside([ws.bank.prompt(one) for one in shown], [title(ws.bank.prompt_row(one)) for one in shown])
    with st.container(horizontal=True):
        if st.button("Open in Playground", key="bank_try", icon=":material/experiment:", disabled=len(chosen) > 1):
            go("playground", chosen[:1])
        if st.button(
            "Compare",
            key="bank_compare",
            icon=":material/compare_arrows:",
            disabled=not LEAST_COMPARED <= len(chosen) <= MOST_COMPARED,
        ):
            go("compare", chosen)


def draw_take(chosen: Sequence[str]) -> None:
    """Draw the export of what is ticked, or of everything that has a tag, and the exports that are out of date."""
    words = Counter(one.tag.rpartition("@")[2] for one in workspace().bank.tags())
    if not chosen and not words:
        return
    st.header("Export")
    draw_updates()
    ways = {TICKED: f"Selected prompts ({len(chosen)})"} if chosen else {}
    ways |= {f"@{word}": f"All prompts tagged @{label(word)} ({count})" for word, count in sorted(words.items())}
    which: str | None = TICKED
    if list(ways) != [TICKED]:
        which = st.pills(
            "Prompts to export",
            list(ways),
            format_func=ways.__getitem__,
            default=TICKED if chosen else None,
            key=f"bank_take_{'some' if chosen else 'none'}",
        )
    if which is None:
        st.caption("Select prompts above, or choose a tag here.")
    else:
        draw_export(tuple(chosen) if which == TICKED else (which,))


draw()
