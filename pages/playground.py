"""Playground: write a prompt, give it a text, see what the model of this machine answers."""

from typing import Any

import streamlit as st

from app.panels.answers import read_answers
from app.panels.case_table import ask_table
from app.panels.live import send_while_typing
from app.panels.outputs import draw_bars, outputs_frame
from app.panels.plain import plain
from app.panels.running import run_quick
from app.panels.source import ask_model, ask_source, chosen_soft
from app.panels.trial import PRIVATE
from app.session import explain, guarded, workspace
from fedprompt.errors import FedPromptError, PromptError
from fedprompt.prompts.template import Message, Template

EXAMPLE = "What a wonderful film, I loved every minute of it."


@guarded
def draw() -> None:
    """Draw the page."""
    st.title("Playground")
    st.caption(PRIVATE)
    st.session_state.setdefault("playground_template", "Review: {text}\nSentiment:")
    st.session_state.setdefault("playground_answers", "positive\nnegative")
    grid = st.grid(2, min_column_width=360, gap="large")
    with grid.cell():
        ask_source(workspace())
        template = ask_template()
        model = ask_model(workspace())
        generate = st.toggle("Also write a continuation", key="playground_generate", persist_state="session")
        length = 32
        if generate:
            length = st.slider("At most this many tokens", 1, 256, 32, key="playground_tokens", persist_state="session")
    with grid.cell():
        rows = ask_rows(template)
        ready = template is not None and bool(rows) and all(any(row.values()) or not row for row in rows)
        if (
            st.button(
                "Run",
                key="playground_run",
                type="primary",
                icon=":material/play_arrow:",
                disabled=not ready,
                width="stretch",
            )
            and template is not None
        ):
            run(template, rows, model, generate, length)
        draw_result()


def ask_template() -> Template | None:
    """Draw the boxes for the template and the answers; return the template, or None while it is wrong."""
    text = st.text_area(
        "Prompt",
        key="playground_template",
        height=170,
        max_chars=20_000,
        persist_state="session",
        help="Write {name} where a text is to stand; an input for it appears at once. {soft} is the place of "
        "a tuned prompt's vectors.",
    )
    send_while_typing("playground_template")
    chat = st.toggle(
        "Send it in the model's chat format",
        key="playground_chat",
        persist_state="session",
        help="Off: the model continues the text. On: the text is a message that it answers.",
    )
    answers = st.text_area(
        "Answers to choose among, one a line",
        key="playground_answers",
        height=105,
        persist_state="session",
        help="Write 'positive = good' to have the model look for another word. Leave it empty for text only.",
    )
    try:
        if not (text or "").strip():
            raise PromptError("the prompt is empty; write something, for example: Review: {text}")
        words = read_answers(answers or "", spaced=not chat and not (text or "")[-1:].isspace())
        message = (Message("user", text or ""),) if chat else None
        return Template("playground", None if chat else text, message, words or None)
    except FedPromptError as error:
        explain(error)
        return None


def ask_rows(template: Template | None) -> tuple[dict[str, str], ...]:
    """Draw one input for each variable, or the box for a table; return the rows to run."""
    how = st.segmented_control(
        "Texts",
        ["Type", "From a table"],
        default="Type",
        key="playground_how",
        required=True,
        persist_state="session",
    )
    if template is None:
        st.caption("The inputs appear once the prompt on the left is well formed.")
        return ()
    if how == "From a table":
        try:
            return ask_table("playground", template.variables) if template.variables else ({},)
        except FedPromptError as error:
            explain(error)
            return ()
    if not template.variables:
        st.caption("This prompt has no variables; write {text} in it, in braces, to get an input here.")
    row = {}
    for name in template.variables:
        st.session_state.setdefault(f"playground_field_{name}", EXAMPLE if name == "text" else "")
        row[name] = st.text_area(name, key=f"playground_field_{name}", height=100, persist_state="session") or ""
    return (row,)


def run(template: Template, rows: tuple[dict[str, str], ...], model: str, generate: bool, length: int) -> None:
    """Run the prompt in the quick job process and keep the answer for this visitor."""
    words = template.words or {}
    st.session_state.pop("playground_result", None)
    if not words and not generate:
        raise PromptError("there is nothing to ask for; give answers to choose among, or switch the continuation on")
    request = {
        "template": template.canonical(),
        "rows": list(rows),
        "labels": list(words),
        "soft": chosen_soft() if template.has_soft else None,
        "model": model,
        "max_tokens": length,
        "generate": generate,
    }
    result = run_quick(workspace(), "playground", request, "Running")
    st.session_state["playground_result"] = (rows, dict(result))


def draw_result() -> None:
    """Draw what came of the last run."""
    kept: tuple[tuple[dict[str, str], ...], dict[str, Any]] | None = st.session_state.get("playground_result")
    if kept is None:
        with st.container(border=True):
            st.caption(":material/insights: Each answer's probability, and what the model writes, appear here.")
        return
    rows, result = kept
    if len(rows) == 1:
        answer = result["rows"][0]
        if answer["error"]:
            explain(PromptError(answer["error"]))
            return
        if answer["answer"] is not None:
            st.markdown(f"The model answers **{plain(answer['answer'])}**.")
        if answer["probabilities"]:
            draw_bars({"playground": answer["probabilities"]})
        if answer["generated"] is not None:
            st.caption("It goes on:")
            st.code(answer["generated"] or " ", language=None, wrap_lines=True)
    else:
        frame = outputs_frame(rows, result["rows"])
        shares = [column for column in frame.columns if column.startswith("p(")]
        st.dataframe(
            frame,
            hide_index=True,
            column_config={
                name: st.column_config.ProgressColumn(name, format="%.1f %%", max_value=100) for name in shares
            },
            placeholder="",
            alt="What the model answers on each row",
        )
        st.download_button(
            "Download as CSV",
            frame.to_csv(index=False),
            file_name="playground.csv",
            mime="text/csv",
            key="playground_csv",
            icon=":material/download:",
            on_click="ignore",
        )
    st.caption(f"{result['tokens']:,} tokens in {result['seconds']:.2f} s on {plain(result['model'])}.")


draw()
