"""The versions of a prompt: what its name and its tags stood for by time, each beside the one before."""

import streamlit as st

from app.display.named import named
from app.display.plain import plain
from app.display.titles import title
from app.panels.prompts.beside import draw_beside
from app.session import workspace
from fedprompt.bank.rows import PromptRow
from fedprompt.workspace.shelf.history import History, Version, histories

__all__ = ["draw_versions"]


def draw_versions(row: PromptRow) -> None:
    """Draw the histories of a prompt's name and tags; nothing where it is the only one."""
    found = histories(workspace(), row)
    if not found:
        return
    with st.expander("Versions", icon=":material/history:"):
        place = 0
        if len(found) > 1:
            place = st.segmented_control(
                "Of",
                range(len(found)),
                format_func=lambda at: _label(found[at]),
                default=0,
                required=True,
                key=f"bank_versions_{row.id}",
                label_visibility="collapsed",
            )
        _draw(found[place or 0], row)


def _label(history: History) -> str:
    return plain(history.name) if history.tag else f"the name {plain(history.name)}"


def _draw(history: History, row: PromptRow) -> None:
    bank = workspace().bank
    older = [*history.versions[1:], None]
    prompts = bank.prompts_of([one.prompt.id for one in history.versions])
    for version, before in zip(history.versions, older, strict=True):
        here = " :green-badge[this one]" if version.prompt.id == row.id else ""
        place = named(f"bank_version_{row.id}") if here else st.container()
        place.markdown(f"**{_when(version)}** {plain(title(version.prompt))} `{version.prompt.id[:11]}`{here}")
        if before is not None:
            draw_beside(
                [prompts[before.prompt.id], prompts[version.prompt.id]],
                [f"before: {title(before.prompt)}", f"then: {title(version.prompt)}"],
            )
    st.caption("Older versions are not shown." if history.more else "This was the first version.")


def _when(version: Version) -> str:
    by = "" if version.by is None else f", by {plain(version.by)}"
    return f"{version.at:%d %b %Y %H:%M} UTC{by}"
