"""The sites of a federation on this one machine: a file each, dropped here or kept already, columns alike."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import streamlit as st

from app.display.plain import plain, sentence
from app.panels.studies.dropping import KINDS
from app.session import explain, workspace
from app.visitor import barred
from fedprompt.errors import FedPromptError
from fedprompt.study.schema import Study
from fedprompt.workspace.cases.evaluation_sets import (
    MAX_UPLOAD_MEGABYTES,
    EvaluationSet,
    Reading,
    evaluation_sets,
    keep_file,
)
from fedprompt.workspace.cases.study_draft import used_by
from fedprompt.workspace.enrolled.hub_folder import NAME

__all__ = ["ask_sites"]

LEAST = 2


def ask_sites(study: Study) -> dict[str, Any] | None:
    """Draw the choice; return ``sites``, ``mapping`` and ``group`` for the job, or None while they do not do."""
    _drop()
    sets = evaluation_sets(workspace().home)
    by_id = {one.id: one for one in sets}
    kept = st.session_state.get("federation_sites")
    if kept is not None:
        st.session_state["federation_sites"] = [one for one in kept if one in by_id]
    chosen = st.multiselect(
        "Sites that take part",
        list(by_id),
        key="federation_sites",
        help="Each stands for a site, with its own key, cut and ledger, as if it were on a machine of its own.",
        persist_state="session",
    )
    picked = {by_id[one].site: by_id[one] for one in chosen}
    if len(picked) < len(chosen):
        st.warning("Two of these files are of the same site; take one of each.", icon=":material/warning:")
        return None
    if len(picked) < LEAST:
        st.caption("A federation needs two sites or more.")
        return None
    reading = _common(study, picked)
    if reading is None:
        return None
    return {
        "sites": {name: str(one.path) for name, one in picked.items()},
        "mapping": reading.mapping_of(study.fields),
        "group": reading.group,
    }


def _drop() -> None:
    closed = barred("tune")
    files = st.file_uploader(
        "Drop one file a site; each is named after its file",
        type=KINDS,
        accept_multiple_files=True,
        key="federation_files",
        max_upload_size=MAX_UPLOAD_MEGABYTES,
        disabled=closed,
    )
    folder = plain(str(workspace().home.sites))
    st.caption(
        f":material/lock: Each file is written to a folder of its own under {folder}, readable by you alone, until you "
        "remove it on the Data page. Nothing is sent anywhere."
    )
    here = {file.file_id for file in files}
    # No more ids than files that the box shows, however often it is emptied and filled.
    seen: set[str] = st.session_state.get("federation_kept", set()) & here
    st.session_state["federation_kept"] = seen
    fresh = [file for file in files if file.file_id not in seen]
    for file in fresh:
        site = "".join(c if NAME.fullmatch(c) or c in "-_" else "-" for c in Path(file.name).stem).strip("-_")[:60]
        try:
            path = keep_file(workspace().home, site or "site", file.name, file.getvalue())
        except FedPromptError as error:
            explain(error)
            continue
        seen.add(file.file_id)
        chosen = list(st.session_state.get("federation_sites") or ())
        st.session_state["federation_sites"] = [*chosen, f"{site or 'site'} / {path.name}"]


def _common(study: Study, picked: Mapping[str, EvaluationSet]) -> Reading | None:
    """Return the reading that all files share: the one that was confirmed for any of them, else the study's own."""
    own = Reading(fields={field: field for field in study.fields}, answer="answer", labels=tuple(study.answer.labels))
    readings = [one.reading for one in evaluation_sets(workspace().home) if one.reading is not None]
    fitting = [one for one in readings if used_by(study, one) is None]
    here = [one.reading for one in picked.values() if one.reading is not None and one.reading in fitting]
    choices = {_said(one): one for one in (*here, *fitting, own)}
    said = st.selectbox(
        "Their columns",
        list(choices),
        key="federation_columns",
        help="The same for all files, as they were confirmed on the Data page, or named as the study's fields.",
    )
    chosen = choices[str(said)]
    odd = [name for name, one in picked.items() if one.reading and one.reading.mapping != chosen.mapping]
    if odd:
        st.caption(plain(sentence(f"{', '.join(odd)} was read otherwise on the Data page; here these columns count")))
    return chosen


def _said(reading: Reading) -> str:
    fields = ", ".join(f"{field} from {column}" for field, column in reading.fields.items())
    text = f"{fields}; the answer from {reading.answer}" + (f"; groups by {reading.group}" if reading.group else "")
    return f"{text}; no header" if reading.header is False else text
