"""The entry: navigation and the sidebar, nothing else."""

from pathlib import Path

import streamlit as st

from app.panels.sidebar import draw_sidebar
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
        ("playground", "Playground", "experiment", "Write a prompt and run it on the model of this machine."),
        (
            "compare",
            "Compare",
            "compare_arrows",
            "Two to four prompts side by side: text, scores, and answers to your texts.",
        ),
    ),
    "Results": (
        (
            "leaderboard",
            "Leaderboard",
            "leaderboard",
            "Every prompt, its mean and worst site, ranked on validation cases.",
        ),
        (
            "bank",
            "Bank",
            "inventory_2",
            "Look at prompts, tag them, take them away in other tools' formats, bring some in.",
        ),
    ),
    "Trust": (("trust", "Trust", "verified_user", "What left the sites of this machine, checked, in sentences."),),
}

st.set_page_config(page_title="fedprompt", page_icon=":material/hub:", layout="wide")
st.logo(
    str(Path(__file__).with_name("logo.svg")),
    size="large",
    icon_image=str(Path(__file__).with_name("mark.svg")),
)
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
        ]
        for group, pages in PAGES.items()
    }
)
draw_sidebar(find_home().path, role())
chosen.run()
