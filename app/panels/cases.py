"""The rows that the playground runs: typed, of a table, public text, or a test set that was kept; and their answers.

Beside each way stands where the text goes and how long it is kept.
"""

import random
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import streamlit as st

from app.panels.case_table import match_columns, read_table
from app.panels.plain import plain
from app.session import explain, workspace
from fedprompt.errors import AssetError, FedPromptError
from fedprompt.models.assets import asset_folder
from fedprompt.workspace.demo_text import SOURCES, read_source
from fedprompt.workspace.trial_files import MOST_SETS, TrialFolder

__all__ = ["Cases", "ask_cases", "draw_sets"]

EXAMPLE = "What a wonderful film, I loved every minute of it."
WAYS = ("Type", "From a table", "Public text", "Saved set")
Rows = tuple[dict[str, str], ...]


@dataclass(frozen=True)
class Cases:
    """Rows under the prompts' field names, and the answer each should get, empty where nobody said."""

    rows: Rows = ()
    expected: tuple[str, ...] = ()

    @property
    def ready(self) -> bool:
        """Whether there is a row, and each holds something."""
        return bool(self.rows) and all(any(row.values()) or not row for row in self.rows)


def ask_cases(fields: Sequence[str], folder: TrialFolder) -> Cases:
    """Draw the inputs and return the rows to run."""
    how = st.segmented_control(
        "Texts", WAYS, default="Type", key="playground_how", required=True, persist_state="session"
    )
    asks: dict[str, Callable[[], Cases]] = {
        "Type": lambda: _typed(fields),
        "From a table": lambda: _table(fields),
        "Public text": lambda: _public(fields),
        "Saved set": lambda: _saved(fields, folder),
    }
    try:
        return asks[str(how)]()
    except FedPromptError as error:
        explain(error)
        return Cases()


def _typed(fields: Sequence[str]) -> Cases:
    if not fields:
        st.caption("This prompt has no variables; write {text} in it, in braces, to get an input here.")
    row = {}
    for name in fields:
        st.session_state.setdefault(f"playground_field_{name}", EXAMPLE if name == "text" else "")
        row[name] = (
            st.text_area(name, key=f"playground_field_{name}", height=100, max_chars=200_000, persist_state="session")
            or ""
        )
    right = st.text_input(
        "The right answer, if you know it",
        key="playground_right",
        max_chars=10_000,
        persist_state="session",
        help="Scorers compare the model's answer with it.",
    )
    return Cases((row,), (right or "",))


def _table(fields: Sequence[str]) -> Cases:
    table = read_table("playground", fields)
    if not table:
        return Cases()
    rows = match_columns(table, fields, "playground") if fields else tuple({} for _ in table)
    columns = list(table[0])
    guess = next((name for name in columns if name.lower() in ("answer", "label", "expected", "target")), None)
    right = st.selectbox(
        "Which column holds the right answer?",
        columns,
        index=None if guess is None else columns.index(guess),
        placeholder="none",
        key="playground_answer_column",
    )
    return _some(rows, tuple(row[right] if right else "" for row in table))


def _some(rows: Rows, expected: tuple[str, ...]) -> Cases:
    """Return all rows, or the one that is picked."""
    if len(rows) == 1:
        return Cases(rows, expected)
    one = st.number_input(
        f"Run one row alone (of {len(rows):,})",
        1,
        len(rows),
        value=None,
        key="playground_row",
        placeholder="empty: all rows",
    )
    if one is None:
        return Cases(rows, expected)
    st.caption(plain(" · ".join(rows[one - 1].values())[:300]))
    return Cases((rows[one - 1],), (expected[one - 1],))


def _public(fields: Sequence[str]) -> Cases:
    try:
        room = asset_folder(workspace().home.path, "vader-text")
    except AssetError as error:
        explain(error)
        return Cases()
    names = {source.title: source for source in SOURCES}
    chosen = st.selectbox("Source", list(names), key="playground_public", persist_state="session")
    count = int(st.number_input("Sentences", 1, 200, 8, key="playground_public_count", persist_state="session"))
    seed = int(st.session_state.setdefault("playground_public_seed", 0))

    def draw_others() -> None:
        st.session_state["playground_public_seed"] = seed + 1

    st.button("Draw others", key="playground_public_again", icon=":material/casino:", on_click=draw_others)
    st.caption("Rated sentences of Hutto and Gilbert 2014, called positive or negative by people's mean rating.")
    if not fields:
        return Cases()
    field = (
        fields[0] if len(fields) == 1 else st.selectbox("Which field is the text?", fields, key="playground_public_f")
    )
    cases = random.Random(seed).sample(read_source(room, names[str(chosen)]), count)  # noqa: S311
    rows = tuple({name: case.fields["text"] if name == field else "" for name in fields} for case in cases)
    st.dataframe(
        [{"right answer": case.answer, "text": case.fields["text"]} for case in cases],
        height=180,
        hide_index=True,
        alt="The sentences that were drawn",
    )
    return Cases(rows, tuple(case.answer for case in cases))


def _saved(fields: Sequence[str], folder: TrialFolder) -> Cases:
    sets = folder.sets()
    if not sets:
        st.caption(
            "No test set is kept yet. Choose rows another way, then keep them under *Test sets and earlier runs*."
        )
        return Cases()
    name = str(st.selectbox("Test set", list(sets), key="playground_set", persist_state="session"))
    body = sets[name]
    rows = tuple({str(k): str(v) for k, v in row.items()} for row in body["rows"])
    expected = tuple(str(one) for one in body["expected"])
    missing = [field for field in fields if field not in rows[0]]
    if missing:
        rows = match_columns(rows, fields, "playground_set")
    st.caption(f"{len(rows):,} rows, {sum(map(bool, expected)):,} with the right answer.")
    return _some(tuple({field: row.get(field, "") for field in fields} for row in rows), expected)


def draw_sets(folder: TrialFolder, cases: Cases) -> None:
    """Draw what keeps the rows as a test set, and what deletes one."""
    st.caption(
        f":material/lock: A test set stays on this machine, in a file of the home folder that its owner alone can "
        f"read, until you delete it ({MOST_SETS} at most). It is never put into the bank."
    )
    with st.container(horizontal=True, vertical_alignment="bottom"):
        name = st.text_input("Keep these rows as", key="playground_set_name", max_chars=80, placeholder="a name")
        if st.button("Keep", key="playground_set_keep", icon=":material/save:", disabled=not cases.ready or not name):
            folder.save_set(name.strip(), {"rows": list(cases.rows), "expected": list(cases.expected)})
            st.toast(f"Kept {len(cases.rows):,} rows.")
    sets = folder.sets()
    if sets:
        with st.container(horizontal=True, vertical_alignment="bottom"):
            gone = st.selectbox("Delete a test set", list(sets), index=None, key="playground_set_gone")
            if gone is not None:
                st.button(
                    "Delete it",
                    key="playground_set_delete",
                    icon=":material/delete:",
                    on_click=folder.forget_set,
                    args=(gone,),
                )
