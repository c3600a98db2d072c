"""One row's answers side by side, a card a variant: the answer, its bars, what was written, what scorers say."""

from collections.abc import Sequence

import streamlit as st

from app.display.amounts import money
from app.display.named import named
from app.display.plain import plain, sentence
from app.panels.trials.conversation import draw_said
from app.panels.trials.outputs import draw_bars, draw_contributed
from app.session import explain
from fedprompt.errors import PromptError
from fedprompt.models.chat.cost import Tally
from fedprompt.workspace.playground.trials import Judged, Trial, TrialCell

__all__ = ["draw_cards", "said_judging", "title_of"]


def title_of(trial: Trial, number: int) -> str:
    """Return what a variant is called."""
    name = trial.request.variants[number].name
    place = "ABCDEF"[number] if number < 6 else str(number + 1)
    return place if name == place else f"{place} \N{MIDDLE DOT} {name}"


def draw_cards(trial: Trial, row: int) -> None:
    """Draw every variant on one row."""
    count = len(trial.request.variants)
    columns = count if count < 4 else 3 if count in (5, 6) else 2 if count == 4 else 3
    grid = st.grid(columns, min_column_width=300, gap="medium")
    for number in range(count):
        with grid.cell(), st.container(border=count > 1, gap="small"):
            if count > 1:
                st.markdown(
                    f"**{plain(title_of(trial, number))}** :gray-badge[{plain(trial.request.variants[number].model)}]"
                )
            draw_said(trial.request.variants[number])
            cell = trial.cells.get((number, row))
            if cell is None:
                _draw_waiting(trial, number, row)
            else:
                _draw_cell(cell, trial.request.expected[row] if row < len(trial.request.expected) else "")


def _draw_waiting(trial: Trial, number: int, row: int) -> None:
    text = trial.live.get((number, row))
    if text is None:
        st.caption(":material/hourglass_empty: not run yet")
    elif not text:
        st.caption(":material/hourglass_top: waiting for the answer")
    else:
        st.code(text + " \N{LOWER HALF BLOCK}", language=None, wrap_lines=True)


def _draw_cell(cell: TrialCell, expected: str) -> None:
    if cell.error is not None:
        explain(PromptError(cell.error, code=cell.code))
    if cell.answer is not None:
        named(f"answer_{cell.variant}_{cell.row}").markdown(f"The model answers **{plain(cell.answer)}**.")
    if cell.probabilities:
        draw_bars({"playground": cell.probabilities})
    if cell.generated is not None:
        st.caption("Text:" if cell.answer is None else "Continuation:")
        st.code(cell.generated or " ", language=None, wrap_lines=True)
    for place, call in enumerate(cell.calls):
        named(f"answer_call_{cell.variant}_{cell.row}_{place}").markdown(
            f":material/build: The model calls the tool **{plain(call.name)}**. Nothing was run."
        )
        st.code(call.arguments or "{}", language="json", wrap_lines=True)
    judged = [one for one in cell.judged if expected or one.passed is not None or one.scorer == "judge"]
    if judged:
        _draw_judged(judged, f"{cell.variant}_{cell.row}")
    if cell.contributions:
        draw_contributed(cell.contributions, label=cell.answer is not None)
    if cell.error is None:
        named(f"answer_took_{cell.variant}_{cell.row}").caption(measure_of(cell))
    for judge, took in cell.judging.items():
        named(f"answer_judging_{cell.variant}_{cell.row}_{judge}").caption(plain(said_judging(judge, took)))


def measure_of(cell: TrialCell) -> str:
    """Return how long a cell took, how many tokens it had and what they cost, in words."""
    wrote = f", wrote {cell.written:,}" if cell.written else ""
    cost = "" if cell.cost is None else f" \N{MIDDLE DOT} {money(cell.cost, cell.currency)}"
    return f"{cell.seconds:.2f} s \N{MIDDLE DOT} read {cell.read:,} tokens{wrote}{cost}"


def said_judging(judge: str, took: Tally) -> str:
    """Return what a chat model took to judge, in words."""
    calls = "1 call" if took.calls == 1 else f"{took.calls:,} calls"
    failed = f", {sum(took.failed.values()):,} without an answer" if took.failed else ""
    cost = "unknown cost" if took.cost is None else money(took.cost.amount, took.cost.currency)
    return f"Judged by {judge}: {calls}{failed}, {took.tokens:,} tokens, {cost}"


def _draw_judged(judged: Sequence[Judged], which: str) -> None:
    for one in judged:
        if one.passed is None:
            state, badge = "unjudged", ":gray-badge[:material/remove: not judged]"
        elif one.passed:
            state, badge = "passes", ":green-badge[:material/check: passes]"
        else:
            state, badge = "fails", ":red-badge[:material/close: fails]"
        value = "" if one.value is None or one.value in (0.0, 1.0) else f" ({one.value:.2f})"
        place = named(f"answer_{state}_{which}_{one.scorer}")
        place.markdown(f"{badge} {plain(one.scorer)}{value}: {plain(sentence(one.reason))}")
