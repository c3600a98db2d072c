"""Cases of a run taken further with a click: into a test set, or as the examples that a variant shows.

Invariant: a case that a variant shows as an example is left out of the cases that are run, and the page says so.
"""

from collections.abc import Sequence
from dataclasses import replace

import streamlit as st

from app.display.address import go
from app.display.named import named
from app.display.plain import plain
from app.panels.trials.cases import Cases
from app.panels.trials.cells import title_of
from app.panels.variants.shown import want_variant
from app.panels.variants.slots import MOST_VARIANTS, open_slots
from app.session import guarded, trial_folder
from app.visitor import require, why_not
from fedprompt.workspace.answers.composing import MOST_EXAMPLES
from fedprompt.workspace.answers.variants import Variant
from fedprompt.workspace.playground.from_failures import ShownCases, add_to_set, examples_of, left_out
from fedprompt.workspace.playground.trials import Trial

__all__ = ["draw_taking", "without_shown"]

MOST_OFFERED = 12  # variants


def without_shown(page: str, cases: Cases, variants: Sequence[Variant]) -> Cases:
    """Return the cases that no variant shows as an example, and say which are left out."""
    own = left_out(variants, cases.rows)
    if not own:
        return cases
    names = ", ".join(f"“{plain(one.name)}”" for one in variants if one.own_rows(cases.rows))
    many = "1 case is" if len(own) == 1 else f"{len(own):,} cases are"
    left = len(cases.rows) - len(own)
    named(f"{page}_own_examples").info(
        f"{many} left out for every variant, because an example of {names} is never scored. "
        f"{'1 case is' if left == 1 else f'{left:,} cases are'} run.",
        icon=":material/school:",
    )
    kept = [place for place in range(len(cases.rows)) if place not in own]
    expected = tuple(cases.expected[place] for place in kept) if cases.expected else ()
    wanting = None if kept else "Every case is shown as an example. Give at least one more case."
    return replace(cases, rows=tuple(cases.rows[place] for place in kept), expected=expected, wanting=wanting)


def draw_taking(page: str, trial: Trial, rows: Sequence[int], *, ticked: bool) -> None:
    """Draw what can be done with rows of a run: those that are ticked, or all that the table shows.

    Args:
        page: begins the keys of what is drawn.
        trial: the run.
        rows: places of the rows, counted from 0.
        ticked: whether somebody ticked them.
    """
    state = st.session_state
    if state.pop(f"{page}_to_playground", False):
        if page != "playground":
            go("playground")
        st.rerun()
    many = "1 case" if len(rows) == 1 else f"{len(rows):,} cases"
    with st.container(horizontal=True, vertical_alignment="center"):
        st.markdown(f"**{many}** {'ticked' if ticked else 'in the table above'}:", width="content")
        with st.popover("Add to a test set", icon=":material/bookmark_add:", disabled=why_not("try") is not None):
            _ask_set(page, trial, rows, many)
        with st.popover("Show as examples", icon=":material/school:", disabled=why_not("try") is not None):
            _ask_examples(page, trial, rows)
    told = state.get(f"{page}_taken")
    if told is not None and told[0] == trial.run:
        named(f"{page}_taken").caption(f":material/check_circle: {told[1]}")


def _ask_set(page: str, trial: Trial, rows: Sequence[int], many: str) -> None:
    name = st.selectbox(
        "Test set",
        list(trial_folder().sets()),
        index=None,
        key=f"{page}_add_set",
        placeholder="choose a set, or type a new name",
        accept_new_options=True,
    )
    st.button(
        f"Add {many}",
        key=f"{page}_add_to_set",
        icon=":material/add:",
        disabled=not (name or "").strip(),
        on_click=_add,
        args=(page, trial, tuple(rows), str(name)),
    )
    st.caption("A case goes in once, with its correct answer. The Playground and Compare can run the set again.")


@guarded
def _add(page: str, trial: Trial, rows: tuple[int, ...], name: str) -> None:
    require("try")
    found = add_to_set(trial_folder(), name, trial.request, rows)
    there = f" {found.there:,} were in it already." if found.there else ""
    told = f"Added {found.added:,} to the test set “{plain(name.strip())}”.{there}"
    st.session_state[f"{page}_taken"] = (trial.run, told)


def _ask_examples(page: str, trial: Trial, rows: Sequence[int]) -> None:
    variants = trial.request.variants[:MOST_OFFERED]
    able = [number for number, one in enumerate(variants) if one.adapted is None]
    if not able:
        st.caption("An adapted prompt is used as it is and shows no examples.")
        return
    number = able[0]
    if len(able) > 1:
        number = int(
            st.selectbox("Variant", able, format_func=lambda one: plain(title_of(trial, one)), key=f"{page}_show_for")
        )
    found = examples_of(variants[number], trial.request, rows)
    new = len(found.examples) - len(variants[number].examples)
    full = page == "playground" and len(open_slots()) == MOST_VARIANTS
    st.button(
        f"Add a variant that shows {new:,}" if new else "Nothing to show",
        key=f"{page}_show",
        icon=":material/school:",
        disabled=not new or full,
        help=f"There are {MOST_VARIANTS} variants, which is the most. Remove one first." if full else None,
        on_click=_show,
        args=(page, trial, number, found),
    )
    for told in _said(found):
        st.caption(told)
    st.caption(
        "The variant stays as it is. A copy of it shows these cases, with their correct answers, before each text. "
        "They are then left out of the cases that every variant is scored on."
    )
    if page != "playground":
        st.caption("The copy opens in the Playground.")


def _said(found: ShownCases) -> list[str]:
    """Return in sentences which cases cannot be examples."""
    told = []
    if found.unlabelled:
        told.append(
            f"{found.unlabelled:,} cannot be shown: the correct answer is missing, or is not one of the variant's."
        )
    if found.over:
        told.append(f"{found.over:,} are over the {MOST_EXAMPLES} examples that a variant can show.")
    return told


@guarded
def _show(page: str, trial: Trial, number: int, found: ShownCases) -> None:
    require("try")
    variant = trial.request.variants[number]
    many = f"{len(found.examples)} examples" if len(found.examples) > 1 else "1 example"
    want_variant(variant.model_copy(update={"name": f"{variant.name[:60]} with {many}", "examples": found.examples}))
    st.session_state[f"{page}_to_playground"] = True
