"""The lines that each format says use it do so, as they are, on what was written; a look shows what is written."""

import contextlib
import io
import shlex
import warnings
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import yaml

from fedprompt.exports.protocol import ExportContext, Exported, Snippet
from fedprompt.exports.registry import format_named, formats
from fedprompt.prompts.template import Message
from tests.exports.test_scores import line

Make = Callable[..., Exported]
CHAT = (Message("system", "Be {{brief}}."), Message("user", "{text}"), Message("assistant", "So:"))
FILES = {"langchain": "p.json", "prompty": "p.prompty", "dotprompt": "p.prompt", "csv": "p.csv", "parquet": "p.parquet"}


def scored(item: Exported) -> Exported:
    return replace(item, lines=(line(item.prompt.id),))


def run(snippet: Snippet, folder: Path, monkeypatch: pytest.MonkeyPatch, names: dict[str, Any]) -> str:
    """Run lines of Python in a folder, with what ``names`` holds, and return what they print."""
    assert snippet.language == "python"
    monkeypatch.chdir(folder)
    printed = io.StringIO()
    with contextlib.redirect_stdout(printed), warnings.catch_warnings():
        warnings.simplefilter("ignore")
        exec(snippet.code, names)
    return printed.getvalue()


@pytest.mark.parametrize("messages", [None, CHAT], ids=["text", "chat"])
@pytest.mark.parametrize("zipped", [False, True], ids=["file", "folder"])
@pytest.mark.parametrize("name", ["langchain", "prompty", "dotprompt", "csv", "parquet"])
def test_lines_of_python_run_as_they_are_where_they_say(
    exported: Make,
    nowhere: ExportContext,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    name: str,
    zipped: bool,
    messages: tuple[Message, ...] | None,
) -> None:
    chosen, item = format_named(name), scored(exported(None if messages else "Is it {text}?", messages=messages))
    target = "taken.zip" if zipped else FILES[name]
    written = chosen.write([item], tmp_path / ("inside" if zipped else target), nowhere)
    snippet = chosen.use([item], target)
    shown = run(snippet, written if zipped else tmp_path, monkeypatch, {})
    assert ("tweets" if name in ("csv", "parquet") else "...") in shown


def test_of_several_prompts_in_one_file_the_lines_take_the_first(
    exported: Make, nowhere: ExportContext, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    chosen, items = format_named("langchain"), [exported("One {text}", name="a"), exported("Two {text}", name="b")]
    chosen.write(items, tmp_path / "p.json", nowhere)
    assert run(chosen.use(items, "p.json"), tmp_path, monkeypatch, {}) == "One ...\n"


def test_pefts_lines_put_the_soft_prompt_in_front(
    exported: Make, tiny: Path, tiny_context: ExportContext, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    chosen, item = format_named("peft"), exported("{soft}Is it {text}?", tiny_context.model_digest)
    folder = chosen.write([item], tmp_path / "peft", tiny_context)
    found: dict[str, Any] = {"BASE_MODEL": str(tiny)}
    run(chosen.use([item], "peft.zip"), folder, monkeypatch, found)
    assert found["logits"].shape[1] == found["ids"]["input_ids"].shape[1] + 3


def test_promptfoos_lines_are_for_a_configuration_that_names_every_prompt(
    exported: Make, nowhere: ExportContext, tmp_path: Path
) -> None:
    chosen, item = format_named("promptfoo"), exported()
    folder = chosen.write([item], tmp_path / "out", nowhere)
    config = yaml.safe_load((folder / "promptfooconfig.yaml").read_text("utf-8"))
    assert [item.prompt.id in prompt["label"] for prompt in config["prompts"]] == [True]
    assert "promptfoo eval" in chosen.use([item], "out.zip").code


def test_every_format_has_lines_that_hold_no_more_of_a_name_than_the_shell_takes_as_one(exported: Make) -> None:
    item = scored(exported("{soft}{text}:", "m"))
    for one in formats():
        snippet = one.use([item], "tuned-1a2b3c.zip")
        assert snippet.language in ("python", "bash")
        assert snippet.code.strip()
        if snippet.language == "python":
            compile(snippet.code, one.name, "exec")
        else:
            assert all(shlex.split(said) for said in snippet.code.strip().splitlines())
        assert snippet.markdown.startswith(f"```{snippet.language}\n")
    bundle = format_named("bundle").use([item], "tuned-1a2b3c.zip")
    assert (bundle.code, bundle.inside) == ("fedprompt import tuned-1a2b3c.zip", False)


def test_a_text_that_looks_like_the_end_of_the_lines_does_not_end_them(exported: Make) -> None:
    use = format_named("peft").use([exported("{soft}````\n{text}", "m")], "x.zip")
    assert use.markdown.startswith("`````python\n")


def test_a_look_at_a_model_folder_is_what_is_written_but_for_the_weights(
    exported: Make, tiny_context: ExportContext, tmp_path: Path
) -> None:
    chosen, item = format_named("any-slot"), exported("{text}{soft}:", tiny_context.model_digest)
    real = chosen.write([item], tmp_path / "real", tiny_context)
    look = chosen.write([item], tmp_path / "look", replace(tiny_context, weights=False))
    names = {path.name for path in real.iterdir()}
    assert {path.name for path in look.iterdir()} == names
    texts = [name for name in sorted(names) if name != "model.safetensors"]
    assert [name for name in texts if (real / name).read_bytes() != (look / name).read_bytes()] == []
    sizes = [(folder / "model.safetensors").stat().st_size for folder in (real, look)]
    assert 0 <= sizes[0] - sizes[1] < 4096  # the header of names and shapes
    assert (look / "model.safetensors").stat().st_blocks == 0
