"""The examples that a variant shows before each text: looked at, taken out, and brought along by a new variant."""

import streamlit as st

from app.display.named import named
from app.display.plain import plain
from app.drafts import note_change, set_aside
from app.panels.variants.slots import MOST_VARIANTS, add, fill_variant, is_untouched, key, open_slots
from fedprompt.workspace.answers.variants import Variant

__all__ = ["draw_shown", "take_wanted", "want_variant"]

SHORT = 300
WANTED = "playground_wanted"


def want_variant(variant: Variant) -> None:
    """Have the Playground add this variant to those that it holds, when it is drawn next."""
    st.session_state[WANTED] = variant


def take_wanted() -> None:
    """Add the variant that was asked for; call it before the variants are drawn."""
    state = st.session_state
    variant: Variant | None = state.get(WANTED)
    if variant is None:
        return
    if len(open_slots()) == MOST_VARIANTS:
        named("playground_no_room").info(
            f"There are {MOST_VARIANTS} variants, which is the most. Remove one to make room for "
            f"“{plain(variant.name)}”.",
            icon=":material/info:",
        )
        return
    del state[WANTED]
    note_change("playground")
    fresh = len(open_slots()) == 1 and is_untouched(open_slots()[0]) and not state.get("playground_run_shown")
    if not fresh:
        add()
    fill_variant(open_slots()[-1], variant)
    state[key(open_slots()[-1], "source")] = None


def draw_shown(number: int) -> None:
    """Draw the examples of a variant; nothing if it shows none."""
    shown = st.session_state[key(number, "examples")]
    if not shown:
        return
    many = "1 example" if len(shown) == 1 else f"{len(shown)} examples"
    with st.expander(f"Shows {many}", icon=":material/school:", key=key(number, "shown")):
        st.caption(
            "Each example comes before the text, with its correct answer. Examples are never scored: they are left out "
            "of the cases for every variant."
        )
        for place, one in enumerate(shown):
            with st.container(horizontal=True, vertical_alignment="center"):
                text = " \N{MIDDLE DOT} ".join(str(value) for value in one["fields"].values())
                text = text if len(text) <= SHORT else f"{text[:SHORT]}…"
                st.markdown(f"**{plain(one['answer'])}** {plain(text)}", width="stretch")
                st.button(
                    f"Remove example {place + 1}",
                    key=key(number, f"unshow_{place}"),
                    icon=":material/close:",
                    type="tertiary",
                    on_click=_take_out,
                    args=(number, place),
                )
        st.button(
            "Remove all examples",
            key=key(number, "unshow_all"),
            icon=":material/delete:",
            on_click=_take_out,
            args=(number, None),
        )


def _take_out(number: int, place: int | None) -> None:
    """Take one example out, or all of them; there is a way back."""
    set_aside("playground")
    state = st.session_state
    state[key(number, "examples")] = [
        one for at, one in enumerate(state[key(number, "examples")]) if place is not None and at != place
    ]
