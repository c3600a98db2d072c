"""The choice of shared prompts, a card for each pack, and the place to drop a file of them."""

from collections.abc import Sequence

import streamlit as st

from app.display.plain import plain, sentence
from app.panels.scores.curve import draw_curve
from app.session import explain, workspace
from app.visitor import require, why_not
from fedprompt.errors import FedPromptError
from fedprompt.workspace.exchange.pack import Pack
from fedprompt.workspace.exchange.packs_here import MAX_PACK_MEGABYTES, PackHere, keep_dropped, remove_dropped

__all__ = ["ask_pack", "drop_pack", "said_donors"]

CHOSEN = "shared_pack"
MOST_LABELS = 6
SIGNED = {
    "vouched": ":material/verified_user: Signed by your federation's hub.",
    "unknown": ":material/key: Signed by a hub that this machine never joined. Ask the sender whose key it is.",
    "nobody": ":material/key_off: This file is not signed, so its author is unknown.",
}
KINDS = {
    "public": ("public", "Included with fedprompt"),
    "pulled": ("hub", "From your federation"),
    "dropped": ("draft", "Uploaded file"),
}


def ask_pack(packs: Sequence[PackHere]) -> PackHere | None:
    """Draw a card for each pack and return the one that is chosen: the first that can be used until one is."""
    usable = [one for one in packs if one.pack is not None]
    state = st.session_state
    if state.get(CHOSEN) not in {one.reference for one in usable}:
        state[CHOSEN] = usable[0].reference if usable else None
    with st.grid(3, min_column_width=250, gap="small") as grid:
        for number, one in enumerate(packs):
            with grid.container(border=True, height="stretch", gap="xsmall", key=f"shared_card_{number}"):
                _draw_card(number, one)
    return next((one for one in usable if one.reference == state[CHOSEN]), None)


def drop_pack(*, open_: bool = False) -> None:
    """Draw the place to drop a release or a pack, ``open_`` or folded; it is looked at, kept and chosen at once."""
    why = why_not("exchange")
    with st.expander("Use a file that you received", icon=":material/upload_file:", expanded=open_):
        st.caption(
            "A federation's release or a pack, as a .zip file. It holds prompts, scores and a signature, but "
            "no cases. The file is checked before use and stays on this machine."
        )
        file = st.file_uploader(
            "Release or pack",
            type=["zip"],
            key="shared_pack_file",
            max_upload_size=MAX_PACK_MEGABYTES,
            label_visibility="collapsed",
            disabled=why is not None,
            help=why,
        )
    if file is None or st.session_state.get("shared_pack_kept") == file.file_id:
        return
    st.session_state["shared_pack_kept"] = file.file_id
    try:
        require("exchange")
        st.session_state[CHOSEN] = keep_dropped(workspace(), file.name, file.getvalue()).reference
    except FedPromptError as error:
        explain(error)
        return
    st.rerun()  # the cards above show it


def _draw_card(number: int, one: PackHere) -> None:
    icon, about = KINDS[one.kind]
    st.markdown(f":green[:material/{icon}:] **{plain(one.title)}**")
    if one.pack is None:
        st.caption(f":orange[:material/block:] {plain(sentence(one.problem or 'it cannot be read'))}")
    else:
        pack = one.pack
        st.markdown(_said_labels(pack.labels))
        st.caption(plain(f"{about}. {said_donors(pack.donors)}, for the model {one.model}."))
        if one.kind == "dropped":
            st.caption(SIGNED[one.signed])
    st.space("stretch")
    with st.container(horizontal=True, vertical_alignment="center"):
        if one.pack is not None:
            here = st.session_state[CHOSEN] == one.reference
            st.button(
                "Chosen" if here else "Choose",
                key=f"shared_choose_{number}",
                icon=":material/check:" if here else None,
                type="primary" if here else "secondary",
                width="stretch",
                on_click=_choose,
                args=(one.reference,),
            )
            if here:
                _draw_more(one)
        if one.kind == "dropped":
            st.button(
                "Remove",
                key=f"shared_remove_{number}",
                type="tertiary",
                icon=":material/delete:",
                disabled=why_not("exchange") is not None,
                on_click=_remove,
                args=(one,),
            )


def said_donors(donors: int) -> str:
    """Return of how many sites shared prompts come."""
    return f"From {donors} site{'' if donors == 1 else 's'}"


def _said_labels(labels: Sequence[str]) -> str:
    more = f" :gray[and {len(labels) - MOST_LABELS} more]" if len(labels) > MOST_LABELS else ""
    return " ".join(f":gray-badge[{plain(label)}]" for label in labels[:MOST_LABELS]) + more


def _draw_more(one: PackHere) -> None:
    assert one.pack is not None
    pack = one.pack
    with st.popover("More", icon=":material/info:", type="tertiary"):
        if pack.source:
            st.markdown(plain(sentence(pack.source)))
        st.caption(_said_members(pack))
        draw_curve(pack.curve, height=210)


def _said_members(pack: Pack) -> str:
    words = sum(one.kind == "template" for one in pack.members)
    tuned = len(pack.members) - words
    told = [f"{words} text prompt{'' if words == 1 else 's'}"] if words else []
    if tuned:
        one = "tuned prompt, which runs" if tuned == 1 else "tuned prompts, which run"
        told.insert(0, f"{tuned} {one} on one open model only and on no chat server")
    return f"{', and '.join(told)}. Its id is `{pack.id}`."


def _choose(reference: str) -> None:
    st.session_state[CHOSEN] = reference


def _remove(one: PackHere) -> None:
    try:
        require("exchange")
        remove_dropped(workspace(), one.reference)
    except FedPromptError as error:
        explain(error)
    st.session_state.pop(CHOSEN, None)
