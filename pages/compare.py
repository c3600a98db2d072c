"""Compare: two to six prompts side by side."""

import streamlit as st

from app.display.address import query_ids, set_query_ids
from app.display.named import named
from app.display.plain import plain, sentence
from app.display.titles import titles
from app.panels.prompts.answers import said
from app.panels.prompts.difference import marked_html, word_differences
from app.panels.prompts.prompt_choice import ask_prompts
from app.panels.scores.measuring import draw_measuring
from app.panels.scores.pair_table import draw_pairs
from app.panels.scores.pictures import draw_pictures
from app.panels.trials.report import draw_report
from app.panels.trials.trial import draw_trial, measured_of, shown_trial, told_openly
from app.session import compare_view, explain, guarded, workspace
from fedprompt.errors import FedPromptError
from fedprompt.workspace.answers.variants import bank_variant
from fedprompt.workspace.results.views import CompareView, PairView, PromptView
from fedprompt.workspace.search.looking_up import Filter

LEAST, MOST = 2, 6

ABOUT = (
    "Compare two to six prompts: their texts, their accuracy at the sites with significance tests, and their "
    "answers to your own cases."
)


@guarded
def draw() -> None:
    """Draw the page."""
    st.title("Compare")
    st.caption(ABOUT)
    chosen = ask_chosen()
    if len(chosen) < LEAST:
        named("compare_too_few").info(
            "Choose two to six prompts above, or select rows on the Leaderboard.",
            title="Nothing to compare yet",
            icon=":material/compare_arrows:",
        )
        return
    view = compare_view(chosen)
    found = titles(workspace().bank.rows_of(chosen))
    names = {prompt.id: found.get(prompt.id, prompt.name) for prompt in view.prompts}
    for pair in view.pairs:
        named(f"compare_pair_{pair.second}").markdown(
            f":green[:material/balance:] {plain(sentence(retold(pair, view, names)))}"
        )
    draw_measuring(view)
    with st.expander("Details: numbers behind these sentences"):
        draw_pairs(view, names)
    st.header("Texts")
    draw_texts(view, names)
    variants = [bank_variant(workspace(), prompt.id, names[prompt.id]) for prompt in view.prompts]
    trial = shown_trial(variants)
    st.header("The scores")
    draw_pictures(view, names, measured_of(trial, [prompt.id for prompt in view.prompts]))
    st.header("On your own cases")
    draw_trial(variants, trial)
    draw_report(view, names, [retold(pair, view, names) for pair in view.pairs], told_openly(trial))


def ask_chosen() -> tuple[str, ...]:
    """Draw the choice of prompts; the address and the choice follow each other."""
    linked = []
    for asked in query_ids():
        try:
            bank = workspace().bank
            linked.append((bank.adapted_row if bank.is_adapted(asked) else bank.prompt_row)(asked).id)
        except FedPromptError as error:
            explain(error)
    if st.session_state.get("compare_linked") != query_ids():
        st.session_state["compare_linked"] = query_ids()
        if linked:
            st.session_state["compare_prompts"] = linked[:MOST]
    chosen = ask_prompts(
        "Prompts", "compare_prompts", Filter(), most=MOST, placeholder="Choose two to six", adapted=True
    )
    if chosen != query_ids() and (chosen or linked):
        set_query_ids(chosen)
        st.session_state["compare_linked"] = chosen
    return chosen


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
                st.caption(f"Labels: {plain(said(prompt.words))}")
    st.caption("Marked: words of the first that another prompt lacks, and words of the others that the first lacks.")


def badge(prompt: PromptView) -> str:
    """Return the kind of a prompt as a badge."""
    badges = {"soft": ":green-badge[tuned]", "adapted": ":blue-badge[adapted]"}
    return badges.get(prompt.kind, ":gray-badge[template]")


draw()
