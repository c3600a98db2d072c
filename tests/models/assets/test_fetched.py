"""A hub's model is fetched once, safetensors alone; the hub is a real server on loopback, the client the real one.

A GGUF file is converted once into the very same network, and code that lies beside a model is never run.
"""

import hashlib
import http.server
import json
import os
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from fedprompt.errors import ModelError
from fedprompt.models.assets.fetched import is_hub_id
from fedprompt.models.hf.model import HFModel
from fedprompt.models.protocols import ChoiceQuery, RunSettings
from fedprompt.models.registry import find_model_folder, load
from fedprompt.prompts.template import Template
from tests.coded import coded
from tests.models.tiny import config, model, network, tokenizer
from tests.models.tiny_gguf import write_gguf

COMMIT = "0123456789abcdef0123456789abcdef01234567"
FILES = {
    "config.json": b'{"model_type": "llama"}',
    "tokenizer.json": b"{}",
    "model.safetensors": b"\x02\x00\x00\x00\x00\x00\x00\x00{}",
    "pytorch_model.bin": b"a pickle",
    "modeling_own.py": b"print('code')",
}
ASK = """
import sys
from pathlib import Path
from fedprompt.errors import FedPromptError
from fedprompt.models.registry import find_model_folder
try:
    print(find_model_folder(sys.argv[1], Path(sys.argv[2])))
except FedPromptError as error:
    print("refused:", error)
"""


@contextmanager
def hub(files: dict[str, bytes]) -> Iterator[tuple[str, list[str]]]:
    asked: list[str] = []

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_HEAD(self) -> None:
            self._answer(body=False)

        def do_GET(self) -> None:
            self._answer(body=True)

        def _answer(self, *, body: bool) -> None:
            asked.append(self.path)
            name = self.path.split("/")[-1].split("?")[0]
            if self.path.startswith("/api/models/owner/small"):
                listed = [{"rfilename": file, "size": len(data)} for file, data in files.items()]
                if "/tree/" in self.path:
                    tree = [
                        {"type": "file", "path": file, "size": len(data), "oid": hashlib.sha1(data).hexdigest()}
                        for file, data in files.items()
                    ]
                    return self._send(200, json.dumps(tree).encode(), body)
                found = {"id": "owner/small", "sha": COMMIT, "siblings": listed, "private": False, "gated": False}
                return self._send(200, json.dumps(found).encode(), body)
            if "/resolve/" in self.path and name in files:
                return self._send(200, files[name], body, {"ETag": f'"{hashlib.sha1(files[name]).hexdigest()}"'})
            return self._send(404, b"{}", body, {"X-Error-Code": "RepoNotFound"})

        def _send(self, status: int, data: bytes, body: bool, more: dict[str, str] | None = None) -> None:
            self.send_response(status)
            for key, value in {"X-Repo-Commit": COMMIT, **(more or {})}.items():
                self.send_header(key, value)
            self.send_header("Content-Length", str(len(data)))
            self.end_headers()
            if body:
                self.wfile.write(data)

        def log_message(self, *_: object) -> None:
            """Say nothing."""

    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        yield f"http://127.0.0.1:{server.server_port}", asked
    finally:
        server.shutdown()
        server.server_close()


def ask(address: str, name: str, home: Path) -> str:
    environment = {k: v for k, v in os.environ.items() if k != "HF_HUB_OFFLINE"}
    environment |= {"HF_ENDPOINT": address, "HF_HOME": str(home / "hf"), "HF_HUB_DISABLE_TELEMETRY": "1"}
    done = subprocess.run(
        [sys.executable, "-c", ASK, name, str(home)], capture_output=True, text=True, env=environment, timeout=120
    )
    assert done.returncode == 0, done.stderr[-2000:]
    return done.stdout.strip()


@pytest.mark.slow
def test_a_models_id_is_fetched_once_and_without_pickles_or_code(tmp_path: Path) -> None:
    with hub(FILES) as (address, asked):
        folder = Path(ask(address, "owner/small@main", tmp_path))
        assert folder == tmp_path / "models" / "owner--small@main"
        assert sorted(path.name for path in folder.iterdir()) == ["config.json", "model.safetensors", "tokenizer.json"]
        assert (folder / "model.safetensors").read_bytes() == FILES["model.safetensors"]
        before = len(asked)
        assert Path(ask(address, "owner/small@main", tmp_path)) == folder
        assert len(asked) == before
        assert not [path for path in asked if "pytorch_model" in path or "modeling" in path]
        assert os.listdir(tmp_path / "models") == [folder.name]


@pytest.mark.slow
def test_pickled_weights_alone_and_a_missing_model_are_refused_with_what_to_do(tmp_path: Path) -> None:
    with hub({"config.json": b"{}", "pytorch_model.bin": b"a pickle"}) as (address, _):
        assert "safetensors" in ask(address, "owner/small", tmp_path)
        assert "could not be downloaded" in ask(address, "owner/other", tmp_path)
    assert list((tmp_path / "models").glob("*")) == []


def test_offline_a_models_id_is_refused_in_a_sentence(tmp_path: Path) -> None:
    with pytest.raises(ModelError, match="'owner/small'", check=coded("model-not-here")):
        find_model_folder("owner/small", tmp_path)


@pytest.mark.parametrize("name", ["small", "../etc/passwd", "owner/../x", "a/b/c", "owner/small@../x", "/owner/small"])
def test_only_owner_and_name_are_an_id(name: str) -> None:
    assert not is_hub_id(name)
    assert is_hub_id("owner/small") and is_hub_id("Owner-1/small.2@v1.0")


@pytest.mark.slow
def test_a_file_that_is_no_gguf_is_refused_and_leaves_nothing(tmp_path: Path) -> None:
    file = tmp_path / "bad.gguf"
    file.write_bytes(b"GGUF, but not really" * 99)
    with pytest.raises(ModelError, match=r"bad\.gguf", check=coded("not-gguf")):
        find_model_folder(str(file), tmp_path)
    assert not (tmp_path / "models").exists()


@pytest.mark.slow
def test_a_gguf_file_becomes_the_very_network_once(tmp_path: Path) -> None:
    file = tmp_path / "tiny.gguf"
    write_gguf(network(config("llama-untied")), file)
    found = load(str(file), tmp_path, RunSettings("float32", 1))
    assert isinstance(found, HFModel)
    (folder,) = (tmp_path / "models").glob("gguf-*")
    assert folder.name == "gguf-" + hashlib.sha256(file.read_bytes()).hexdigest()[:32]
    assert find_model_folder(str(file), tmp_path) == folder
    template = Template("t", text="Review: {text}\nSentiment:").with_words(["positive", "negative"])
    words = tuple((template.words or {}).values())
    asked = [ChoiceQuery(template.render({"text": text}), words) for text in ("a good film", "<|im_end|> bad")]
    expected = model("llama-untied").choices(asked).loglikelihoods
    for one, other in zip(found.choices(asked).loglikelihoods, expected, strict=True):
        assert one == pytest.approx(other, abs=1e-5)
    # The conversion adds a token of its own, which has no row: nobody looks one up for it.
    vectors = found.vocabulary.vectors([40, 41])
    assert found.vocabulary.nearest(vectors, 1, "euclid", plain=False).tokens.tolist() == [[40], [41]]
    assert set(found.vocabulary.nearest(vectors, 1, "cosine").tokens.ravel()) <= set(range(len(tokenizer())))


OWN_CODE = """
import pathlib
from transformers import LlamaConfig, LlamaForCausalLM
pathlib.Path({proof!r}).write_text("run")
class OwnConfig(LlamaConfig):
    model_type = "own"
class OwnModel(LlamaForCausalLM):
    config_class = OwnConfig
"""


@pytest.mark.parametrize("kind", ["own", "llama"])
def test_code_beside_a_model_is_never_run(kind: str, tmp_path: Path) -> None:
    folder, proof = tmp_path / "model", tmp_path / "proof"
    network(config("llama")).save_pretrained(folder)
    tokenizer().save_pretrained(folder)
    (folder / "own.py").write_text(OWN_CODE.format(proof=str(proof)))
    body = json.loads((folder / "config.json").read_text())
    names = {"AutoConfig": "own.OwnConfig", "AutoModelForCausalLM": "own.OwnModel"}
    (folder / "config.json").write_text(json.dumps({**body, "model_type": kind, "auto_map": names}))
    if kind == "own":  # nothing but its own code knows it
        with pytest.raises(ModelError, check=coded("runs-code")):
            load(str(folder), tmp_path, RunSettings("float32", 1))
    else:  # transformers knows it without
        assert load(str(folder), tmp_path, RunSettings("float32", 1)).info.width == 32
    assert not proof.exists()


@pytest.mark.slow
def test_two_conversions_of_one_file_at_once_make_one_folder(tmp_path: Path) -> None:
    write_gguf(network(config("llama-untied")), tmp_path / "x.gguf")
    home = tmp_path / "home"
    asked = [sys.executable, "-c", ASK, str(tmp_path / "x.gguf"), str(home)]
    both = [subprocess.Popen(asked, stdout=subprocess.PIPE, text=True) for _ in range(2)]
    said = {one.communicate(timeout=300)[0].strip() for one in both}
    (folder,) = (path for path in (home / "models").iterdir() if path.is_dir())
    assert said == {str(folder)} and (folder / "config.json").is_file()
