"""Exports whose tags stand for other prompts now: what changed since, and a button that exports them anew."""

from collections.abc import Callable

import streamlit as st

from app.display.plain import plain
from app.display.titles import title
from app.panels.prompts.beside import draw_beside
from app.session import workspace
from fedprompt.exports.registry import format_named
from fedprompt.workspace.exchange.exported_before import Outdated, outdated_exports

__all__ = ["draw_outdated"]

SHOWN = 4


def draw_outdated(closed: bool, write: Callable[[Outdated], None]) -> None:
    """Draw the exports that are out of date; ``write`` exports one anew. Nothing where all are as they were."""
    for one in outdated_exports(workspace()):
        with st.container(border=True, gap="small", key=f"bank_old_{one.job}"):
            many = "1 tag points" if len(one.changes) == 1 else f"{len(one.changes)} tags point"
            st.markdown(f":orange[:material/update:] **{plain(one.name)}** is out of date")
            st.caption(
                f"Exported as {format_named(one.format).title} on {one.at:%d %b %Y at %H:%M} UTC. Since then "
                f"{many} to another prompt."
            )
            with st.expander("What changed", icon=":material/difference:"):
                for tag, (before, now) in list(one.changes.items())[:SHOWN]:
                    _draw_change(tag, before, now)
                if len(one.changes) > SHOWN:
                    st.caption(f"and {len(one.changes) - SHOWN} more")
            st.button(
                "Export again",
                key=f"bank_again_{one.job}",
                icon=":material/update:",
                disabled=closed,
                on_click=write,
                args=(one,),
            )


def _draw_change(tag: str, before: str | None, now: str | None) -> None:
    bank = workspace().bank
    if before is not None and now is not None:
        titles = [f"exported: {title(bank.prompt_row(before))}", f"now: {title(bank.prompt_row(now))}"]
        st.markdown(f"**{plain(tag)}**")
        draw_beside([bank.prompt(before), bank.prompt(now)], titles)
    elif now is not None:
        st.markdown(f"**{plain(tag)}** was added: {plain(title(bank.prompt_row(now)))}")
    elif before is not None:
        st.markdown(f"**{plain(tag)}** was removed: {plain(title(bank.prompt_row(before)))}")
