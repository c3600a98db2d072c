"""How a file's columns are read: which hold the text, which the answer, which the group, and which labels there are."""

from collections.abc import Mapping, Sequence
from typing import Any

import streamlit as st

from app.display.plain import plain
from fedprompt.errors import DataError
from fedprompt.evaluation.drafting import field_name
from fedprompt.workspace.cases.evaluation_sets import Reading

__all__ = ["ask_reading"]

NO_GROUP = "none"
MANY = 12


def ask_reading(columns: Sequence[Mapping[str, Any]], guess: Reading | None, key: str) -> Reading | None:
    """Draw the choices and return the reading, or None while one is missing.

    Args:
        columns: what ``look_at`` says of them.
        guess: what is chosen at first.
        key: changes with the file, so that another file's choices are not taken over.
    """
    names = [str(one["name"]) for one in columns]
    about = {str(one["name"]): one for one in columns}
    texts = st.multiselect(
        "Columns with the text",
        names,
        default=list(guess.fields.values()) if guess else None,
        key=f"{key}_texts",
        format_func=lambda name: f"{name} (about {about[name]['mean_length']:.0f} characters)",
        help="Each becomes a field that prompts can name in braces.",
    )
    rest = [name for name in names if name not in texts]
    if not texts or not rest:
        st.caption("Choose at least one column with text, and leave one for the answer.")
        return None
    answer = st.selectbox(
        "Column with the right answer",
        rest,
        index=rest.index(guess.answer) if guess and guess.answer in rest else 0,
        key=f"{key}_answer",
    )
    groups = [NO_GROUP, *(name for name in rest if name != answer)]
    group = st.selectbox(
        "Column that says what belongs together",
        groups,
        index=groups.index(guess.group) if guess and guess.group in groups else 0,
        key=f"{key}_group",
        help="A patient, a thread, an author: cases of one are never both tuned on and tested on.",
    )
    labels = _ask_labels(about[str(answer)], guess, key)
    try:
        fields = _fields(texts)
    except DataError as error:
        st.warning(plain(str(error)), icon=":material/warning:")
        return None
    if labels is None:
        return None
    return Reading(
        fields=fields, answer=str(answer), group=None if group == NO_GROUP else str(group), labels=tuple(labels)
    )


def _ask_labels(column: Mapping[str, Any], guess: Reading | None, key: str) -> list[str] | None:
    values: Mapping[str, int] | None = column["values"]
    if not values or len(values) < 2:
        st.caption(
            f"{plain(str(column['name']))} holds free text: the model will write an answer, and it is compared with "
            "what stands there."
        )
        return []
    chosen_here = guess is not None and guess.answer == column["name"]
    labels = st.multiselect(
        f"Its labels ({len(values)} found)",
        list(values),
        default=[one for one in guess.labels if one in values] if guess and chosen_here else list(values),
        key=f"{key}_labels_{column['name']}",
        format_func=lambda value: f"{value} ({values[value]:,})",
        help="Take out what is no label, such as a misspelling: lines that have it would be refused, and are listed.",
    )
    if len(labels) < 2:
        st.caption("A choice needs at least two labels.")
        return None
    if len(labels) > MANY:
        st.caption(f"With {len(labels)} labels each case takes longer, since every label is scored.")
    return labels


def _fields(texts: Sequence[str]) -> dict[str, str]:
    fields: dict[str, str] = {}
    for column in texts:
        name = field_name(column)
        if name in fields:
            raise DataError(f"the columns '{fields[name]}' and '{column}' would both be the field '{name}'; rename one")
        fields[name] = column
    return fields
