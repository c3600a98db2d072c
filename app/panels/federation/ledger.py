"""One site's ledger: whether its chain is whole, and what left, page by page."""

import streamlit as st

from app.display.amounts import volume
from app.display.named import named
from app.display.plain import plain, sentence
from fedprompt.workspace.site.ledgers import LedgerLine, LedgerView

__all__ = ["draw_ledger"]

PAGE = 15
KINDS = {"left": ("sent", "resent"), "refused": ("refused",), "calls": ("call",)}
WORDS = {"left": "Replies sent", "refused": "Refused tasks", "calls": "External calls"}
ICONS = {"sent": "north_east", "resent": "replay", "refused": "block", "call": "call_made"}
TONES = {"sent": "green", "resent": "gray", "refused": "orange", "call": "violet"}


def draw_ledger(view: LedgerView, key: str) -> None:
    """Draw a ledger; ``key`` begins the keys of its widgets."""
    if view.problem is not None:
        named("ledger_broken").error(
            plain(sentence(view.problem)), title="This ledger is not verified", icon=":material/gpp_bad:"
        )
        return
    for number, note in enumerate(view.notes):
        named(f"ledger_note_{number}").warning(plain(sentence(note)), icon=":material/history:")
    if not view.lines:
        named("ledger_empty").caption("Nothing has left this site yet.")
        return
    counts = {kind: sum(line.decision in of for line in view.lines) for kind, of in KINDS.items()}
    named("ledger_verified").markdown(
        f":green-badge[:material/verified: verified] {len(view.lines):,} entries. {volume(view.left)} left the "
        f"site over all runs. :small[:gray[Latest hash {view.head[:16]}]]",
        help="Each entry holds the hash of the previous one, so a changed, removed or moved entry is detected. "
        "Entries cut off at the end are not: compare the latest hash with the one that the hub noted. n is the "
        "number of cases behind a reply. An update has one vector for each vector of the soft prompt.",
    )
    st.caption(f":material/lan: {_where(view)}")
    _draw_studies(view)
    _draw_budgets(view)
    _draw_questions(view)
    kinds = st.pills(
        "Show",
        list(KINDS),
        selection_mode="multi",
        default=list(KINDS),
        format_func=lambda kind: f"{WORDS[kind]} ({counts[kind]:,})",
        key=f"{key}_kinds",
        label_visibility="collapsed",
    )
    wanted = {decision for kind in kinds or () for decision in KINDS[str(kind)]}
    lines = [line for line in view.lines if line.decision in wanted]
    if not lines:
        st.caption("No entries of the selected kinds.")
        return
    pages = -(-len(lines) // PAGE)
    place = st.container()
    page = min(st.pagination(pages, key=f"{key}_page_{pages}"), pages) if pages > 1 else 1
    with place.container(gap="xsmall"):
        for line in lines[(page - 1) * PAGE : page * PAGE]:
            named(f"ledger_{line.decision}_{line.number}").markdown(_shown(line))


def _shown(line: LedgerLine) -> str:
    tone, icon = TONES.get(line.decision, "gray"), ICONS.get(line.decision, "help")
    return f":{tone}[:material/{icon}:] {plain(line.sentence)} :small[:gray[no. {line.number}]]"


def _where(view: LedgerView) -> str:
    """Return where the replies went: whether any byte left this machine."""
    if view.elsewhere:
        return "The replies went to the federation's hub on another machine."
    calls = "" if not view.called else " Case texts were sent to models on other machines, as listed below."
    return f"The hub of this site is on this machine, so the replies did not leave it.{calls}"


def _draw_studies(view: LedgerView) -> None:
    """Draw how much left for each study, where there are several."""
    sizes: dict[str, int] = {}
    for line in view.lines:
        if line.decision != "call":
            sizes[line.study] = sizes.get(line.study, 0) + line.size
    if len(sizes) > 1:
        told = ", ".join(f"{volume(size)} for study {plain(study[:11])}" for study, size in sizes.items())
        st.caption(f"By study: {told}.")


def _draw_budgets(view: LedgerView) -> None:
    """Draw what each set of cases has spent of its budget of privacy, and what the next round costs."""
    if view.budgets:
        st.markdown(
            "**Privacy spent**",
            help="Each set of cases spends its budget over all studies, revisions and hubs. A reply is charged before "
            "it leaves, and a deleted file gives nothing back.",
        )
    for number, one in enumerate(view.budgets):
        with named(f"ledger_budget_{number}"):
            if one.most is not None and one.epsilon <= one.most:
                st.progress(one.epsilon / one.most, text=f":material/shield: {plain(one.sentence)}")
            else:
                st.markdown(f":material/shield: {plain(one.sentence)}")


def _draw_questions(view: LedgerView) -> None:
    """Draw how many exact questions each set of cases has answered, and how many it may."""
    if not view.sets:
        return
    with st.expander(f"Exact questions answered: {sum(one.asked for one in view.sets):,}", icon=":material/help:"):
        st.caption(
            "An exact question asks for a prompt's score, or a comparison of two prompts, on one set of cases. "
            "After about as many questions as cases, the asker can infer single cases. The count continues "
            "over studies, revisions and hubs."
        )
        for one in view.sets:
            st.markdown(plain(one.sentence))
