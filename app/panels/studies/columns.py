"""How a file's columns are read: which hold the text, which the answer, which the group, and which labels there are.

Invariant: a column whose name may be a case's text is called by its place.
"""

from collections.abc import Mapping, Sequence
from typing import Any

import streamlit as st

from app.display.plain import plain
from fedprompt.errors import DataError
from fedprompt.evaluation.drafting import field_name
from fedprompt.workspace.cases.evaluation_sets import Reading

__all__ = ["ask_header", "ask_reading"]

NO_GROUP = "none"
MANY = 12
NAMES, CASE = "column names", "a case"


def ask_header(asked: bool, header: bool | None, key: str, *, only_names: bool = False) -> bool | None:
    """Draw what the file's first line is and return whether it holds names, None while nobody said.

    Args:
        asked: whether the file does not say by itself.
        header: what was said before.
        key: changes with the file.
        only_names: the format always names its columns, and all that is asked is whether these are names.
    """
    if header is None:
        told = None if asked else NAMES
    else:
        told = NAMES if header else CASE
    chosen = st.segmented_control(
        "Column names" if only_names else "First line",
        [NAMES] if only_names else [NAMES, CASE],
        default=told,
        key=f"{key}_header",
        required=told is not None,
        help="Without column names, columns are numbered and the first line is a case.",
    )
    if chosen is None or (chosen == NAMES and header is None and not asked):
        return header
    return chosen == NAMES


def ask_reading(
    columns: Sequence[Mapping[str, Any]], guess: Reading | None, key: str, header: bool | None = None
) -> Reading | None:
    """Draw the choices and return the reading, or None while one is missing.

    Args:
        columns: what ``look_at`` says of them.
        guess: what is chosen at first.
        key: changes with the file, so that another file's choices are not taken over.
        header: what was said of the file's first line.
    """
    names = [str(one["name"]) for one in columns]
    about = {str(one["name"]): one for one in columns}
    texts = st.multiselect(
        "Text columns",
        names,
        default=list(guess.fields.values()) if guess else None,
        key=f"{key}_texts",
        format_func=lambda name: f"{about[name]['shown']} (about {about[name]['mean_length']:.0f} characters)",
        help="Each column becomes a field. Prompts use a field by its name in braces.",
    )
    rest = [name for name in names if name not in texts]
    if not texts or not rest:
        st.caption("Choose at least one text column, and leave one column for the answer.")
        return None
    answer = st.selectbox(
        "Answer column",
        rest,
        index=rest.index(guess.answer) if guess and guess.answer in rest else 0,
        key=f"{key}_answer",
        format_func=lambda name: str(about[name]["shown"]),
    )
    groups = [NO_GROUP, *(name for name in rest if name != answer)]
    group = st.selectbox(
        "Group column",
        groups,
        index=groups.index(guess.group) if guess and guess.group in groups else 0,
        key=f"{key}_group",
        format_func=lambda name: str(about[name]["shown"]) if name in about else str(name),
        help="Cases of one group, such as a patient or an author, stay in one split.",
    )
    labels = _ask_labels(about[str(answer)], guess, key)
    try:
        fields = _fields(texts, about)
    except DataError as error:
        st.warning(plain(str(error)), icon=":material/warning:")
        return None
    if labels is None:
        return None
    return Reading(
        fields=fields,
        answer=str(answer),
        group=None if group == NO_GROUP else str(group),
        labels=tuple(labels),
        header=header,
    )


def _ask_labels(column: Mapping[str, Any], guess: Reading | None, key: str) -> list[str] | None:
    values: Mapping[str, int] | None = column["values"]
    if not values or len(values) < 2:
        st.caption(
            f"{plain(str(column['shown']))} holds free text. The model writes an answer, which is compared "
            "with this column."
        )
        return []
    chosen_here = guess is not None and guess.answer == column["name"]
    labels = st.multiselect(
        f"Labels ({len(values)} found)",
        list(values),
        default=[one for one in guess.labels if one in values] if guess and chosen_here else list(values),
        key=f"{key}_labels_{column['name']}",
        format_func=lambda value: f"{value} ({values[value]:,})",
        help="Remove a value that is not a label, such as a misspelling. Lines with that value would be refused and "
        "are listed.",
    )
    if len(labels) < 2:
        st.caption("Choose at least two labels.")
        return None
    if len(labels) > MANY:
        st.caption(f"All {len(labels)} labels are scored for every case, so each case takes longer.")
    return labels


def _fields(texts: Sequence[str], about: Mapping[str, Mapping[str, Any]]) -> dict[str, str]:
    fields: dict[str, str] = {}
    for column in texts:
        name = field_name(column)
        if about[column]["shown"] != column:  # called by its place
            name = next(one for one in ("text", *(f"text_{n}" for n in range(2, 10_000))) if one not in fields)
        if name in fields:
            first, second = about[fields[name]]["shown"], about[column]["shown"]
            raise DataError(
                f"the columns '{first}' and '{second}' would both be the field '{name}'; rename one",
                code="column-used-twice",
            )
        fields[name] = column
    return fields
