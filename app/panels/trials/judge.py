"""The model that judges by a rubric: chosen among those that this home knows, with its cost before it is asked."""

from collections.abc import Sequence

import streamlit as st

from app.display.amounts import money
from app.display.named import named
from app.display.plain import plain
from app.panels.models.needed import draw_needed
from app.panels.models.session_models import added_servers, goes_to, model_names
from app.panels.trials.cases import Cases
from app.session import workspace
from fedprompt.errors import FedPromptError, PromptError
from fedprompt.evaluation.cases import Case
from fedprompt.models.chat.config import is_chat
from fedprompt.workspace.answers.variants import Variant
from fedprompt.workspace.bills.judge_bill import JudgeBill, rubric_bill, rubrics
from fedprompt.workspace.bills.scorer_resources import NamedJudge, judge_name, judge_settings
from fedprompt.workspace.bills.session_servers import SessionServer
from fedprompt.workspace.playground.trials import Check

__all__ = ["ask_judge", "draw_judge_cost", "said_most"]

SMALL = "A small model often answers without points. A larger chat model judges better."
KEPT = "The rubric is kept as long as the run is."
NOT_IN_STUDY = "The study holds the rubric and not this choice, so each site chooses its own judge."
LONGEST_WORD = 32  # tokens of an answer that is chosen


def ask_judge(key: str, *, study: bool = False) -> tuple[str, SessionServer | None]:
    """Draw the choice of the model that judges; return its name and, if it is this session's own, where it is asked.

    Args:
        key: of the box.
        study: whether a study's ranking asks, a job that servers of this session alone are not for.

    Raises:
        PromptError: no model is chosen.
    """
    ws = workspace()
    names = {name: label for name, label in model_names(ws).items() if not (study and name in added_servers())}
    if (default := judge_name()) is not None:
        names = {default: default} | names
        st.session_state.setdefault(key, default)
    if st.session_state.get(key) not in names:
        st.session_state[key] = None
    chosen = st.selectbox(
        "Model that judges",
        list(names),
        index=None,
        format_func=lambda one: names.get(one, one),
        key=key,
        placeholder="choose a model",
        persist_state="session",
        help="It reads the rubric, the answer and the correct answer, and gives points.",
    )
    if chosen is None:
        raise PromptError("choose the model that judges, or remove the judge", code="no-judge")
    added = added_servers().get(str(chosen))
    if added is not None or is_chat(str(chosen)):
        draw_needed()
        told = plain(goes_to(ws, str(chosen)))
    else:
        told = f"The judge runs on this machine; nothing leaves it. {SMALL}"
    named(f"{key}_reads").caption(f":material/lock: {told} {NOT_IN_STUDY if study else KEPT}")
    return (str(chosen), None) if added is None else (added.server.model, added.server)


def draw_judge_cost(page: str, checks: Sequence[Check], cases: Cases, variants: Sequence[Variant]) -> None:
    """Say before a run the most that judging takes; nothing where no model judges."""
    judges = rubrics(check.scorer for check in checks)
    if not judges or not variants or not cases.rows:
        return
    check = next(one for one in checks if one.scorer.name == "judge")
    try:
        found = judge_settings(workspace().home.path, check.judge) if check.server is None else None
    except FedPromptError as error:
        named(f"{page}_judge_cost").caption(f":material/error: {plain(str(error))}")
        return
    if check.server is not None:
        found = NamedJudge(check.judge or "", None, None, remote=False)
    expected = cases.expected or ("",) * len(cases.rows)
    looked = [Case(row, answer) for row, answer in zip(cases.rows, expected, strict=True)]
    longest = max(one.max_tokens if one.generate else LONGEST_WORD for one in variants)
    bill = rubric_bill(found, judges, [(len(variants), looked)], longest)
    named(f"{page}_judge_cost").caption(f":material/receipt_long: {said_most(bill)}")


def said_most(bill: JudgeBill) -> str:
    """Return in a sentence the most that judging takes."""
    calls = "1 call" if bill.calls == 1 else f"{bill.calls:,} calls"
    if bill.cost is None:
        cost = "The cost is unknown, because no price is set for this model."
    elif bill.cost.amount == 0:
        cost = "It costs nothing, because the model runs on this machine."
    else:
        cost = f"That costs at most {money(bill.cost.amount, bill.cost.currency)}."
    return f"Judging takes at most {calls} and {bill.tokens:,} tokens. {cost}"
