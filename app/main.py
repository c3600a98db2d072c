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
            "What runs now, the sites, the best prompts, and the gain from joining.",
        ),
    ),
    "Try": (
        (
            "shared",
            "Use shared prompts",
            "join_inner",
            "Use prompts that other sites tuned, with about twenty labelled cases of your own or with none.",
        ),
        ("playground", "Playground", "experiment", "Write prompts and run them on your own texts."),
        (
            "compare",
            "Compare",
            "compare_arrows",
            "Compare two to six prompts: texts, scores, and answers to your own cases.",
        ),
        ("models", "Models", "smart_toy", "Models on this machine, chat servers, and servers for this session."),
    ),
    "Results": (
        (
            "leaderboard",
            "Leaderboard",
            "leaderboard",
            "All prompts ranked by accuracy on validation cases.",
        ),
        (
            "map",
            "Map",
            "bubble_chart",
            "A map of all prompts: similar prompts are close together.",
        ),
        (
            "bank",
            "Bank",
            "inventory_2",
            "Find, tag, export and import prompts.",
        ),
    ),
    "Run": (
        ("data", "Data", "table_view", "Upload a file of labelled cases and check it. The file stays on this machine."),
        ("new_study", "New study", "edit_note", "Write prompts, rank them on your cases, and save them as a study."),
        ("tune", "Tune", "tune", "Tune a soft prompt on your own cases. The page estimates the time first."),
        ("federation", "Federation", "lan", "Start a federation, and follow its sites and rounds."),
    ),
    "Trust": (("trust", "Trust", "verified_user", "What left each site, from its verified ledger."),),
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
