"""The rows that the playground and Compare run: typed, of a table, public text, kept as a test set, or of a run.

Beside each way to give texts stands where they go and how long they are kept.
"""

import random
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import streamlit as st

from app.display.named import named
from app.display.plain import plain
from app.drafts import settle
from app.panels.trials.case_table import match_columns, read_table
from app.panels.trials.typed_case import ask_fields
from app.session import explain, workspace
from fedprompt.errors import AssetError, FedPromptError
from fedprompt.models.assets.catalogue import asset_folder
from fedprompt.workspace.answers.variants import Variant
from fedprompt.workspace.demo.text import SOURCES, read_source
from fedprompt.workspace.playground.trial_files import TrialFolder

__all__ = ["EARLIER", "WAYS_KEPT", "Cases", "ask_cases", "draw_strange"]

EARLIER = "Earlier run"  # a way there is once a run of many rows was opened
UNCHOSEN = "Choose a column for each variable of the prompt."
SHOWN_ANSWERS = 5
WAYS = ("Type", "From a table", "Public text", "Saved set")
WAYS_KEPT = (*WAYS, EARLIER)
Rows = tuple[dict[str, str], ...]


@dataclass(frozen=True)
class Cases:
    """Rows under the prompts' field names, and the answer each should get, empty where nobody said.

    ``wanting`` is a sentence where something has to be chosen before there are rows.
    """

    rows: Rows = ()
    expected: tuple[str, ...] = ()
    wanting: str | None = None

    @property
    def lacking(self) -> str | None:
        """What is still missing before these can be run, None where nothing is."""
        if not self.rows:
            return self.wanting or "Enter at least one text."
        empty = [place for place, row in enumerate(self.rows, 1) if row and not any(map(str.strip, row.values()))]
        if not empty:
            return None
        return "Enter a text." if len(self.rows) == 1 else f"Row {empty[0]:,} is empty. Fill it or remove it."


def ask_cases(page: str, fields: Sequence[str], folder: TrialFolder, *, kept: str, example: str = "") -> Cases:
    """Draw the inputs and return the rows to run.

    Args:
        page: begins the keys of what is drawn.
        fields: what the prompts ask for.
        folder: the visitor's test sets and runs.
        kept: how long a run is kept, in words that follow a colon.
        example: a text to begin with.
    """
    ways = [*WAYS, EARLIER] if f"{page}_rows_of" in st.session_state else list(WAYS)
    settle(f"{page}_how", ways, WAYS[0])
    how = st.segmented_control("Texts", ways, key=f"{page}_how", required=True, persist_state="session")
    where = (
        ":material/lock: These texts are sent to each prompt's model. The texts and the answers are saved on "
        f"this machine, readable only by their owner: {kept}. They are never saved to the bank or put in the "
        "page's URL."
    )
    asks: dict[str, Callable[[], Cases]] = {
        "Type": lambda: _typed(page, fields, example, where),
        "From a table": lambda: _table(page, fields, where),
        "Public text": lambda: _public(page, fields),
        "Saved set": lambda: _saved(page, fields, folder),
        EARLIER: lambda: _earlier(page, fields, folder),
    }
    try:
        return asks[str(how)]()
    except FedPromptError as error:
        explain(error)
        return Cases()


def draw_strange(cases: Cases, variants: Sequence[Variant]) -> None:
    """Say which right answers are none of the labels that the prompts choose among: such rows can only fail.

    Nothing is said where a variant writes text.
    """
    if any(not one.labels or one.generate for one in variants):
        return
    labels = tuple(dict.fromkeys(label for one in variants for label in one.labels))
    strange = Counter(one for one in cases.expected if one and one not in labels)
    if not strange:
        return
    shown = ", ".join(f"“{plain(one[:40])}”" for one, _ in strange.most_common(SHOWN_ANSWERS))
    more = f" and {len(strange) - SHOWN_ANSWERS} more" if len(strange) > SHOWN_ANSWERS else ""
    told = ", ".join(f"“{plain(one)}”" for one in labels[:SHOWN_ANSWERS])
    rest = f" and {len(labels) - SHOWN_ANSWERS} more" if len(labels) > SHOWN_ANSWERS else ""
    count, all_ = sum(strange.values()), sum(map(bool, cases.expected))
    named("strange_answers").warning(
        f"{count:,} of {all_:,} correct answers are not among the prompts' labels: {shown}{more}. The labels are "
        f"{told}{rest}. No prompt can answer these rows correctly. Change the answers in the table, or the "
        "labels.",
        icon=":material/warning:",
    )


def _typed(page: str, fields: Sequence[str], example: str, where: str) -> Cases:
    if not fields:
        st.caption("This prompt has no variables. Add {text} in braces to get an input here.")
    row = ask_fields(page, fields, example)
    right = st.text_input(
        "Correct answer (optional)",
        key=f"{page}_right",
        max_chars=10_000,
        persist_state="session",
        help="Scorers compare the model's answer with it.",
    )
    named(f"{page}_where").caption(where)
    return Cases((row,), (right or "",))


def _table(page: str, fields: Sequence[str], where: str) -> Cases:
    table = read_table(page, fields)
    named(f"{page}_where").caption(where)
    if not table:
        return Cases()
    rows = match_columns(table, fields, page) if fields else tuple({} for _ in table)
    if not rows:
        return Cases(wanting=UNCHOSEN)
    columns = list(table[0])
    guess = next((name for name in columns if name.lower() in ("answer", "label", "expected", "target")), None)
    settle(f"{page}_answer_column", [None, *columns], guess)
    right = st.selectbox(
        "Column with the correct answer",
        columns,
        index=None,
        placeholder="none",
        key=f"{page}_answer_column",
        help="Needed to score the answers and to show the rows that got worse.",
    )
    return _some(page, rows, tuple(row[right] if right else "" for row in table))


def _some(page: str, rows: Rows, expected: tuple[str, ...]) -> Cases:
    """Return all rows, or the one that is picked."""
    if len(rows) == 1:
        return Cases(rows, expected)
    one = st.number_input(
        f"Run one row only (1 to {len(rows):,})",
        1,
        len(rows),
        value=None,
        key=f"{page}_row",
        placeholder="all rows",
    )
    if one is None:
        return Cases(rows, expected)
    st.caption(plain(" · ".join(rows[one - 1].values())[:300]))
    return Cases((rows[one - 1],), (expected[one - 1],) if expected else ())


def _public(page: str, fields: Sequence[str]) -> Cases:
    try:
        room = asset_folder(workspace().home.path, "vader-text")
    except AssetError as error:
        explain(error)
        return Cases()
    names = {source.title: source for source in SOURCES}
    settle(f"{page}_public", list(names))
    chosen = st.selectbox("Source", list(names), key=f"{page}_public", persist_state="session")
    st.session_state.setdefault(f"{page}_public_count", 8)
    count = int(st.number_input("Sentences", 1, 200, key=f"{page}_public_count", persist_state="session"))
    seed = int(st.session_state.setdefault(f"{page}_public_seed", 0))

    def draw_others() -> None:
        st.session_state[f"{page}_public_seed"] = seed + 1

    st.button("Draw new sample", key=f"{page}_public_again", icon=":material/casino:", on_click=draw_others)
    st.caption("Sentences of Hutto and Gilbert (2014). The label is the sign of their mean rating by people.")
    if not fields:
        return Cases()
    field = fields[0] if len(fields) == 1 else st.selectbox("Text field", fields, key=f"{page}_public_f")
    cases = random.Random(seed).sample(read_source(room, names[str(chosen)]), count)  # noqa: S311
    rows = tuple({name: case.fields["text"] if name == field else "" for name in fields} for case in cases)
    st.dataframe(
        [{"correct answer": case.answer, "text": case.fields["text"]} for case in cases],
        height=180,
        hide_index=True,
        alt="Sampled sentences",
    )
    return Cases(rows, tuple(case.answer for case in cases))


def _saved(page: str, fields: Sequence[str], folder: TrialFolder) -> Cases:
    sets = folder.sets()
    if not sets:
        st.caption(
            "No saved test set yet. Choose rows another way, then save them under *Test sets* below. "
            "Playground and Compare share test sets."
        )
        return Cases()
    settle(f"{page}_set", list(sets))
    name = str(st.selectbox("Test set", list(sets), key=f"{page}_set", persist_state="session"))
    return _given(page, fields, sets[name])


def _earlier(page: str, fields: Sequence[str], folder: TrialFolder) -> Cases:
    """Return the rows of the run that was opened from the history."""
    return _given(page, fields, folder.request(str(st.session_state[f"{page}_rows_of"])))


def _given(page: str, fields: Sequence[str], body: Mapping[str, Any]) -> Cases:
    """Return rows that lie in a file, under the prompts' field names."""
    rows = tuple({str(k): str(v) for k, v in row.items()} for row in body["rows"])
    expected = tuple(str(one) for one in body["expected"])
    if any(field not in rows[0] for field in fields) and rows[0]:
        rows = match_columns(rows, fields, f"{page}_set")
        if not rows:
            return Cases(wanting=UNCHOSEN)
    named(f"{page}_rows_given").caption(f"{len(rows):,} rows, {sum(map(bool, expected)):,} with a correct answer.")
    return _some(page, tuple({field: row.get(field, "") for field in fields} for row in rows), expected)
