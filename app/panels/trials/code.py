"""The code that runs a variant elsewhere: LangChain, Python, curl, and the prompt as it is served."""

from collections.abc import Sequence

import streamlit as st

from app.display.named import named
from app.display.plain import plain, sentence
from app.drafts import settle
from app.panels.variants.slots import letter
from app.session import workspace
from fedprompt.errors import FedPromptError
from fedprompt.workspace.answers.variants import Variant
from fedprompt.workspace.playground.code_of import code_of, reference_of

__all__ = ["draw_code"]


def draw_code(given: Sequence[Variant | None]) -> None:
    """Draw the choice of a variant and a language, and the code; a variant that is wrong just now is None."""
    by_letter = {letter(place): one for place, one in enumerate(given) if one is not None}
    if not by_letter:
        st.caption("Correct the prompt first.")
        return
    chosen = next(iter(by_letter))
    if len(by_letter) > 1:
        settle("playground_code_of", list(by_letter), chosen)
        chosen = str(
            st.segmented_control(
                "Variant",
                list(by_letter),
                format_func=lambda one: one if by_letter[one].name == one else plain(f"{one} · {by_letter[one].name}"),
                key="playground_code_of",
                required=True,
            )
        )
    ws, variant = workspace(), by_letter[chosen]
    try:
        codes, reference = code_of(ws, variant), reference_of(ws, variant)
    except FedPromptError as error:
        named("playground_no_code").caption(plain(sentence(str(error))))
        return
    settle("playground_code_as", list(codes), next(iter(codes)))
    way = str(st.segmented_control("Language", list(codes), key="playground_code_as", required=True))
    st.code(codes[way], language="bash" if way == "curl" else "python", wrap_lines=True)
    if reference in codes[way] and not _is_saved(reference):
        named("playground_code_unsaved").caption(
            ":material/info: Save the variant as a template below; until then this id does not exist."
        )


def _is_saved(reference: str) -> bool:
    try:
        bank = workspace().bank
        return bool((bank.adapted_row if bank.is_adapted(reference) else bank.prompt_row)(reference).id)
    except FedPromptError:
        return False
