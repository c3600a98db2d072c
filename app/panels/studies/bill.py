"""Where a ranking's cases go, and what it costs, said before anything is asked or spent."""

from collections.abc import Mapping
from typing import Any

import streamlit as st

from app.display.amounts import money
from app.display.named import named
from app.display.plain import plain, sentence
from fedprompt.workspace.cases.servers_asked import ServersAsked

__all__ = ["draw_bill", "said_bill", "said_where"]


def said_where(asked: ServersAsked) -> str:
    """Return where the cases go and how long they are kept there."""
    kept = "The study is saved in this machine's home folder. It contains no case."
    if asked.elsewhere:
        where = plain(" and ".join(asked.elsewhere))
        return (
            f":material/cloud_upload: **The validation cases are sent to {where}**, which is another machine. "
            f"Its operator decides how long they are kept there. {kept}"
        )
    if asked.here:
        where = plain(" and ".join(asked.here))
        return f":material/lock: The validation cases are sent to the server at {where} on this machine. {kept}"
    return f":material/lock: The prompts run on this machine. {kept}"


def draw_bill(found: Mapping[str, Any]) -> None:
    """Draw what a dry run counted."""
    named("bill_priced" if found["cost"] is not None else "bill_unpriced").info(
        plain(said_bill(found)), icon=":material/receipt_long:"
    )
    for note in found["notes"]:
        st.caption(plain(sentence(str(note))))


def said_bill(found: Mapping[str, Any]) -> str:
    """Return it in a sentence or two."""
    prompts, cases = found["templates"], found["cases"]
    told = f"{prompts:,} prompts on {cases:,} validation cases need {_calls(found)}."
    judge = found.get("judge")
    return told if judge is None else f"{told} Judging the answers needs at most {_calls(judge)}."


def _calls(found: Mapping[str, Any]) -> str:
    cost = found["cost"]
    price = "at an unknown price" if cost is None else f"about {money(**cost)}"
    return f"{found['calls']:,} calls and {found['tokens']:,} tokens, {price}"
