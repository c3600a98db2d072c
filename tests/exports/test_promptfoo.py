"""promptfoo's configuration lists the prompts, its provider answers as fedprompt does, and both come back."""

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import yaml

from fedprompt.errors import ExportError
from fedprompt.exports.protocol import ExportContext, Exported, ImportContext
from fedprompt.exports.registry import format_of
from fedprompt.exports.texts.promptfoo import Promptfoo
from fedprompt.exports.texts.promptfoo_files import GUARD
from fedprompt.models.registry import load
from fedprompt.models.scripted import ScriptedModel
from fedprompt.prompts.template import Demonstrations, Message
from fedprompt.workspace.answers.answering import answer_case, default_answer
from tests.coded import coded

HERE = ImportContext()
Make = Callable[..., Exported]
SCRIPTED = ScriptedModel().info.digest
CHAT = (Message("system", "Be {{brief}}."), Message("user", "{text}"))
# Braces, tags, comments, quotes, backslashes and line ends that Nunjucks could take for its own.
AWKWARD = (
    "{{{{ a }}}} {text} {{% if b %}}",
    "{{# c #}} {{{text}}} }}}}",
    "\\n ' \" \\ {text}\r\n{{",
    "{text}\n",
    "{{% raw %}}{text}{{% endraw %}}",
    "\n  {text}",
    " {text}",
    "\t\n{{{{",
    "exec:./provider.py {text}",
    "file://provider.py",
    "./provider.py",
    "{text}.md",
    "*",
    "langfuse://{text}",
    "---\n{text}\n---",
)
NODE = 22  # the oldest that promptfoo 0.123 runs on


@pytest.fixture
def items(exported: Make) -> list[Exported]:
    return [
        exported("Review {{x}}: {text}\nSo:", name="plain"),
        exported(None, messages=CHAT, name="chat"),
        exported("{text}{soft}\nSo:", SCRIPTED, name="tuned", tokens=2),
    ]


@pytest.fixture
def context() -> ExportContext:
    return ExportContext(None, "scripted", SCRIPTED)


def _provider(path: Path) -> Any:
    import importlib.util

    spec = importlib.util.spec_from_file_location("provider_of_a_test", path / "provider.py")
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def _with_model(item: Exported, model: str) -> Exported:
    assert item.study is not None
    return replace(item, study=item.study.model_copy(update={"model": model}))


def _scripted_study(item: Exported) -> Exported:
    return _with_model(item, "scripted")


@pytest.mark.parametrize("name", ["pf", "pf.zip"])
def test_the_configuration_brings_back_the_same_prompts(
    items: list[Exported], context: ExportContext, tmp_path: Path, name: str
) -> None:
    path = Promptfoo().write(items, tmp_path / name, context)
    assert format_of(path).name == "promptfoo"
    found = {one.prompt.id: one.prompt for one in Promptfoo().read(path, HERE)}
    assert found == {item.prompt.id: item.prompt for item in items}


def test_the_configuration_is_promptfoos(items: list[Exported], context: ExportContext, tmp_path: Path) -> None:
    path = Promptfoo().write(items, tmp_path / "pf", context)
    config = yaml.safe_load((path / "promptfooconfig.yaml").read_text("utf-8"))
    raws = {one["label"].split(" (")[0]: one["raw"] for one in config["prompts"]}
    assert raws["plain"] == GUARD + "Review {x}: {{ text }}\nSo:"
    assert json.loads(raws["chat"])[1] == {"role": "user", "content": "{{ text }}"}
    assert raws["tuned"] == GUARD + "{{ text }}{soft}\nSo:"
    assert config["providers"][0]["id"] == "file://provider.py"
    assert [one["assert"][0]["value"] for one in config["tests"]] == ["positive", "negative"]
    assert str(tmp_path) not in (path / "promptfooconfig.yaml").read_text("utf-8")


def test_the_provider_answers_as_fedprompt_does_soft_prompts_too(
    items: list[Exported], context: ExportContext, tmp_path: Path
) -> None:
    told = [_scripted_study(item) for item in items if not item.prompt.template.is_chat]
    path = Promptfoo().write(told, tmp_path / "pf", context)
    provider = _provider(path)
    config = yaml.safe_load((path / "promptfooconfig.yaml").read_text("utf-8"))
    model = load("scripted", tmp_path)
    for item in told:
        label = f"{item.name} ({item.prompt.id})"
        given = {"vars": {"text": "a good day"}, "prompt": {"label": label}}
        answer = provider.call_api("what people see", {"config": config["providers"][0]["config"]}, given)
        wanted = answer_case(model, item.prompt, {"text": "a good day"}, default_answer(item.prompt))
        assert answer["output"] == wanted.text
        assert answer["metadata"]["probabilities"] == wanted.probabilities
    unknown = provider.call_api("", {"config": {"model": "scripted"}}, {"vars": {}, "prompt": {"label": "x"}})
    assert "names no prompt" in unknown["error"]
    missing = provider.call_api("", {"config": {"model": "scripted"}}, {"vars": {}, "prompt": {"label": label}})
    assert "the field 'text'" in missing["error"]


def test_nothing_of_a_prompt_stands_where_promptfoo_follows_references(
    exported: Make, context: ExportContext, tmp_path: Path
) -> None:
    harm = "file://harm.js"
    item = exported("exec:{text}", name=harm, words={harm: " a", "{{env.HOME}}": " b", "good": " c"})
    path = Promptfoo().write([item], tmp_path / "pf", context)
    config = yaml.safe_load((path / "promptfooconfig.yaml").read_text("utf-8"))
    (prompt,) = config["prompts"]
    assert prompt["raw"].startswith(GUARD)
    assert "\n" in GUARD
    assert prompt["label"] == f"file___harm.js ({item.prompt.id})"
    assert [one["assert"][0]["value"] for one in config["tests"]] == ["good"]
    assert harm not in (path / "promptfooconfig.yaml").read_text("utf-8")
    (found,) = Promptfoo().read(path, HERE)
    assert (found.prompt, found.prompt.name) == (item.prompt, harm)
    with pytest.raises(ExportError, check=coded("odd-model-name")):
        Promptfoo().write([_with_model(item, "{{env.HOME}}")], tmp_path / "other", context)


def test_demonstrations_and_soft_prompts_of_two_models_are_refused(
    exported: Make, context: ExportContext, tmp_path: Path
) -> None:
    shown = exported("{demonstrations}{text}:", demonstrations=Demonstrations(2))
    with pytest.raises(ExportError, match="bundle", check=coded("cannot-hold")):
        Promptfoo().write([shown], tmp_path / "pf", context)
    two = [exported("{text}{soft}", "sha256:a"), exported("{text}{soft}", "sha256:b")]
    with pytest.raises(ExportError, check=coded("several-models")):
        Promptfoo().write(two, tmp_path / "pf", context)
    assert list(tmp_path.iterdir()) == []


def test_a_text_that_was_changed_beside_its_bundle_is_refused(
    items: list[Exported], context: ExportContext, tmp_path: Path
) -> None:
    path = Promptfoo().write(items, tmp_path / "pf", context)
    config = path / "promptfooconfig.yaml"
    config.write_text(config.read_text("utf-8").replace("Review", "Opinion"))
    with pytest.raises(ExportError, check=coded("changed")):
        Promptfoo().read(path, HERE)
    shutil.rmtree(path / "bundle")
    assert len(Promptfoo().read(path, HERE)) == 3


def test_anothers_configuration_comes_in_with_plain_variables(tmp_path: Path) -> None:
    path = tmp_path / "theirs.yaml"
    body = {"prompts": ["Mood of {{text}}?", {"label": "b", "raw": '[{"role":"user","content":"{{text}}"}]'}]}
    path.write_text(yaml.safe_dump({**body, "providers": ["openai:gpt"], "tests": []}))
    assert format_of(path).name == "promptfoo"
    first, second = Promptfoo().read(path, HERE)
    assert first.prompt.template.text == "Mood of {text}?"
    assert second.prompt.template.messages == (Message("user", "{text}"),)
    assert "its providers was left out" in first.dropped[0]
    for raw, code in (
        ("file://prompt.py", "runs-code"),
        ("{{ text | upper }}", "not-plain-variable"),
        ("{% include 'x' %}", "not-plain-variable"),
        ('[{"role": "tool", "content": "x"}]', "message-role"),
    ):
        path.write_text(yaml.safe_dump({"prompts": [raw]}))
        with pytest.raises(ExportError, check=coded(code)):
            Promptfoo().read(path, HERE)


@pytest.mark.slow
def test_promptfoo_itself_runs_the_export(
    items: list[Exported], exported: Make, context: ExportContext, tmp_path: Path
) -> None:
    command = _promptfoo()
    awkward = [exported(text, name=f"awkward {number}") for number, text in enumerate(AWKWARD)]
    told = [_scripted_study(item) for item in (*items, *awkward)]
    path = Promptfoo().write(told, tmp_path / "pf", context)
    config = yaml.safe_load((path / "promptfooconfig.yaml").read_text("utf-8"))
    config["tests"] = [{"vars": {"text": "a good {{day}} day"}}]
    (path / "promptfooconfig.yaml").write_text(yaml.safe_dump(config))
    env = {
        **os.environ,
        "PROMPTFOO_PYTHON": sys.executable,
        "PROMPTFOO_DISABLE_TELEMETRY": "1",
        "PROMPTFOO_DISABLE_UPDATE": "1",
        "PROMPTFOO_CONFIG_DIR": str(tmp_path / "state"),
        "PROMPTFOO_DISABLE_REMOTE_GENERATION": "1",
        "PYTHONPATH": str(Path(__file__).parents[2]),
    }
    arguments = ["eval", "--no-cache", "--no-progress-bar", "-c", "promptfooconfig.yaml", "-o", "out.json"]
    done = subprocess.run([*command, *arguments], cwd=path, env=env, capture_output=True, text=True, timeout=500)
    assert (path / "out.json").exists(), done.stdout[-2000:] + done.stderr[-2000:]
    results = json.loads((path / "out.json").read_text("utf-8"))["results"]["results"]
    model = load("scripted", tmp_path)
    found = {one["prompt"]["label"]: one["response"].get("output") for one in results}
    for item in told:
        fields = {"text": results[0]["vars"]["text"]}
        wanted = answer_case(model, item.prompt, fields, default_answer(item.prompt))
        assert found[f"{item.name} ({item.prompt.id})"] == wanted.text
    shown = {one["prompt"]["label"].split(" (")[0]: one["prompt"]["raw"] for one in results}
    for item in told:
        if item.prompt.soft is None and not item.prompt.template.is_chat:
            assert shown[item.name] == item.prompt.template.render(fields).text()


def _promptfoo() -> list[str]:
    """Return the command; ``$FEDPROMPT_PROMPTFOO`` may name it, and npx fetches it otherwise."""
    if named := os.environ.get("FEDPROMPT_PROMPTFOO"):
        return named.split()
    if (npx := shutil.which("npx")) is None:
        pytest.skip("there is no npx to run promptfoo with; install Node.js")
    version = subprocess.run(["node", "--version"], capture_output=True, text=True, check=True).stdout
    if int(version.lstrip("v").split(".")[0]) < NODE:
        pytest.skip(f"promptfoo needs Node.js {NODE}, here is {version.strip()}")
    return [npx, "--yes", "promptfoo@0.123.1"]
