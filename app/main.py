"""The entry: who is let in, navigation and the sidebar, nothing else. No page runs for whoever is not let in."""

from pathlib import Path

import streamlit as st

from app.panels.front.sidebar import draw_sidebar
from app.panels.front.sign_in import let_in
from app.session import role
from fedprompt.workspace.home import find_home

# Group -> (file, title, icon, what it is).
PAGES = {
    "": (
        (
            "overview",
            "Overview",
            "monitoring",
            "What this is, the running job, the sites, and what joining gained each.",
        ),
    ),
    "Try": (
        (
            "shared",
            "Use shared prompts",
            "join_inner",
            "What other sites tuned, put to work on your texts with twenty labelled cases, or with none.",
        ),
        ("playground", "Playground", "experiment", "Write a prompt and run it on the model of this machine."),
        (
            "compare",
            "Compare",
            "compare_arrows",
            "Two to six prompts side by side: text, scores, and answers to your texts.",
        ),
        ("models", "Models", "smart_toy", "What this machine runs, chat servers, and a server for this session."),
    ),
    "Results": (
        (
            "leaderboard",
            "Leaderboard",
            "leaderboard",
            "Every prompt, its mean and worst site, ranked on validation cases.",
        ),
        (
            "map",
            "Map",
            "bubble_chart",
            "Which prompts lie near each other in meaning, where the good ones are, and what is like them.",
        ),
        (
            "bank",
            "Bank",
            "inventory_2",
            "Look at prompts, tag them, take them away in other tools' formats, bring some in.",
        ),
    ),
    "Run": (
        ("data", "Data", "table_view", "Drop a file of labelled cases and see whether it can be used. It stays here."),
        ("new_study", "New study", "edit_note", "Prompts to try on your cases, and their first ranking."),
        ("tune", "Tune", "tune", "Tune a soft prompt on this machine's cases; its time is measured first."),
        ("federation", "Federation", "lan", "Who takes part, round by round, and what travelled."),
    ),
    "Trust": (("trust", "Trust", "verified_user", "What left the sites of this machine, checked, in sentences."),),
}

# What a machine's role leaves out: a hub takes no cases, so it has none to look at, to tune on or to adapt to.
WITHOUT = {"hub": ("data", "tune", "shared"), "site": (), "alone": ()}

# Of an icon by name a browser would ask a server of Google's for the picture.
MARK = str(Path(__file__).with_name("mark.svg"))

# Streamlit tints the link that the keyboard is on so faintly that it cannot be told from the others.
FOCUS = (
    "<style>[data-testid=stSidebarNavLink]:focus-visible{outline:2px solid currentColor;outline-offset:-2px}</style>"
)

st.set_page_config(page_title="fedprompt", page_icon=MARK, layout="wide")
st.logo(
    str(Path(__file__).with_name("logo.svg")),
    size="large",
    icon_image=MARK,
)
person = let_in()
chosen = st.navigation(
    {
        group: [
            st.Page(
                f"../pages/{name}.py",
                title=title,
                icon=f":material/{icon}:",
                help=about,
                default=name == "overview",
            )
            for name, title, icon, about in pages
            if name not in WITHOUT[role()]
        ]
        for group, pages in PAGES.items()
    },
    position="hidden" if person is None else "sidebar",
    expanded=True,
)
st.html(FOCUS)
if person is not None:
    draw_sidebar(find_home().path, role(), person)
    chosen.run()
