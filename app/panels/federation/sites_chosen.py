"""The sites of a federation on this one machine: a file each, dropped here or kept already, columns alike."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import streamlit as st

from app.display.named import named
from app.display.plain import plain, sentence
from app.panels.studies.dropping import KINDS
from app.session import explain, guarded, workspace
from app.visitor import barred, require, why_not
from fedprompt.errors import FedPromptError
from fedprompt.study.schema import Study
from fedprompt.workspace.cases.evaluation_sets import (
    MAX_UPLOAD_MEGABYTES,
    EvaluationSet,
    Reading,
    evaluation_sets,
    keep_file,
    lacking_columns,
    remove_file,
    why_unreadable,
)
from fedprompt.workspace.cases.study_draft import used_by
from fedprompt.workspace.enrolled.hub_folder import NAME

__all__ = ["ask_sites"]

LEAST = 2


def ask_sites(study: Study) -> dict[str, Any] | None:
    """Draw the choice; return ``sites``, ``mapping`` and ``group`` for the job, or None while they do not do."""
    _drop()
    sets = evaluation_sets(workspace().home)
    unreadable = {one.id: why for one in sets if (why := why_unreadable(one)) is not None}
    by_id = {one.id: one for one in sets if one.id not in unreadable}
    kept = st.session_state.get("federation_sites")
    if kept is not None:
        st.session_state["federation_sites"] = [one for one in kept if one in by_id]
    chosen = st.multiselect(
        "Participating sites",
        list(by_id),
        key="federation_sites",
        help="Each file acts as a site of its own, with its own key, splits and ledger.",
        persist_state="session",
    )
    _remove(sets, unreadable)
    picked = {by_id[one].site: by_id[one] for one in chosen}
    if len(picked) < len(chosen):
        st.warning("Two of these files belong to the same site. Use one of them.", icon=":material/warning:")
        return None
    if len(picked) < LEAST:
        st.caption("A federation needs at least two sites.")
        return None
    reading = _common(study, picked)
    if reading is None or not _hold(study, picked, reading):
        return None
    return {
        "sites": {name: str(one.path) for name, one in picked.items()},
        "mapping": reading.mapping_of(study.fields),
        "group": reading.group,
    }


def _drop() -> None:
    closed = barred("tune")
    files = st.file_uploader(
        "Upload one file per site. Each site gets the name of its file",
        type=KINDS,
        accept_multiple_files=True,
        key="federation_files",
        max_upload_size=MAX_UPLOAD_MEGABYTES,
        disabled=closed,
    )
    folder = plain(str(workspace().home.sites))
    st.caption(
        f":material/lock: Each file is saved in its own folder under {folder}, readable only by you. Delete it "
        "below or on the Data page. Nothing is sent anywhere."
    )
    here = {file.file_id for file in files}
    # No more ids than files that the box shows, however often it is emptied and filled.
    seen: set[str] = st.session_state.get("federation_kept", set()) & here
    refused: dict[str, FedPromptError] = st.session_state.get("federation_refused", {})
    refused = {one: told for one, told in refused.items() if one in here}
    st.session_state["federation_kept"], st.session_state["federation_refused"] = seen, refused
    fresh = [file for file in files if file.file_id not in seen and file.file_id not in refused]
    for file in fresh:
        site = "".join(c if NAME.fullmatch(c) or c in "-_" else "-" for c in Path(file.name).stem).strip("-_")[:60]
        try:
            path = keep_file(workspace().home, site or "site", file.name, file.getvalue())
        except FedPromptError as error:
            refused[file.file_id] = error
            continue
        seen.add(file.file_id)
        chosen = list(st.session_state.get("federation_sites") or ())
        st.session_state["federation_sites"] = list(dict.fromkeys([*chosen, f"{site or 'site'} / {path.name}"]))
    for told in refused.values():
        explain(told)


def _remove(sets: Sequence[EvaluationSet], unreadable: Mapping[str, str]) -> None:
    """Name the files that cannot be read, and draw what deletes a file from this machine."""
    for why in unreadable.values():
        named("federation_unreadable").warning(
            plain(sentence(f"{why}. It cannot take part. Delete it or upload it again")), icon=":material/warning:"
        )
    if not sets:
        return
    with st.popover("Delete a file", icon=":material/delete:", type="tertiary"):
        by_id = {one.id: one for one in sets}
        ids = [*unreadable, *(one for one in by_id if one not in unreadable)]
        chosen = st.selectbox("File", ids, key="federation_remove_which")
        st.caption("The file will be deleted from this machine. Its scores stay in the bank.")
        why_barred = why_not("tune")
        st.button(
            "Delete",
            key="federation_remove",
            type="primary",
            disabled=why_barred is not None or chosen is None,
            help=why_barred,
            on_click=_delete,
            args=(by_id.get(str(chosen)),),
        )


@guarded
def _delete(found: EvaluationSet | None) -> None:
    require("tune")
    if found is not None and found in evaluation_sets(workspace().home):
        remove_file(found)


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
        help="The same columns for all files. The start values come from the Data page or from the study's fields.",
    )
    chosen = choices[str(said)]
    odd = [name for name, one in picked.items() if one.reading and one.reading.mapping != chosen.mapping]
    if odd:
        st.caption(plain(sentence(f"{', '.join(odd)} has other columns on the Data page; these columns apply here")))
    return chosen


def _hold(study: Study, picked: Mapping[str, EvaluationSet], reading: Reading) -> bool:
    """Return whether all files hold the columns; where one does not, say which it lacks."""
    fine = True
    for name, one in picked.items():
        if lacking := lacking_columns(one, reading, study.fields):
            columns = ", ".join(f"“{column[:60]}”" for column in lacking)
            text = f"{name}: {one.path.name} has no column {columns}. Choose other columns above, or other files"
            named("federation_lacking").warning(plain(sentence(text)), icon=":material/warning:")
            fine = False
    return fine


def _said(reading: Reading) -> str:
    fields = ", ".join(f"{field} = column {column}" for field, column in reading.fields.items())
    text = f"{fields}; answer = column {reading.answer}" + (
        f"; group = column {reading.group}" if reading.group else ""
    )
    return f"{text}; no column names" if reading.header is False else text
