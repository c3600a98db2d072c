"""The script sends the tensors that transformers would compute with, and its answers are fedprompt's."""

import base64
import io
import json
import runpy
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from fedprompt.errors import ExportError
from fedprompt.exports.protocol import ExportContext, Exported, ImportContext
from fedprompt.exports.registry import format_of
from fedprompt.exports.vectors.vllm import Vllm
from fedprompt.models.hf.digest import model_digest
from fedprompt.models.hf.model import HFModel
from fedprompt.models.protocols import ChoiceQuery, RunSettings
from tests.coded import coded
from tests.exports.conftest import WORDS

Make = Callable[..., Exported]
TEXT = "rather <fp-0> long {text} 🙂"


@contextmanager
def serving(folder: Path) -> Iterator[tuple[str, list[dict[str, Any]]]]:
    """Serve /v1/completions as vLLM does with prompt embeddings; yield its address and what it was asked."""
    import torch
    from transformers import AutoModelForCausalLM, AutoTokenizer

    model = AutoModelForCausalLM.from_pretrained(folder, dtype=torch.float32)
    tokenizer = AutoTokenizer.from_pretrained(folder)
    asked: list[dict[str, Any]] = []

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
            asked.append(body)
            embeds = torch.load(io.BytesIO(base64.b64decode(body["prompt_embeds"])), weights_only=True)
            assert embeds.dim() == 2 and embeds.dtype == torch.float32
            text, ids = "", []
            with torch.no_grad():
                for _ in range(body["max_tokens"]):
                    every = torch.cat([embeds, model.get_input_embeddings()(torch.tensor(ids, dtype=torch.long))])
                    logs = model(inputs_embeds=every[None]).logits[0, -1].log_softmax(-1)
                    ids.append(int((body.get("allowed_token_ids") or [int(logs.argmax())])[0]))
            choice: dict[str, Any] = {"text": text or tokenizer.decode(ids)}
            if "logprobs" in body:
                choice["logprobs"] = {"token_logprobs": [float(logs[ids[-1]])]}
            reply = json.dumps({"choices": [choice]}).encode()
            self.send_response(200)
            self.send_header("Content-Length", str(len(reply)))
            self.end_headers()
            self.wfile.write(reply)

        def log_message(self, *_: object) -> None:
            """Keep quiet."""

    server = HTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}/v1", asked
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


NESTED = {"off": " time off", "status": " time off status", "new": " time off status, new", "no": " no"}


@pytest.mark.parametrize(
    ("template", "bos", "words"),
    [
        ("Review: {text}{soft}\nSentiment:", False, WORDS),
        ("{soft}{text}:", True, WORDS),
        ("{text} so{soft}", True, WORDS),
        ("Review: {text}{soft}\nIntent:", False, NESTED),
    ],
)
def test_the_scripts_answers_are_fedprompts(
    exported: Make,
    tiny_model: Callable[..., Path],
    tmp_path: Path,
    template: str,
    bos: bool,
    words: dict[str, str],
) -> None:
    folder = tiny_model(tmp_path / "model", bos=bos)
    item = exported(template, model_digest(folder), words=words)
    path = Vllm().write([item], tmp_path / "out", ExportContext(folder, "tiny", model_digest(folder)))
    script = runpy.run_path(str(path / "send.py"))
    with serving(folder) as (url, asked):
        found = script["answer"](script["Prompt"](str(folder)), url, "tiny", {"text": TEXT})
    model = HFModel.load(folder, name="tiny", settings=RunSettings("float32", 1))
    words = item.reading.words
    query = ChoiceQuery(item.prompt.template.render({"text": TEXT}), tuple(words.values()), item.prompt.soft)
    (sums,) = model.choices([query]).loglikelihoods
    shares = np.exp(sums - sums.max())
    assert found == pytest.approx(dict(zip(words, (shares / shares.sum()).tolist(), strict=True)), abs=1e-4)
    assert all(body["max_tokens"] == 1 and len(body["allowed_token_ids"]) == 1 for body in asked)


def test_the_vectors_stand_in_the_slot_between_the_texts_own_embeddings(
    exported: Make, tiny: Path, tiny_context: ExportContext, tmp_path: Path
) -> None:
    import torch
    from transformers import AutoModelForCausalLM, AutoTokenizer

    item = exported("Review: {text}{soft}\nSo:", tiny_context.model_digest)
    path = Vllm().write([item], tmp_path / "out", tiny_context)
    script = runpy.run_path(str(path / "send.py"))
    found = script["Prompt"](str(tiny)).start({"text": "a good film"})
    tokenizer = AutoTokenizer.from_pretrained(tiny)
    rows = AutoModelForCausalLM.from_pretrained(tiny, dtype=torch.float32).get_input_embeddings().weight
    ids = tokenizer("Review: a good film", add_special_tokens=False).input_ids
    assert item.prompt.soft is not None
    wanted = torch.cat([rows[ids], torch.from_numpy(item.prompt.soft.vectors.copy())])
    assert torch.equal(found, wanted)


def test_free_text_is_written_by_the_server(
    exported: Make, tiny: Path, tiny_context: ExportContext, tmp_path: Path
) -> None:
    path = Vllm().write(
        [exported("{text}{soft}:", tiny_context.model_digest, words=None)], tmp_path / "o", tiny_context
    )
    script = runpy.run_path(str(path / "send.py"))
    with serving(tiny) as (url, asked):
        written = script["answer"](script["Prompt"](str(tiny)), url, "tiny", {"text": "fine"})
    assert isinstance(written, str) and written
    assert (asked[0]["max_tokens"], asked[0]["temperature"]) == (64, 0)


@pytest.mark.parametrize("name", ["out", "out.zip"])
def test_the_export_brings_back_the_same_prompt_and_holds_no_model(
    exported: Make, tiny_context: ExportContext, tmp_path: Path, name: str
) -> None:
    item = exported("{text}{soft}:", tiny_context.model_digest, name="tuned")
    path = Vllm().write([item], tmp_path / name, tiny_context)
    assert format_of(path).name == "vllm"
    (found,) = Vllm().read(path, ImportContext())
    assert (found.prompt, found.prompt.name) == (item.prompt, "tuned")
    size = path.stat().st_size if path.is_file() else sum(one.stat().st_size for one in path.rglob("*"))
    assert size < 60_000
    again = Vllm().write([item], tmp_path / f"again-{name}", tiny_context)
    if path.is_file():
        assert again.read_bytes() == path.read_bytes()


def test_other_vectors_than_the_bundles_are_refused(
    exported: Make, tiny_context: ExportContext, tmp_path: Path
) -> None:
    from safetensors.numpy import save_file

    path = Vllm().write([exported("{text}{soft}", tiny_context.model_digest)], tmp_path / "out", tiny_context)
    save_file({"vectors": np.ones((3, 16), np.float32)}, path / "soft_prompt.safetensors")
    with pytest.raises(ExportError, check=coded("vectors-of-another")):
        Vllm().read(path, ImportContext())
