"""A study that a site accepted: which model it loads and from where, and how many new cases wait."""

from datetime import datetime

import streamlit as st

from app.display.named import named
from app.display.plain import plain, sentence
from fedprompt.workspace.site.pause import StudyStatus

__all__ = ["draw_accepted"]


def draw_accepted(study: StudyStatus) -> None:
    """Draw one accepted study of the site's status."""
    accepted = f"{datetime.fromisoformat(study.accepted):%d %b %Y %H:%M} UTC"
    named(f"study_accepted_{study.digest}").markdown(
        f":material/task_alt: Accepted **{plain(study.study)}** on {plain(accepted)}"
    )
    loads, cases = study.loads, study.cases
    source = loads.model_from or "not known"
    digest = loads.model_digest or "not recorded when it was accepted"
    st.caption(plain(f"Model: {loads.model}. Source: {source}. Digest: {digest}."))
    if loads.refused is not None:
        named("study_refused").warning(plain(sentence(loads.refused)), icon=":material/block:")
    if cases is None:
        return
    told = plain(sentence(cases.sentence))
    if cases.stopped:
        named("study_stopped").warning(told, icon=":material/pause_circle:")
    elif any(cases.waiting.values()):
        named("study_gathers").info(told, icon=":material/hourglass_top:")
    else:
        st.caption(told)
