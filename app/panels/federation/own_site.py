"""What the operator of an enrolled site looks at before it answers: accepted studies, a rehearsal, and the report."""

from collections.abc import Mapping, Sequence
from typing import Any

import streamlit as st

from app.display.address import go
from app.display.amounts import volume
from app.display.named import named
from app.display.plain import plain, sentence
from app.panels.federation.accepted_study import draw_accepted
from app.panels.runs.work import active, draw_work, follow, newest_of
from app.panels.studies.dropping import choose_set, stays_here
from app.session import explain, guarded, workspace
from app.visitor import barred, submit
from fedprompt.bank.rows import JobRow
from fedprompt.errors import FedPromptError
from fedprompt.workspace.cases.evaluation_sets import EvaluationSet, evaluation_sets
from fedprompt.workspace.enrolled.site_folder import EnrolledSite, enrolled, enrolled_sites
from fedprompt.workspace.site.pause import site_status
from fedprompt.workspace.site.report import site_report

__all__ = ["draw_own_site"]

STUDIES = (
    "A study names the model that answers it. This site loads only models that its policy allows, and "
    "downloads only those named there. New cases wait until there are enough of them."
)
REHEARSAL = (
    "Answers every kind of question from the hub with your real file, in a temporary folder. **Nothing is "
    "sent.** You see exactly what would leave."
)
REPORT = (
    "One page for a security officer: what left and to whom, accepted studies, the policy, ports and packages, "
    "and known risks. It is written from the ledger."
)


def draw_own_site() -> None:
    """Draw accepted studies, rehearsal and report of this home's enrolled site; nothing where no site is enrolled."""
    names = enrolled_sites(workspace().home)
    if not names:
        return
    st.header("Before you answer")
    chosen = names[0]
    if len(names) > 1:
        chosen = str(st.selectbox("Your site", names, key="trust_own_site", width=420))
    site = enrolled(workspace().home, chosen)
    with st.container(border=True):
        st.markdown("**Accepted studies**")
        st.markdown(STUDIES, width=860)
        studies = site_status(workspace().home, site=site.name).studies
        for study in studies:
            draw_accepted(study)
        if not studies:
            st.caption("None yet.")
    with st.container(border=True):
        st.markdown("**Rehearse**")
        st.markdown(REHEARSAL, width=860)
        _draw_rehearsal(site)
    with st.container(border=True):
        st.markdown("**Report**")
        st.markdown(REPORT, width=860)
        _draw_report(site)


def _draw_rehearsal(site: EnrolledSite) -> None:
    accepted = {f"{one.study.study} ({one.digest[3:11]})": one.digest for one in site.accepted()}
    sets = [one for one in evaluation_sets(workspace().home) if one.site == site.name and one.reading is not None]
    if not accepted:
        named("trust_no_study").info(
            "No study is accepted yet. Review one with: fedprompt site study show FILE", icon=":material/contract:"
        )
    elif not sets:
        named("trust_no_file").info("This site has no file of labelled cases yet.", icon=":material/table_view:")
        if st.button("Open Data", key="trust_data_first"):
            go("data", [])
    else:
        _ask(site, accepted, sets)
    follow("trust", lambda: (newest_of("rehearse"),), _live)


def _ask(site: EnrolledSite, accepted: Mapping[str, str], sets: Sequence[EvaluationSet]) -> None:
    grid = st.grid(2, min_column_width=240)
    with grid.cell():
        study = accepted[str(st.selectbox("Accepted study", list(accepted), key="trust_study"))]
    with grid.cell():
        data = choose_set(sets, "trust_data")
    if data is None:
        return
    busy = barred("tune") or active(newest_of("rehearse"))
    arguments = {**data.arguments, "site": site.name, "study": study}
    st.button(
        "Rehearse",
        key="trust_rehearse",
        icon=":material/theater_comedy:",
        disabled=busy,
        on_click=_go,
        args=(arguments,),
    )
    stays_here(site.name)


@guarded
def _go(arguments: Mapping[str, Any]) -> None:
    submit(workspace(), "rehearse", arguments)


@guarded
def _live() -> None:
    job = newest_of("rehearse")
    draw_work(job, "trust_rehearsal")
    if job is not None and job.state == "done" and job.result:
        _draw_result(job, job.result)


def _draw_result(job: JobRow, found: Mapping[str, Any]) -> None:
    at = f"{job.updated:%d %b %Y %H:%M} UTC"
    named("trust_rehearsed").success(
        plain(
            f"{found['site']}, study {found['study']}: {volume(found['bytes'])} would leave. Nothing was sent ({at})."
        ),
        icon=":material/verified_user:",
    )
    rows = found["would_leave"]
    st.dataframe(
        {
            "reply": [str(row["message"]["verb"]).capitalize() for row in rows],
            "bytes": [row["bytes"] for row in rows],
            "numbers in bounded arrays": [_arrays(row["arrays"]) for row in rows],
            "seconds": [row["seconds"] for row in rows],
        },
        hide_index=True,
        width="stretch",
    )
    with st.expander("Full messages", icon=":material/data_object:"):
        for row in rows:
            st.json(row["message"], expanded=1)
    for sentence_ in found["not_rehearsed"]:
        st.caption(f":material/info: Not rehearsed: {plain(sentence(sentence_))}")


def _arrays(shapes: Mapping[str, Sequence[int]]) -> str:
    told = [f"{name}: {' by '.join(str(side) for side in shape)}" for name, shape in shapes.items()]
    return ", ".join(told) or "none"


def _draw_report(site: EnrolledSite) -> None:
    try:
        page = site_report(workspace().home, site=site.name).page
    except FedPromptError as error:
        explain(error)
        return
    with st.container(horizontal=True):
        st.download_button(
            "Download report",
            page,
            f"{site.name}-report.md",
            "text/markdown",
            key="trust_report",
            icon=":material/download:",
            on_click="ignore",
        )
    with st.expander("Read report", icon=":material/article:"):
        st.code(page, language=None, wrap_lines=True, height=420)
