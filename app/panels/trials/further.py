"""What was tried, taken further: a template into the bank, or the draft of a study."""

import re
from collections.abc import Mapping, Sequence

import streamlit as st

from app.display.named import named
from app.display.plain import plain, sentence
from app.panels.variants.slots import letter
from app.session import explain, workspace
from app.visitor import require, why_not
from fedprompt.errors import FedPromptError
from fedprompt.file_names import file_name
from fedprompt.workspace.answers.variants import Variant
from fedprompt.workspace.cases.study_draft import keep_study, kept_studies
from fedprompt.workspace.playground.taken_further import keep_variant, study_of, study_with
from fedprompt.workspace.playground.trials import Check

__all__ = ["draw_further"]


def draw_further(given: Sequence[Variant | None], checks: Sequence[Check]) -> None:
    """Draw both ways; a variant that is wrong just now is None."""
    by_letter = {letter(place): one for place, one in enumerate(given) if one is not None}
    if not by_letter:
        st.caption("Correct the prompt first.")
        return
    variants = list(by_letter.values())
    grid = st.grid(2, min_column_width=340, gap="large")
    with grid.cell():
        _draw_keep(by_letter)
    with grid.cell():
        _draw_study(variants, checks)


def _draw_keep(by_letter: Mapping[str, Variant]) -> None:
    st.markdown("**Save as a template**")
    st.caption(
        "Saves the text, labels, constants and examples in the bank of this machine. Everyone who uses the bank "
        "can see them."
    )
    names = list(by_letter)
    with st.container(horizontal=True, vertical_alignment="bottom"):
        chosen = names[0]
        if len(names) > 1:
            chosen = str(st.selectbox("Variant", names, key="playground_keep_which", width=110))
        name = st.text_input("Name", key="playground_keep_name", max_chars=80, placeholder="short question") or ""
        why = why_not("try")
        if st.button(
            "Save",
            key="playground_keep",
            icon=":material/inventory_2:",
            disabled=why is not None or not name.strip(),
            help=why,
        ):
            try:
                require("try")
                made = keep_variant(workspace(), by_letter[chosen], name)
                st.session_state["playground_kept"] = made
            except FedPromptError as error:
                explain(error)
    if (kept := st.session_state.get("playground_kept")) is not None:
        row = workspace().bank.prompt_row(kept)
        already = "" if row.name == name.strip() else " already. Identical texts are saved once"
        named("playground_kept").caption(
            f":material/check_circle: Saved in the bank as “{plain(row.name)}” (`{row.id[:15]}`){already}."
        )


def _draw_study(variants: Sequence[Variant], checks: Sequence[Check]) -> None:
    st.markdown("**Add to a study**")
    st.caption(
        "The prompts become candidates of the study. This makes a new revision, which each site must accept "
        "again. The New study page lists all studies saved here."
    )
    kept = {one.name: one.study for one in kept_studies(workspace().home) if one.study is not None}
    chosen = None
    if kept:
        chosen = st.selectbox("Study", list(kept), index=None, key="playground_study_of", placeholder="new study")
    try:
        if chosen is not None:
            slug, draft = str(chosen), study_with(kept[str(chosen)], variants)
        else:
            name = st.text_input("Study name", "my-study", key="playground_study_name", max_chars=80)
            slug = re.sub(r"[^\w+-]+", "-", name or "").strip("-") or "study"
            draft = study_of(slug, variants, checks)
    except FedPromptError as error:
        st.caption(plain(sentence(str(error))))
        return
    with st.container(horizontal=True):
        if st.button(
            "Save the study" if chosen is None else "Add the prompts",
            key="playground_study_keep",
            icon=":material/save:",
            disabled=why_not("tune") is not None,
            help=why_not("tune"),
        ):
            try:
                require("tune")
                path = keep_study(workspace().home, draft)
                st.toast(f"Saved as {plain(path.name)}.", icon=":material/check_circle:")
            except FedPromptError as error:
                explain(error)
        st.download_button(
            "Download YAML",
            draft,
            file_name=file_name(slug, ".yaml", other="study"),
            mime="application/yaml",
            key="playground_study",
            icon=":material/download:",
            on_click="ignore",
        )
    with st.expander("Preview"):
        st.code(draft, language="yaml")
