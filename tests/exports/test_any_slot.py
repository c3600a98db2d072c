"""Plain transformers, with the README's own lines, computes what fedprompt computes."""

import contextlib
import io
import json
import re
from ast import literal_eval
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from fedprompt.errors import ExportError, ModelMismatch
from fedprompt.exports.protocol import ExportContext, Exported, ImportContext
from fedprompt.exports.registry import format_of
from fedprompt.exports.vectors.any_slot import AnySlot
from fedprompt.models.hf.digest import model_digest
from fedprompt.models.hf.model import HFModel
from fedprompt.models.protocols import ChoiceQuery, RunSettings
from fedprompt.prompts.template import Demonstrations, Message
from tests.coded import coded

pytestmark = pytest.mark.whole

Make = Callable[..., Exported]
TEXTS = ("a good film", "too long <fp-0> <fp-1></s>", "naïve {text} 🙂")


def _context(folder: Path) -> ExportContext:
    return ExportContext(folder, "tiny", model_digest(folder))


def _ours(folder: Path, item: Exported, text: str) -> dict[str, float]:
    """Return the label probabilities that fedprompt computes."""
    model = HFModel.load(folder, name="tiny", settings=RunSettings("float32", 1))
    words = item.reading.words
    query = ChoiceQuery(item.prompt.template.render({"text": text}), tuple(words.values()), item.prompt.soft)
    (sums,) = model.choices([query]).loglikelihoods
    shares = np.exp(sums - sums.max())
    return dict(zip(words, (shares / shares.sum()).tolist(), strict=True))


def _lines(path: Path) -> str:
    (code,) = re.findall(r"```python\n(.*?)```", (path / "README.md").read_text(encoding="utf-8"), re.S)
    return str(code)


def _run_lines(path: Path, text: str) -> str:
    """Run the README's lines on one text, its folder and case filled in as it says, and return what they
    print.
    """
    code = _lines(path)
    given = 'folder, case = ".", {"text": "..."}\n'
    assert given in code
    printed = io.StringIO()
    with contextlib.redirect_stdout(printed):
        exec(code.replace(given, f"folder, case = {str(path)!r}, {{'text': {text!r}}}\n"), {})
    return printed.getvalue()


@pytest.mark.parametrize(
    ("template", "kind"),
    [
        ("Review: {text}{soft}\nSentiment:", {}),
        ("{soft}{text}:", {"bos": True}),
        ("{text} so{soft}", {"tied": False}),
        ("Review: {text}{soft}\nSentiment:", {"padded": 5, "bos": True}),
    ],
)
def test_the_readmes_lines_give_fedprompts_probabilities(
    exported: Make, tiny_model: Callable[..., Path], tmp_path: Path, template: str, kind: dict[str, Any]
) -> None:
    folder = tiny_model(tmp_path / "model", **kind)
    context = _context(folder)
    item = exported(template, context.model_digest)
    path = AnySlot().write([item], tmp_path / "out", context)
    for text in TEXTS:
        found, wanted = literal_eval(_run_lines(path, text)), _ours(folder, item, text)
        assert found == pytest.approx(wanted, abs=1e-4)
    assert abs(wanted["positive"] - 0.5) > 1e-3


def test_the_readmes_lines_tell_words_apart_that_begin_one_another(
    exported: Make, tiny_model: Callable[..., Path], tmp_path: Path
) -> None:
    folder = tiny_model(tmp_path / "model")
    context = _context(folder)
    words = {"off": " time off", "status": " time off status", "new": " time off status, new", "no": " no"}
    item = exported("Review: {text}{soft}\nIntent:", context.model_digest, words=words)
    path = AnySlot().write([item], tmp_path / "out", context)
    for text in TEXTS:
        found = literal_eval(_run_lines(path, text))
        assert found == pytest.approx(_ours(folder, item, text), abs=1e-4) and sum(found.values()) == pytest.approx(1)


def test_the_lines_are_few_and_import_no_fedprompt(exported: Make, tiny_context: ExportContext, tmp_path: Path) -> None:
    path = AnySlot().write([exported("{text}{soft}:", tiny_context.model_digest)], tmp_path / "out", tiny_context)
    lines = _lines(path).splitlines()
    assert len(lines) <= 10
    assert "fedprompt" not in _lines(path)


def test_the_tokens_stand_for_the_vectors_and_the_own_vocabulary_is_unmoved(
    exported: Make, tiny: Path, tiny_context: ExportContext, tmp_path: Path
) -> None:
    import torch
    from transformers import AutoModelForCausalLM, AutoTokenizer

    item = exported("{text}{soft}:", tiny_context.model_digest)
    path = AnySlot().write([item], tmp_path / "out", tiny_context)
    before = AutoModelForCausalLM.from_pretrained(tiny, dtype=torch.float32)
    after = AutoModelForCausalLM.from_pretrained(path, dtype=torch.float32)
    tokenizer = AutoTokenizer.from_pretrained(path)
    own = before.config.vocab_size
    ids = tokenizer("a good<fp-0><fp-1><fp-2> film", return_tensors="pt").input_ids
    at = int((ids[0] == own).nonzero()[0])
    assert ids[0, at : at + 3].tolist() == [own, own + 1, own + 2]
    assert item.prompt.soft is not None
    with torch.no_grad():
        embedded = before.get_input_embeddings()(ids.clamp(max=own - 1))
        embedded[0, at : at + 3] = torch.from_numpy(item.prompt.soft.vectors.copy())
        wanted = before(inputs_embeds=embedded).logits
        found = after(ids).logits
    assert torch.allclose(found[..., :own], wanted, atol=1e-4)


def test_added_tokens_are_never_generated_though_the_embeddings_were_tied(
    exported: Make, tiny_context: ExportContext, tmp_path: Path
) -> None:
    import torch
    from transformers import AutoModelForCausalLM

    item = exported("{text}{soft}:", tiny_context.model_digest)
    path = AnySlot().write([item], tmp_path / "out", tiny_context)
    model = AutoModelForCausalLM.from_pretrained(path, dtype=torch.float32)
    own = json.loads((path / "prompt.json").read_text())["vocabulary"]
    assert model.get_output_embeddings().weight.data_ptr() != model.get_input_embeddings().weight.data_ptr()
    ids = torch.arange(2, 42).reshape(8, 5)
    with torch.no_grad():
        logits = model(ids).logits
    # The mean of the other logits: never above the highest, never more likely than one over the vocabulary.
    assert torch.allclose(logits[..., own:], logits[..., :own].mean(-1, keepdim=True), atol=1e-4)
    assert float(logits.softmax(-1)[..., own:].max()) <= 1 / own
    with torch.random.fork_rng():
        torch.manual_seed(0)
        mask = torch.ones_like(ids)
        for sampled in (False, True):
            kwargs = {"do_sample": sampled, **({"temperature": 100.0} if sampled else {})}
            written = model.generate(ids, attention_mask=mask, max_new_tokens=40, pad_token_id=1, **kwargs)
            assert int(written.max()) < own


def test_marks_typed_by_a_user_stay_text_and_decoding_leaves_the_tokens_out(
    exported: Make, tiny_context: ExportContext, tmp_path: Path
) -> None:
    from transformers import AutoTokenizer

    item = exported("{text}{soft}:", tiny_context.model_digest)
    path = AnySlot().write([item], tmp_path / "out", tiny_context)
    tokenizer = AutoTokenizer.from_pretrained(path)
    own = json.loads((path / "prompt.json").read_text())["vocabulary"]
    typed = tokenizer("<fp-0> so", add_special_tokens=False, split_special_tokens=True).input_ids
    assert max(typed) < own
    assert tokenizer.decode(typed) == "<fp-0> so"
    assert tokenizer.decode([own, own + 1, *typed], skip_special_tokens=True) == "<fp-0> so"


def test_free_text_answers_get_lines_that_generate(exported: Make, tiny_context: ExportContext, tmp_path: Path) -> None:
    item = exported("{text}{soft}:", tiny_context.model_digest, words=None)
    path = AnySlot().write([item], tmp_path / "out", tiny_context)
    assert "<fp-" not in _run_lines(path, "a good film")
    assert "greedily" in (path / "README.md").read_text()


def test_the_folder_brings_back_the_same_prompt(exported: Make, tiny_context: ExportContext, tmp_path: Path) -> None:
    item = exported("Review: {text}{soft}\nSo:", tiny_context.model_digest, name="tuned")
    path = AnySlot().write([item], tmp_path / "out", tiny_context)
    assert format_of(path).name == "any-slot"
    (found,) = AnySlot().read(path, ImportContext())
    assert found.prompt == item.prompt
    assert found.prompt.id == item.prompt.id


def test_a_zip_holds_the_same_files_and_no_file_names_a_path(
    exported: Make, tiny_context: ExportContext, tmp_path: Path
) -> None:
    import zipfile

    item = exported("{text}{soft}:", tiny_context.model_digest)
    folder = AnySlot().write([item], tmp_path / "out", tiny_context)
    packed = AnySlot().write([item], tmp_path / "out.zip", tiny_context)
    files = {path.name: path.read_bytes() for path in folder.iterdir()}
    with zipfile.ZipFile(packed) as opened:
        assert {name: opened.read(name) for name in opened.namelist()} == files
    assert all(b"private-place" not in content for content in files.values())
    assert "accuracy 0.850" in files["README.md"].decode()


def test_another_model_a_missing_one_and_too_many_prompts_are_refused(
    exported: Make, tiny_context: ExportContext, nowhere: ExportContext, tmp_path: Path
) -> None:
    item = exported("{text}{soft}:", tiny_context.model_digest)
    with pytest.raises(ExportError, check=coded("model-not-here")):
        AnySlot().write([item], tmp_path / "out", nowhere)
    with pytest.raises(ModelMismatch, check=coded("another-revision")):
        AnySlot().write([exported("{text}{soft}:", "sha256:other")], tmp_path / "out", tiny_context)
    with pytest.raises(ExportError, check=coded("one-prompt-only")):
        AnySlot().write([item, exported("{soft}:", "x")], tmp_path / "out", tiny_context)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("arguments", "reason", "instead"),
    [
        ({"text": "{text}", "model": None}, "no soft prompt", "langchain"),
        ({"text": None, "messages": (Message("user", "{soft}{text}"),)}, "chat message", "bundle"),
        ({"text": "{demonstrations}{soft}", "demonstrations": Demonstrations(1)}, "demonstrations", "bundle"),
    ],
)
def test_what_a_model_folder_cannot_hold_is_refused(
    exported: Make, arguments: dict[str, object], reason: str, instead: str
) -> None:
    refusal = AnySlot().refuses(exported(**{"model": "m", **arguments}))
    assert refusal is not None
    assert reason in refusal.reason
    assert refusal.instead == instead


def test_an_export_is_not_widened_again(exported: Make, tiny_context: ExportContext, tmp_path: Path) -> None:
    path = AnySlot().write([exported("{soft}:", tiny_context.model_digest)], tmp_path / "out", tiny_context)
    context = _context(path)
    with pytest.raises(ExportError, check=coded("model-is-an-export")):
        AnySlot().write([exported("{soft}:", context.model_digest)], tmp_path / "again", context)


@pytest.mark.parametrize("tokens", [[], [-1], ["0"], [True], [10**9], [0] * 513])
def test_a_prompt_file_with_false_token_ids_is_refused(
    exported: Make, tiny_context: ExportContext, tmp_path: Path, tokens: list[object]
) -> None:
    path = AnySlot().write([exported("{soft}:", tiny_context.model_digest)], tmp_path / "out", tiny_context)
    body = json.loads((path / "prompt.json").read_text())
    (path / "prompt.json").write_text(json.dumps({**body, "slot_tokens": tokens}))
    with pytest.raises(ExportError):
        AnySlot().read(path, ImportContext())
