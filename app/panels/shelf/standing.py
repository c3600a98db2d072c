"""What people say of a prompt: its tags, whether it is retired, where it comes from; each change confirmed first.

Where people sign in, production is asked for here and approved by an operator who is another.
"""

from collections.abc import Callable

import streamlit as st

from app.display.address import go
from app.display.named import named
from app.display.plain import label as as_label
from app.display.plain import plain
from app.display.titles import title
from app.panels.shelf.asked import draw_asked
from app.session import guarded, workspace
from app.visitor import barred, person, require
from fedprompt.bank.rows import EventRow, PromptRow
from fedprompt.workspace.shelf.approving import PRODUCTION, drop_tag, give_tag
from fedprompt.workspace.shelf.events import LONGEST_NAME, lineage, rename, retire

__all__ = ["draw_standing"]

TAGS = ("candidate", "staging", "production")
TONES = {"candidate": "blue", "staging": "orange", "production": "green"}
DONE = {
    "tag": "was tagged",
    "untag": "lost the tag",
    "ask": "was requested for",
    "decline": "was refused",
    "approve": "was approved",
    "retire": "was retired",
    "revive": "was restored",
    "remove-scores": "lost the scores of a site that left",
    "rename": "was renamed",
}
MOST = 8


def draw_standing(row: PromptRow) -> None:
    """Draw tags and lineage of one prompt, and the ways to change its tags."""
    ws = workspace()
    held = [one.tag for one in ws.bank.tags() if one.prompt == row.id]
    retired = ws.bank.is_retired(row.id)
    badges = " ".join(f":{TONES.get(one.rpartition('@')[2], 'gray')}-badge[{plain(one)}]" for one in held)
    if retired:
        badges = f":red-badge[:material/archive: retired] {badges}"
    with st.container(horizontal=True, vertical_alignment="center"):
        st.markdown(badges or ":small[:gray[No tags]]", width="content")
        with st.popover("Rename", icon=":material/edit:", key=f"bank_names_{row.id}"):
            _ask_name(row)
        with st.popover("Tag", icon=":material/sell:", key=f"bank_tags_{row.id}"):
            _ask_tag(row, held)
        with st.popover("Restore" if retired else "Retire", icon=":material/archive:", key=f"bank_ends_{row.id}"):
            _ask_retire(row, retired)
        with st.popover("Lineage", icon=":material/account_tree:", key=f"bank_line_{row.id}"):
            _draw_lineage(row)
    alike = ws.bank.near_duplicates(row.id)
    if alike:
        names = ", ".join(title(ws.bank.prompt_row(one)) for one, _ in alike[:3])
        more = f" and {len(alike) - 3} more" if len(alike) > 3 else ""
        what = " and ".join(sorted({kind for _, kind in alike}))
        named(f"bank_alike_{row.id}").caption(
            f":material/content_copy: The same {what} in another order: {plain(names)}{more}. Both prompts are kept."
        )
    draw_asked(row.id)


def _ask_tag(row: PromptRow, held: list[str]) -> None:
    st.caption("A tag is a name for one prompt, which people and programs can ask for.")
    study = next((one.name for one in workspace().bank.studies() if one.digest == row.study), None)
    key = f"bank_tag_{row.id}"
    word = st.segmented_control("Tag", TAGS, default=TAGS[0], required=True, key=f"{key}_word")
    name = st.text_input("Name before the @", study or row.name, key=f"{key}_name", max_chars=100)
    wanted = f"{name.strip()}@{word}"
    other = next((one.prompt for one in workspace().bank.tags() if one.tag == wanted and one.prompt != row.id), None)
    if other is not None:
        now = title(workspace().bank.prompt_row(other))
        st.caption(f":material/swap_horiz: This tag now points to {plain(now)}. It will point to this prompt instead.")
    closed = barred("tag")
    asks = word == PRODUCTION and bool(person().subject)
    if asks:
        st.caption(
            ":material/how_to_reg: The production tag needs a second person. Another operator approves your request."
        )
        sure, label = f"I checked this prompt and request {wanted}", "Request"
    else:
        sure, label = f"I checked this prompt and want the tag {wanted}", "Add tag"
    _confirm(sure, label, key, closed, lambda: give_tag(workspace(), row.id, wanted, person()))
    for one in held:
        production = one.rpartition("@")[2] == PRODUCTION
        st.button(
            f"Remove {as_label(one)}",
            key=f"{key}_drop_{one}",
            disabled=closed or (production and barred("production")),
            on_click=_say,
            args=(_untagging(one),),
        )


def _ask_name(row: PromptRow) -> None:
    key, closed = f"bank_name_{row.id}", barred("tag")
    st.text_input("Name", title(row), key=key, max_chars=LONGEST_NAME, disabled=closed)
    st.caption("Everyone who uses this bank sees the new name. The prompt's id and text stay the same.")
    with st.container(horizontal=True):
        st.button("Rename", key=f"{key}_go", type="primary", disabled=closed, on_click=_rename, args=(row.id, key))
        if row.given is not None:
            st.button(
                "Restore the original name", key=f"{key}_back", disabled=closed, on_click=_rename, args=(row.id, None)
            )


def _rename(prompt: str, key: str | None) -> None:
    name = "" if key is None else str(st.session_state.get(key) or "")
    _say(lambda: rename(workspace(), prompt, name, by=person().label))


def _ask_retire(row: PromptRow, retired: bool) -> None:
    key, closed = f"bank_retire_{row.id}", barred("retire")
    if retired:
        st.caption("This prompt is hidden from rankings and searches. Restoring it changes nothing else.")
        _confirm("I want to show it in rankings again", "Restore", key, closed, lambda: _retired(row.id, "", undo=True))
        return
    st.caption("A retired prompt is hidden from rankings and searches. Nothing is deleted, and you can restore it.")
    note = st.text_input("Reason (saved in the bank)", key=f"{key}_note", max_chars=500)
    _confirm("I want to retire this prompt", "Retire", key, closed, lambda: _retired(row.id, note))


def _retired(prompt: str, note: str, *, undo: bool = False) -> EventRow:
    require("retire")
    return retire(workspace(), prompt, note=note, by=person().label, undo=undo)


def _confirm(sentence: str, label: str, key: str, closed: bool, act: Callable[[], EventRow]) -> None:
    """Draw a box to tick and, once it is ticked, the button that acts; what it does is signed and kept."""
    sure = st.checkbox(as_label(sentence), key=f"{key}_sure", disabled=closed)
    st.button(
        label,
        key=f"{key}_go",
        type="primary",
        disabled=closed or not sure,
        on_click=_act,
        args=(act, f"{key}_sure"),
    )
    who = "your name" if person().subject else "the user of this machine"
    st.caption(f"Recorded with {who}, the time, and this home's signature.")


def _act(act: Callable[[], EventRow], box: str) -> None:
    st.session_state[box] = False
    _say(act)


@guarded
def _say(act: Callable[[], EventRow]) -> None:
    act()


def _untagging(held: str) -> Callable[[], EventRow]:
    return lambda: drop_tag(workspace(), held, person())


def _draw_lineage(row: PromptRow) -> None:
    found = lineage(workspace(), row.id)
    lines = []
    for far, one in enumerate(found.parents[:MOST], 1):
        lines.append(f"{far} step{'' if far == 1 else 's'} back: {_names(one)}")
    if len(found.parents) > MOST:
        lines.append(f"and {len(found.parents) - MOST} steps further back")
    if found.children:
        lines.append(f"Derived from it: {_names(found.children)}")
    named(f"bank_lineage_{row.id}").markdown(
        "\n".join(f"- {line}" for line in lines) or "This prompt has no parents and no descendants."
    )
    if st.button("Show as graph", key=f"bank_graph_{row.id}", icon=":material/account_tree:"):
        go("trust", [row.id])
    for event in workspace().bank.events(row.id, limit=MOST):
        named(f"bank_event_{event.kind}_{event.id}").caption(plain(_said(event)))


def _said(event: EventRow) -> str:
    what = f" {event.body['name']}@{event.body['tag']}" if "tag" in event.body else ""
    if "called" in event.body:
        what = f" “{event.body['called']}”" if event.body["called"] else " to its original name"
    note = f": {event.body['note']}" if event.body.get("note") else ""
    asked = f", requested by {event.body['asked_by']}" if event.body.get("approved_by") else ""
    done, who = DONE.get(event.kind, event.kind), event.by or "an unnamed person"
    return f"On {event.at:%d %b %Y %H:%M} UTC it {done}{what} by {who}{asked}{note}"


def _names(rows: tuple[PromptRow, ...]) -> str:
    return ", ".join(f"{plain(title(one))} (`{one.id[:11]}`)" for one in rows[:MOST])
