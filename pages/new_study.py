"""New study: prompts to try on one's own cases, and their first ranking."""

from collections.abc import Mapping
from hashlib import sha256
from pathlib import Path
from typing import Any

import streamlit as st

from app.display.address import go
from app.display.named import named
from app.display.plain import plain, sentence
from app.drafts import drafted, settle, when
from app.panels.runs.run_button import bring_into_view
from app.panels.runs.running import run_quick
from app.panels.runs.work import active, draw_work, follow, last_done, newest_of
from app.panels.studies.bill import draw_bill, said_where
from app.panels.studies.dropping import choose_set
from app.panels.studies.first_ranking import draw_first_ranking
from app.panels.studies.steps import draw_steps
from app.panels.studies.study_begun import NEW_STUDY, begin_with
from app.panels.studies.study_form import ask_study, set_study, study_text
from app.panels.trials.judge import ask_judge
from app.session import explain, guarded, ranking_view, role, workspace
from app.visitor import barred, require, submit
from fedprompt.bank.rows import JobRow
from fedprompt.errors import FedPromptError
from fedprompt.workspace.cases.evaluation_sets import EvaluationSet, evaluation_sets
from fedprompt.workspace.cases.servers_asked import ServersAsked, asked_by
from fedprompt.workspace.cases.study_draft import draft_of, keep_study, kept_studies, used_by
from fedprompt.workspace.ranking.ranking_page import RankingFilters

NEW = "a new draft"
RANKED = 50
EXAMPLE = """\
study: sentiment
fields: [text]
answer: {type: choice, labels: [positive, negative]}
templates:
  - {name: text-first, text: "Review: {text}\\nSentiment:"}
soft: {template: "Review: {text}{soft}\\nSentiment:", tokens: 8, init: "Overall, the feeling expressed here is clearly"}
"""


@guarded
def draw() -> None:
    """Draw the page."""
    st.title("New study")
    with drafted(NEW_STUDY):
        draw_page()


def draw_page() -> None:
    """Draw the steps, the last ranking and the prompts."""
    if role() == "hub":
        draw_hub()
        return
    kept = evaluation_sets(workspace().home)
    sets = [one for one in kept if one.reading is not None]
    job = newest_of("score")
    draw_steps(4 if job is not None and job.state != "failed" else 3 if sets else 2 if kept else 1)
    if not sets:
        with st.container(border=True):
            if kept:
                named("new_study_needs_columns").markdown(
                    "**Choose the columns first.** The Data page has a file whose columns are not confirmed yet."
                )
            else:
                named("new_study_needs_file").markdown(
                    "**Upload labelled cases first.** Upload a file on the Data page and confirm its columns."
                )
            if st.button("Open Data", key="new_study_data", type="primary", icon=":material/table_view:"):
                go("data")
        return
    follow("new_study", lambda: (newest_of("score"),), draw_ranking)
    st.header("Prompts" if job is None else "Change the prompts and rank again")
    chosen = choose_set(sets, "new_study")
    if chosen is not None:
        draw_study(chosen)


@guarded
def draw_ranking() -> None:
    """Draw the ranking that runs, or the last one."""
    job, done = newest_of("score"), last_done("score")
    with st.container(key="new_study_ranking"):
        draw_work(job, "new_study")
        if done is not None and done.result:
            draw_done(done, done.result, last=job is None or job.id == done.id)
    bring_into_view("new_study_ranking", "" if job is None else f"{job.id} {active(job)}")


def draw_done(job: JobRow, result: Mapping[str, Any], *, last: bool) -> None:
    """Draw a ranking that was finished; ``last``: no other was asked for since."""
    with st.container(border=False):
        st.header("First ranking" if last else "Previous ranking")
        st.caption(f"Study {plain(Path(str(job.arguments['study'])).stem)}, ranked at {when(job.updated.timestamp())}.")
        study = workspace().bank.run(str(result["run"])).study
        draw_first_ranking(result, ranking_view(study, RankingFilters(), 0, RANKED, "full", False))
        with st.container(horizontal=True):
            for page, label, icon in (
                ("leaderboard", "Leaderboard", "leaderboard"),
                ("tune", "Tune a soft prompt", "tune"),
                ("federation", "Federation", "lan"),
            ):
                if st.button(label, key=f"new_study_to_{page}", icon=f":material/{icon}:"):
                    go(page, study=study if page == "leaderboard" else None)


def draw_study(chosen: EvaluationSet) -> None:
    """Draw the prompts for an evaluation set, and the button that ranks them."""
    assert chosen.reading is not None
    kept = {one.name: one for one in kept_studies(workspace().home) if one.study is not None}
    settle("new_study_source", [NEW, *kept])
    source = st.selectbox(
        "Start from",
        [NEW, *kept],
        key="new_study_source",
        help="A draft made for this file, or a saved study. Your changes to each are saved as a draft.",
    )

    def first() -> str:
        assert chosen.reading is not None
        stem = chosen.path.stem.removesuffix(".kept")
        return draft_of(chosen.reading, stem) if source == NEW else kept[str(source)].path.read_text(encoding="utf-8")

    begin_with((chosen.id, str(source)), str(chosen.changed), first)
    text = ask_study("new_study")
    asked = ServersAsked()
    if text is not None:
        try:
            asked = asked_by(workspace(), text)
            if asked.judged:
                asked = asked_by(workspace(), text, ask_judge("new_study_judge", study=True)[0])
            if problem := used_by(text, chosen.reading):
                named("new_study_unfit").warning(plain(sentence(problem)), icon=":material/warning:")
                text = None
        except FedPromptError as error:
            explain(error)
            text = None
    draw_rank(chosen, text, asked)


def draw_rank(chosen: EvaluationSet, text: str | None, asked: ServersAsked) -> None:
    """Draw the button that ranks the prompts; where that costs money, it says first how much."""
    wanted = (chosen.id, chosen.changed, sha256((text or "").encode()).hexdigest(), asked.judge)
    kept = st.session_state.get("new_study_bill")
    bill = kept[1] if kept is not None and kept[0] == wanted else None
    first = asked.costs and bill is None
    key = "new_study_cost" if first else "new_study_rank"
    if bill is not None:
        draw_bill(bill)
    busy = barred("tune") or active(newest_of("score"))
    with st.container(horizontal=True, vertical_alignment="center"):
        pressed = st.button(
            "Estimate the cost" if first else "Rank at this cost" if bill is not None else "Rank on my cases",
            key=key,
            type="primary",
            icon=":material/receipt_long:" if first else ":material/play_arrow:",
            disabled=text is None or busy,
            on_click=None if first else rank,
            args=None if first else (chosen, text, asked.judge),
        )
        if text is not None:
            st.download_button(
                "Download YAML",
                text,
                file_name="study.yaml",
                mime="application/yaml",
                key="new_study_yaml_file",
                icon=":material/download:",
                on_click="ignore",
            )
    where = "elsewhere" if asked.elsewhere else "server_here" if asked.here else "here"
    named(f"new_study_goes_{where}").caption(said_where(asked))
    if first and pressed and text is not None:
        path = keep_study(workspace().home, text)
        arguments = {"study": str(path), **chosen.arguments, "judge": asked.judge}
        found = run_quick(workspace(), "dry-run", arguments, "Estimating the cost. Nothing is sent")
        st.session_state["new_study_bill"] = (wanted, dict(found))
        st.rerun()


@guarded
def rank(chosen: EvaluationSet, text: str, judge: str | None) -> None:
    """Keep the study and have its prompts scored on the validation cases."""
    require("tune")
    ws = workspace()
    path = keep_study(ws.home, text)
    st.session_state.pop("new_study_bill", None)  # once the answers are known, the next run costs something else
    judged = {} if judge is None else {"judge": judge}
    submit(ws, "score", {"study": str(path), **chosen.arguments, **judged})


def draw_hub() -> None:
    """Draw the study that a hub's operator writes; there are no cases here to rank it on."""
    st.caption("Write the study for your sites. Their operators see all of it before they accept it.")
    if study_text("new_study") is None:
        set_study("new_study", EXAMPLE)
    text = ask_study("new_study")
    closed = barred("federate") or text is None
    if st.button("Save", key="new_study_keep", type="primary", icon=":material/save:", disabled=closed) and text:
        require("federate")
        path = keep_study(workspace().home, text)
        st.success(f"Saved as {plain(str(path))}. Send this file to the sites, then start it on the Federation page.")


draw()
