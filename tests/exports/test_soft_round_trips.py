"""Any soft prompt that a format takes comes back with every bit of its vectors, its text and its words."""

import tempfile
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from fedprompt.exports.bundle import Bundle
from fedprompt.exports.protocol import ExportContext, Exported, Format, ImportContext, Reading
from fedprompt.exports.registry import format_of
from fedprompt.exports.texts.promptfoo import Promptfoo
from fedprompt.exports.vectors.any_slot import AnySlot
from fedprompt.exports.vectors.peft import Peft
from fedprompt.exports.vectors.vllm import Vllm
from fedprompt.prompts.prompt import Prompt
from fedprompt.prompts.soft import SoftPrompt
from fedprompt.prompts.template import Template

WIDTH = 16
Make = Callable[..., Exported]
awkward = st.text(st.sampled_from("{}%#'\"\\ \n\r:-é🙂") | st.characters(exclude_categories=["Cs"]), max_size=10)
words = st.dictionaries(awkward.filter(bool), awkward.filter(bool), max_size=3).filter(
    lambda found: len(set(found.values())) == len(found)
)
vectors = hnp.arrays(np.float32, st.tuples(st.integers(1, 3), st.just(WIDTH)), elements=st.floats(-3, 3, width=32))


def _quoted(text: str) -> str:
    return text.replace("{", "{{").replace("}", "}}")


@pytest.mark.parametrize("format", [Bundle(), Peft(), Vllm(), Promptfoo()], ids=lambda format: format.name)
@settings(max_examples=8, deadline=None, suppress_health_check=list(HealthCheck))
@given(before=awkward, after=awkward, held=words, array=vectors, zipped=st.booleans())
def test_any_soft_prompt_comes_back_bit_by_bit(
    format: Format, before: str, after: str, held: dict[str, str], array: np.ndarray, zipped: bool
) -> None:
    front = "" if format.name == "peft" else _quoted(before) + "{text}"
    template = Template("x", text=f"{front}{{soft}}{_quoted(after)}", words=held)
    prompt = Prompt(template, SoftPrompt(array, "sha256:m"))
    item = Exported(prompt, "x", None, Reading(held, "how", "accuracy"))
    with tempfile.TemporaryDirectory() as folder:
        path = format.write([item], Path(folder) / ("p.zip" if zipped else "p"), ExportContext(None, "tiny", ""))
        assert format_of(path) is not None
        (found,) = format_of(path).read(path, ImportContext())
    assert found.prompt == prompt
    assert found.prompt.id == prompt.id


@settings(max_examples=3, deadline=None, suppress_health_check=list(HealthCheck))
@given(before=awkward, after=awkward, array=vectors)
def test_a_model_folder_brings_any_soft_prompt_back(
    tiny_context: ExportContext, before: str, after: str, array: np.ndarray
) -> None:
    template = Template("x", text=f"{_quoted(before)}{{soft}}{_quoted(after)}{{text}}")
    prompt = Prompt(template, SoftPrompt(array, tiny_context.model_digest))
    item = Exported(prompt, "x", None, Reading({}, "how", "accuracy"))
    assume(AnySlot().refuses(item) is None)
    with tempfile.TemporaryDirectory() as folder:
        path = AnySlot().write([item], Path(folder) / "p", tiny_context)
        (found,) = AnySlot().read(path, ImportContext())
    assert found.prompt == prompt
