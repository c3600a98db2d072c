"""Compare: two to six prompts side by side."""

from itertools import islice

import streamlit as st

from app.panels.answers import said
from app.panels.difference import marked_html, word_differences
from app.panels.pair_table import draw_pairs
from app.panels.pictures import draw_pictures
from app.panels.plain import plain, sentence
from app.panels.titles import title
from app.panels.trial import PRIVATE, ask_rows, draw_answers, run_trial
from app.session import compare_view, explain, guarded, prompt_titles, query_ids, set_query_ids, workspace
from app.visitor import barred
from fedprompt.errors import FedPromptError
from fedprompt.workspace.views import CompareView, PairView, PromptView

LEAST, MOST = 2, 6
OFFERED = 1000  # the newest, to choose among; others come by a link, as from the Leaderboard


@guarded
def draw() -> None:
    """Draw the page."""
    st.title("Compare")
    chosen = ask_prompts()
    if len(chosen) < LEAST:
        st.info(
            "Choose two to six prompts above. The Leaderboard can also send you here: tick some rows there.",
            title="Nothing to compare yet",
            icon=":material/compare_arrows:",
        )
        return
    view = compare_view(chosen)
    names = {prompt.id: prompt_titles().get(prompt.id, prompt.name) for prompt in view.prompts}
    for pair in view.pairs:
        st.markdown(f":green[:material/balance:] {plain(sentence(retold(pair, view, names)))}")
    with st.expander("Details: the numbers behind these sentences"):
        draw_pairs(view, names)
    st.header("Texts")
    draw_texts(view, names)
    st.header("The scores")
    draw_pictures(view, names)
    st.header("On your own cases")
    draw_trial(view, names)


def ask_prompts() -> tuple[str, ...]:
    """Draw the choice of prompts; the address and the choice follow each other."""
    names, linked = dict(islice(prompt_titles().items(), OFFERED)), []
    for asked in query_ids():
        try:
            row = workspace().bank.prompt_row(asked)
        except FedPromptError as error:
            explain(error)
        else:
            linked.append(row.id)
            names.setdefault(row.id, prompt_titles().get(row.id) or title(row))
    for chosen in st.session_state.get("compare_prompts", ()):
        names.setdefault(chosen, prompt_titles().get(chosen, chosen[:11]))
    if st.session_state.get("compare_linked") != query_ids():
        st.session_state["compare_linked"] = query_ids()
        if linked:
            st.session_state["compare_prompts"] = linked[:MOST]
    chosen = st.multiselect(
        "Prompts",
        list(names),
        format_func=lambda key: names.get(key, key),
        max_selections=MOST,
        key="compare_prompts",
        placeholder="Choose two to six",
        persist_state="session",
        label_visibility="collapsed",
    )
    if tuple(chosen) != query_ids() and (chosen or linked):
        set_query_ids(chosen)
        st.session_state["compare_linked"] = tuple(chosen)
    return tuple(chosen)


def retold(pair: PairView, view: CompareView, names: dict[str, str]) -> str:
    """Return a pair's sentence with the titles that this page uses, since tuned prompts share one name."""
    name = {prompt.id: prompt.name for prompt in view.prompts}
    if f"“{name[pair.first]}”" not in pair.sentence:
        return pair.sentence
    before, _, after = pair.sentence.partition(f"“{name[pair.first]}”")
    return f"{before}“{names[pair.first]}”" + after.replace(f"“{name[pair.second]}”", f"“{names[pair.second]}”", 1)


def draw_texts(view: CompareView, names: dict[str, str]) -> None:
    """Draw the texts side by side, differences marked."""
    marked = word_differences([prompt.text for prompt in view.prompts])
    grid = st.grid(len(view.prompts), min_column_width=200)
    for place, prompt in enumerate(view.prompts):
        with grid.container(border=True, height="stretch"):
            st.markdown(f"**{plain(names[prompt.id])}** {badge(prompt)}")
            st.html(marked_html(marked[place], first=place == 0, tokens=prompt.tokens))
            if prompt.words:
                st.caption(f"Answers: {plain(said(prompt.words))}")
    st.caption("Marked: words of the first that another lacks, and words of the others that the first lacks.")


def badge(prompt: PromptView) -> str:
    """Return the kind of a prompt as a badge."""
    return ":green-badge[tuned]" if prompt.kind == "soft" else ":gray-badge[template]"


def draw_trial(view: CompareView, names: dict[str, str]) -> None:
    """Draw the box for the visitor's own cases, and what the prompts answer on them."""
    ws = workspace()
    st.caption(PRIVATE)
    prompts = {names[prompt.id]: ws.bank.prompt(prompt.id) for prompt in view.prompts}
    fields = tuple(dict.fromkeys(field for prompt in view.prompts for field in prompt.variables))
    cases = ask_rows(fields)
    closed = barred("try") or not cases.rows
    if st.button("Run", key="compare_run", type="primary", icon=":material/play_arrow:", disabled=closed):
        st.session_state["compare_answers"] = (tuple(prompts), cases, run_trial(ws, prompts, cases.rows))
    kept = st.session_state.get("compare_answers")
    if kept is not None and kept[0] == tuple(prompts):
        draw_answers(kept[1], kept[2])


draw()
