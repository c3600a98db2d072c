"""Which shared prompts count how much at home: bars, the heaviest first."""

from collections.abc import Sequence
from typing import Any

import altair as alt
import pandas as pd
import streamlit as st

from app.display.palette import finished, palette
from app.display.plain import percent
from fedprompt.workspace.local.adapt_result import AdaptMember

__all__ = ["KINDS", "draw_weights"]

KINDS = {
    "federated": "tuned together",
    "group": "tuned by a group of sites",
    "donor": "tuned at one site",
    "template": "text only",
    "shown": "your own cases",
    "head": "logistic regression on the sentence encoder",
}
SHOWN = 10


def draw_weights(members: Sequence[AdaptMember]) -> None:
    """Draw a bar for each prompt that counts; the last one sums up those that count least."""
    colours = palette()
    shown, rest = members[:SHOWN], members[SHOWN:]
    rows: list[dict[str, Any]] = [
        {
            "place": place,
            "name": _name(one, shown),
            "weight": one.weight,
            "kind": KINDS.get(one.kind, one.kind),
            "said": f"{100 * one.weight:.0f} %",
        }
        for place, one in enumerate(shown)
    ]
    if rest:
        weight = sum(one.weight for one in rest)
        name = f"{len(rest)} more"
        rows.append(
            {"place": SHOWN, "name": name, "weight": weight, "kind": "of every kind", "said": f"{100 * weight:.0f} %"}
        )
    order = [str(row["name"]) for row in rows]
    base = alt.Chart(pd.DataFrame(rows)).encode(
        y=alt.Y("name:N", sort=order, title=None, axis=alt.Axis(grid=False, labelFontSize=13, labelLimit=220)),
        tooltip=[
            alt.Tooltip("name:N", title="prompt"),
            alt.Tooltip("kind:N"),
            alt.Tooltip("weight:Q", title="counts", format=".1%"),
        ],
    )
    most = 1.3 * max(one.weight for one in members)
    x = alt.X("weight:Q", title=None, axis=None, scale=alt.Scale(domain=[0, most]))
    bars = base.mark_bar(cornerRadiusEnd=4, height=20, color=colours.together).encode(x=x)
    text = base.mark_text(align="left", dx=6, fontSize=13, color=colours.ink).encode(x=x, text="said:N")
    told = ", ".join(f"{row['name']} {percent(float(row['weight']))}" for row in rows)
    st.altair_chart(
        finished(alt.layer(bars, text).properties(height=34 * len(rows) + 20)), alt=f"Weight of each prompt: {told}"
    )


def _name(one: AdaptMember, shown: Sequence[AdaptMember]) -> str:
    """Return what a bar is called: the prompt's name and what it is; those that are alike carry their ids."""
    alike = sum(other.name == one.name and other.kind == one.kind for other in shown) > 1
    kind = KINDS.get(one.kind, one.kind)
    name = one.name if one.name not in (kind, one.kind) else ""
    return " \N{MIDDLE DOT} ".join(filter(None, (name, kind, one.prompt[3:9] if alike else "")))
