"""Bringing prompts in: a file of any format that can be read, and what came of it in sentences."""

from pathlib import Path
from tempfile import TemporaryDirectory

import streamlit as st

from app.display.named import named
from app.display.plain import plain, sentence
from app.session import explain, workspace
from app.visitor import barred, require
from fedprompt.errors import FedPromptError
from fedprompt.file_names import file_name
from fedprompt.workspace.exchange.exporting import import_file

__all__ = ["draw_bring"]

MAX_MEGABYTES = 64
MOST_ALIKE, MOST_TOLD = 8, 20
READABLE = ("zip", "json", "yaml", "yml", "prompty", "prompt", "txt", "jsonl", "j2")
ABOUT = (
    "A fedprompt bundle, or prompts from LangChain, Langfuse, promptfoo, PEFT, vLLM, Prompty, Dotprompt, or "
    "Hugging Face prompt templates. The file stays on this machine and is checked before anything is saved."
)


def draw_bring() -> None:
    """Draw the import: a file, a button, and what came of it."""
    st.caption(ABOUT)
    closed = barred("exchange")
    file = st.file_uploader(
        "File to import",
        disabled=closed,
        type=list(READABLE),
        key="bank_file",
        max_upload_size=MAX_MEGABYTES,
        label_visibility="collapsed",
    )
    if file is None:
        return
    if st.button("Import", key="bank_import", type="primary", icon=":material/input:", disabled=closed):
        require("exchange")
        _bring(file.name, file.getvalue())


def _bring(name: str, content: bytes) -> None:
    ws = workspace()
    # A prompt without a name is called after its file.
    kept = file_name(Path(name).stem, Path(name).suffix.lower()[:12], other="upload")
    with TemporaryDirectory(dir=ws.home.path, prefix="import-") as folder:
        path = Path(folder) / kept
        path.write_bytes(content)
        try:
            found = import_file(ws, path)
        except FedPromptError as error:
            explain(type(error)(str(error).replace(str(path), name)))
            return
    names = [ws.bank.prompt_row(one).name for one in found.prompts]
    more = f" and {len(names) - 8} more" if len(names) > 8 else ""
    named("bank_came_in").success(
        plain(f"Imported {len(names)} prompt{'' if len(names) == 1 else 's'}: {', '.join(names[:8])}{more}."),
        icon=":material/check_circle:",
    )
    if found.signer is None:
        named("bank_unsigned").caption(":material/key_off: This file is not signed, so its author is unknown.")
    else:
        named("bank_signed").caption(
            f":material/key: Signed with the key `{found.signer}`. Ask the sender whether this is their key."
        )
    for id, others in list(found.alike.items())[:MOST_ALIKE]:
        told = ", ".join(ws.bank.prompt_row(one).name for one in others[:3])
        named(f"bank_came_alike_{id}").caption(
            f":material/content_copy: {plain(ws.bank.prompt_row(id).name)} has the same words or vectors as "
            f"{plain(told)}, in another order. Both are kept."
        )
    for place, dropped in enumerate(found.dropped[:MOST_TOLD]):
        named(f"bank_left_out_{place}").warning(
            plain(sentence(dropped.replace(str(path), name))), icon=":material/content_cut:"
        )
    if len(found.dropped) > MOST_TOLD:
        named("bank_left_out_more").warning(
            f"{len(found.dropped) - MOST_TOLD} more parts were left out. The command `fedprompt import` lists "
            "all of them.",
            icon=":material/content_cut:",
        )
