"""The audit of a prompt: a button, how far it is, and what it found, with one sentence and one picture."""

import altair as alt
import pandas as pd
import streamlit as st

from app.display.named import named
from app.display.palette import PER_CENT, finished, palette
from app.display.plain import plain
from app.panels.runs.work import draw_work, follow
from app.session import guarded, workspace
from app.visitor import require, submit, why_not
from fedprompt.bank.rows import JobRow
from fedprompt.workspace.cases.evaluation_sets import evaluation_sets
from fedprompt.workspace.local.audit_report import ATTACKS, AuditReport, own_audits

__all__ = ["draw_audit"]

ABOUT = (
    "The audit attacks this prompt with your own cases. It tries to tell the cases that the prompt "
    "was tuned on from other cases. Nothing leaves this machine. Run it before you publish a template, join as a "
    "donor, or release a pack."
)
CONTROLS = {
    "overfitted": "an overfitted prompt",
    "noise-too-small": "noise that is too small",
    "noise-as-claimed": "noise that is as large as claimed",
}
LOOKS = {
    "leak": ("error", "Found a leak", ":material/warning:"),
    "none-seen": ("info", "Found no leak", ":material/search:"),
    "cannot-tell": ("warning", "Cannot tell", ":material/help:"),
}


def draw_audit(prompt: str) -> None:
    """Draw the audit of a prompt of the bank."""
    st.subheader("What this prompt discloses about your cases")
    st.caption(ABOUT)
    follow("trust_audit", lambda: (_job(prompt),), lambda: _draw(prompt))


def _job(prompt: str) -> JobRow | None:
    """Return the newest audit of this prompt."""
    jobs = workspace().bank.jobs(limit=200)
    return next((one for one in jobs if one.kind == "audit" and one.arguments.get("prompt") == prompt), None)


@guarded
def _draw(prompt: str) -> None:
    job = _job(prompt)
    if job is not None and job.state != "done":
        draw_work(job, "trust_audit")
    else:
        _ask(prompt)
    found = next((one for one in own_audits(workspace().home) if one.prompt == prompt), None)
    if found is not None:
        draw_report(found)


def _ask(prompt: str) -> None:
    sets = {one.id: one for one in evaluation_sets(workspace().home) if one.reading is not None}
    if not sets:
        named("trust_audit_no_file").caption("To run the audit, add a file of labelled cases on the Data page.")
        return
    why = why_not("tune")
    chosen = st.selectbox("Cases that it was tuned on", list(sets), key="trust_audit_data", width=420)
    st.button(
        "Run the audit",
        key="trust_audit_start",
        icon=":material/policy:",
        disabled=why is not None,
        help=why,
        on_click=_start,
        args=({"prompt": prompt, **sets[str(chosen)].arguments},),
    )


@guarded
def _start(arguments: dict[str, object]) -> None:
    require("tune")
    submit(workspace(), "audit", arguments)


def draw_report(found: AuditReport) -> None:
    """Draw what an audit found."""
    kind, title, icon = LOOKS[found.verdict]
    getattr(named(f"trust_audit_{found.verdict}"), kind)(plain(found.sentence), title=title, icon=icon)
    if found.picture is not None:
        grid = st.grid(2, min_column_width=300, gap="large")
        with grid.cell():
            _scores(found)
        with grid.cell():
            _curve(found)
    with st.expander("Figures and controls", key="trust_audit_figures"):
        st.dataframe(
            pd.DataFrame(
                [
                    {
                        "attack": ATTACKS[row.attack],
                        "measure": row.unit,
                        "result": round(row.got.value, 3),
                        "95 % interval": f"{row.got.low:.2f} to {row.got.high:.2f}",
                        "guessing": round(row.guessing, 3),
                        "p": round(row.p_adjusted, 4),
                        "found": "yes" if row.found else "no",
                    }
                    for row in found.attacks
                ]
            ),
            hide_index=True,
        )
        for one in found.controls:
            mark = ":material/check:" if one.found else ":material/close:"
            told = "as expected" if one.found else "missed"
            named(f"trust_audit_{one.control}").markdown(
                f"{mark} Control: {CONTROLS[one.control]}, {told} "
                f"({one.unit} {one.got:.2f}, threshold {one.needed:.2f})"
            )
        if found.epsilon is not None:
            st.caption(f"One tuning run gives an epsilon of at least {found.epsilon:.2f} (95 % confidence).")
        if found.update is not None and found.update_guessing is not None:
            st.caption(
                f"One step's update: {100 * found.update.value:.0f} % of its batch can be picked out of all cases "
                f"({100 * found.update.low:.0f} to {100 * found.update.high:.0f}). Guessing gets "
                f"{100 * found.update_guessing:.0f} %."
            )


def _scores(found: AuditReport) -> None:
    """Draw how the strongest attack scores members and others."""
    assert found.picture is not None
    seen, colours = found.picture, palette()
    rows = [
        {"from": low, "to": high, "share": counts[place] / max(1, sum(counts)), "cases": kind}
        for kind, counts in (("tuned on", seen.members), ("others", seen.others))
        for place, (low, high) in enumerate(zip(seen.edges, seen.edges[1:], strict=False))
    ]
    st.markdown("**Scores of the strongest attack**", help=f"The attack distinguishes members {ATTACKS[seen.attack]}.")
    chart = (
        alt.Chart(pd.DataFrame(rows))
        .mark_bar(opacity=0.55, strokeWidth=1.5)
        .encode(
            x=alt.X("from:Q", bin="binned", title="score (higher: more like a member)"),
            x2="to:Q",
            y=alt.Y("share:Q", stack=None, title="share", axis=alt.Axis(labelExpr=PER_CENT, tickCount=5)),
            color=alt.Color(
                "cases:N",
                title=None,
                scale=alt.Scale(domain=["tuned on", "others"], range=[colours.worse, colours.site(0)]),
                legend=alt.Legend(orient="top"),
            ),
            stroke=alt.Stroke(
                "cases:N",
                title=None,
                scale=alt.Scale(domain=["tuned on", "others"], range=[colours.worse, colours.site(0)]),
                legend=None,
            ),
            tooltip=[alt.Tooltip("cases:N"), alt.Tooltip("share:Q", format=".1%")],
        )
    )
    st.altair_chart(finished(chart.properties(height=240)), alt="Scores of members and of others")


def _curve(found: AuditReport) -> None:
    """Draw the ROC curve of the strongest attack, beside guessing."""
    assert found.picture is not None
    colours, scale = palette(), alt.Scale(domain=[0, 1])
    points = pd.DataFrame({"false": found.picture.false, "true": found.picture.true})
    axis = alt.Axis(labelExpr=PER_CENT, tickCount=5)
    guess = (
        alt.Chart(pd.DataFrame({"false": [0.0, 1.0], "true": [0.0, 1.0]}))
        .mark_line(color=colours.muted, strokeDash=[5, 4], strokeWidth=1.2)
        .encode(x=alt.X("false:Q", scale=scale), y=alt.Y("true:Q", scale=scale))
    )
    line = (
        alt.Chart(points)
        .mark_line(color=colours.worse, strokeWidth=2, interpolate="step-after")
        .encode(
            x=alt.X("false:Q", scale=scale, axis=axis, title="others taken for members"),
            y=alt.Y("true:Q", scale=scale, axis=axis, title="members found"),
            tooltip=[alt.Tooltip("false:Q", format=".1%"), alt.Tooltip("true:Q", format=".1%")],
        )
    )
    st.markdown(
        "**ROC curve**",
        help="The dashed line is guessing. The further the curve is above it, the more the prompt discloses.",
    )
    st.altair_chart(finished(alt.layer(guess, line).properties(height=240)), alt="ROC curve of the strongest attack")
