"""One prompt in full: text, answers, where it comes from, and what it scored."""

from collections.abc import Mapping

import streamlit as st

from app.display.plain import percent, plain
from app.display.promise import draw_promise
from app.display.titles import title
from app.panels.prompts.answers import said
from app.panels.prompts.difference import marked_html, word_differences
from fedprompt.bank.rows import PromptRow
from fedprompt.privacy.promise import Promise
from fedprompt.prompts.origins import origin_words
from fedprompt.prompts.prompt import Prompt
from fedprompt.workspace.results.views import LeaderRow

__all__ = ["draw_prompt", "text_of"]


def draw_prompt(
    prompt: Prompt,
    row: PromptRow,
    parents: Mapping[str, str],
    score: LeaderRow | None,
    promise: Promise | None = None,
) -> None:
    """Draw a prompt; ``parents`` is id -> name of what it was made from, ``promise`` what its study's noise hides."""
    with st.container(border=True):
        kind = ":green-badge[tuned]" if prompt.tuned is not None else ":gray-badge[template]"
        origin = (
            "" if title(row).startswith(origin_words(row.origin)) else f":gray-badge[{plain(origin_words(row.origin))}]"
        )
        st.markdown(f"**{plain(title(row))}** {kind} {origin}")
        grid = st.grid(2, min_column_width=330, gap="medium")
        with grid.cell():
            tokens = None if prompt.soft is None else prompt.soft.tokens
            st.html(marked_html(word_differences([text_of(prompt)])[0], first=True, tokens=tokens))
        with grid.cell():
            shots = prompt.template.demonstrations
            facts = {
                "Labels": plain(said(prompt.template.words or {})),
                "Examples": "" if shots is None else f"{shots.count} of each site's own cases",
                "From": ", ".join(plain(name) for name in list(parents.values())[:6]),
                "Adapter": ""
                if prompt.adapter is None
                else f"{prompt.adapter.size:,} numbers of rank {prompt.adapter.rank} at "
                f"{plain(', '.join(prompt.adapter.targets))}",
                "Vectors": "" if prompt.soft is None else f"{prompt.soft.tokens} of width {prompt.soft.width}",
                "Model": "" if row.model is None else f"`{row.model[:19]}`",
                "Accuracy": ""
                if score is None or score.mean is None
                else f"**{percent(score.mean)}** accuracy on validation cases",
                "Sites": ""
                if score is None
                else ", ".join(
                    f"{plain(site)} {percent(value.value)}" for site, value in score.sites.items() if value is not None
                ),
                "Created": row.created.strftime("%Y\\-%m\\-%d %H:%M UTC"),
                "Id": f"`{row.id}`",
            }
            st.table({name: value for name, value in facts.items() if value}, border="horizontal")
            draw_promise(promise, "prompt")


def text_of(prompt: Prompt) -> str:
    """Return a prompt's text, or its messages with their roles."""
    if prompt.template.messages is None:
        return prompt.template.text or ""
    return "\n".join(f"[{message.role}] {message.content}" for message in prompt.template.messages)
