"""A visitor's own cases for shared prompts: a file or none, its columns, and what it calls the pack's classes.

Invariant: no class is guessed. What the file calls otherwise than the pack, its owner says.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import streamlit as st

from app.display.plain import label as as_label
from app.display.plain import plain
from app.panels.studies.dropping import choose_set, draw_removal, drop_file
from app.panels.studies.file_reading import ask_first_line
from app.session import explain, workspace
from app.visitor import why_not
from fedprompt.errors import FedPromptError
from fedprompt.evaluation.class_names import ClassNames
from fedprompt.evaluation.column_map import Columns
from fedprompt.workspace.cases.evaluation_sets import EvaluationSet, Reading, evaluation_sets
from fedprompt.workspace.exchange.pack import Pack

__all__ = ["OwnCases", "ask_own_cases"]

FILE, NONE = "My file", "No file"
NO_ANSWER = "none: texts without answers"
NO_GROUP = "none"
MOST_NAMES = 24
WITHOUT = (
    "Without a file, the prompts keep the weights that worked best at the sites that made them. With three to "
    "twenty labelled cases, the weights are fitted to your texts. The cases also show how accurate the prompts "
    "are here."
)


@dataclass(frozen=True)
class OwnCases:
    """What a job takes of the visitor's cases; ``lacking`` is a sentence where something has to be said first."""

    arguments: Mapping[str, Any] = field(default_factory=dict)
    cases: int = 0
    lacking: str | None = None


def ask_own_cases(pack: Pack) -> OwnCases:
    """Draw the choice of a file, and of its columns and classes, for a pack."""
    which = st.segmented_control(
        "Your cases", [FILE, NONE], default=FILE, key="shared_which", required=True, label_visibility="collapsed"
    )
    if which == NONE:
        st.markdown(WITHOUT, width=860)
        return OwnCases()
    grid = st.grid(2, min_column_width=340, gap="large")
    with grid.cell():
        drop_file(why_not("tune") is not None, page="shared")
        chosen = choose_set(evaluation_sets(workspace().home), "shared", "File")
        if chosen is not None:
            draw_removal(chosen, page="shared")
    if chosen is None:
        with grid.cell():
            _draw_example(pack)
        return OwnCases(lacking="Upload a file, or choose “No file”.")
    with grid.cell():
        try:
            return _ask_columns(chosen, pack)
        except FedPromptError as error:  # the file cannot be read at all, and may go
            explain(error)
            return OwnCases(lacking="This file cannot be read. Upload another one.")


def _ask_columns(chosen: EvaluationSet, pack: Pack) -> OwnCases:
    key = f"shared_{chosen.id}_{chosen.changed}_{pack.id}"
    view, header = ask_first_line(chosen, "shared")
    if view["ask_header"]:
        return OwnCases(lacking="Choose first what the first line holds.")
    about = {str(one["name"]): one for one in view["columns"]}
    guess = None if view["reading"] is None else Reading.model_validate(view["reading"])
    before = chosen.reading or guess
    fields: dict[str, str] = {}
    for place, name in enumerate(pack.fields):
        free = [column for column in about if column not in fields.values()]
        if not free:
            return OwnCases(lacking=f"These prompts need {len(pack.fields)} text columns; the file has fewer.")
        label = "Text column" if len(pack.fields) == 1 else f"Column for “{as_label(name)}”"
        fields[name] = _column(label, free, _text_column(name, place, free, about, before), about, f"{key}_{name}")
    rest = [NO_ANSWER, *(column for column in about if column not in fields.values())]
    wanted = _answer_column(rest, about, before, pack)
    answer = _column("Answer column", rest, wanted, about, f"{key}_answer")
    if answer == NO_ANSWER:
        st.caption(
            "Without answers, the file only shows roughly how frequent each class is. Accuracy cannot be measured."
        )
        mapping = Columns(fields, None, header).mapping
        return OwnCases({"unlabelled": str(chosen.path), "mapping": mapping})
    group = _ask_group([one for one in rest if one not in (answer, NO_ANSWER)], about, before, key)
    words, cases, lacking = _ask_words(about[answer], pack.labels, f"{key}_{answer}")
    mapping = Columns({**fields, "answer": answer}, group, header).mapping
    given = {"data": str(chosen.path), "mapping": mapping, "group": group, "words": words or None}
    return OwnCases({name: value for name, value in given.items() if value is not None}, cases, lacking)


def _draw_example(pack: Pack) -> None:
    """Show what such a file looks like."""
    st.markdown("**Example of such a file: one case per line**")
    rows = [{**{name: f"your {name}" for name in pack.fields}, "answer": label} for label in pack.labels[:3]]
    st.table(rows, border="horizontal", hide_index=True)
    st.caption("Your columns and classes can have other names. You match them on this page.")


def _column(label: str, columns: Sequence[str], wanted: str, about: Mapping[str, Mapping[str, Any]], key: str) -> str:
    return str(
        st.selectbox(
            label,
            columns,
            index=columns.index(wanted),
            key=key,
            format_func=lambda name: str(about[name]["shown"]) if name in about else str(name),
        )
    )


def _ask_group(
    columns: Sequence[str], about: Mapping[str, Mapping[str, Any]], before: Reading | None, key: str
) -> str | None:
    if not columns:
        return None
    groups = [NO_GROUP, *columns]
    wanted = before.group if before is not None and before.group in columns else NO_GROUP
    chosen = _column("Group column", groups, str(wanted), about, f"{key}_group")
    return None if chosen == NO_GROUP else chosen


def _ask_words(column: Mapping[str, Any], labels: Sequence[str], key: str) -> tuple[dict[str, str], int, str | None]:
    """Draw what the file calls the pack's classes; return name -> label, how many cases, and what is lacking."""
    values: Mapping[str, int] = column["values"] or {}
    names = ClassNames(labels)
    other = [value for value in values if names.label_of(value) not in labels]
    if not values or len(other) > MOST_NAMES:
        return {}, 0, f"That column holds texts, not classes. The classes of these prompts are {_listed(labels)}."
    words: dict[str, str] = {}
    if other:
        st.markdown("**Match your classes to the classes of the prompts**")
        with st.grid(2, min_column_width=200) as grid:
            for place, value in enumerate(other):
                with grid.cell():
                    meant = st.selectbox(
                        f"“{as_label(value)}” ({values[value]:,})",
                        list(labels),
                        index=None,
                        key=f"{key}_means_{place}",
                        placeholder="choose one",
                    )
                if meant is not None:
                    words[value] = str(meant)
    counts = dict.fromkeys(labels, 0)
    for value, count in values.items():
        label = words.get(value, names.label_of(value))
        if label in counts:
            counts[label] += count
    st.markdown(
        "Your cases by class: "
        + " ".join(f":{'gray' if n else 'orange'}-badge[{plain(label)} {n:,}]" for label, n in counts.items())
    )
    if len(words) < len(other):
        return words, sum(counts.values()), "Match each of your classes to a class of the prompts."
    if missing := [label for label, n in counts.items() if not n]:
        st.caption(f":material/info: You have no case of {_listed(missing)}, so nothing is fitted for that class.")
    return words, sum(counts.values()), None


def _listed(labels: Sequence[str]) -> str:
    more = f" and {len(labels) - 8} more" if len(labels) > 8 else ""
    return ", ".join(f"“{plain(label)}”" for label in labels[:8]) + more


def _text_column(
    name: str, place: int, free: Sequence[str], about: Mapping[str, Mapping[str, Any]], before: Reading | None
) -> str:
    """Return what is chosen at first: the column of the field's name, the one that was read so before, the longest."""
    if name in free:
        return name
    known = [] if before is None else [column for column in before.fields.values() if column in free]
    if known:
        return known[min(place, len(known) - 1)]
    return max(free, key=lambda column: float(about[column]["mean_length"]))


def _answer_column(
    rest: Sequence[str], about: Mapping[str, Mapping[str, Any]], before: Reading | None, pack: Pack
) -> str:
    """Return what is chosen at first: the column with most of the pack's classes, the one that was read so before."""
    names = ClassNames(pack.labels)

    def known(column: str) -> int:
        values = about[column]["values"] or {}
        return sum(count for value, count in values.items() if names.label_of(value) in pack.labels)

    columns = [column for column in rest if column in about]
    best = max(columns, key=known, default=NO_ANSWER)
    if best != NO_ANSWER and known(best):
        return best
    return before.answer if before is not None and before.answer in columns else NO_ANSWER
