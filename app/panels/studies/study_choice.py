"""The choice of the study, and of its revision, that Leaderboard, Map and Bank speak of; it stands in the address."""

import streamlit as st

from app.display.address import asked_for, keep_address
from app.display.titles import revision_titles
from app.session import STUDY, fullest_revision, scored_studies, show_study, study_shown
from fedprompt.bank.rows import StudyRow

__all__ = ["ask_study"]


def ask_study(page: str, label: str = "Study") -> StudyRow | None:
    """Draw a page's choice and return the study, None while none has scores.

    Studies of one name are revisions of one study. The study that was worked on last comes first, in the revision in
    which most prompts were scored, until another is chosen.
    """
    rows, chosen = scored_studies(), study_shown()
    if chosen is None or len(rows) < 2:
        return chosen
    names: dict[str, str] = {}
    for row in rows:
        names.setdefault(row.name, row.digest)
    names[chosen.name] = chosen.digest
    titles = {digest: name for name, digest in names.items()}
    if len(titles) > 1:
        key = f"{page}_study"
        st.session_state[key] = chosen.digest  # it may have been chosen on another page
        st.selectbox(
            label, list(titles), format_func=titles.__getitem__, key=key, width=220, on_change=_show_newest, args=(key,)
        )
    revisions = revision_titles([row for row in rows if row.name == chosen.name])
    if len(revisions) > 1:
        key = f"{page}_revision"
        st.session_state[key] = chosen.digest
        st.selectbox(
            "Revision" if len(titles) > 1 else f"{label} (revision)",
            list(revisions),
            format_func=revisions.__getitem__,
            key=key,
            width=220,
            on_change=_show,
            args=(key,),
            help="Changing a study makes a new revision, which has its own scores.",
        )
    keep_address("study", STUDY, chosen.digest)
    return chosen


def _show_newest(key: str) -> None:
    """Show a study in its fullest revision."""
    digest = str(st.session_state[key])
    name = next(row.name for row in scored_studies() if row.digest == digest)
    _show_digest(fullest_revision(name).digest)


def _show(key: str) -> None:
    _show_digest(str(st.session_state[key]))


def _show_digest(digest: str) -> None:
    show_study(digest)
    asked_for(STUDY)
