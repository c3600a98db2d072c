"""promptfoo: ``promptfooconfig.yaml`` with the prompts, and ``provider.py``, which runs them with fedprompt.

The provider answers from the bundle beside it (``bundle/``), so soft prompts run too, on the local model; promptfoo's
own filled-in text is only what people see. Chat templates are JSON messages, variables Nunjucks. On the way in the
bundle is read where there is one, and anyone's configuration otherwise (``promptfoo_reading``).

promptfoo takes a prompt of one line that looks like a path for one, and runs ``exec:`` and scripts. Invariant: every
text begins with a comment and a line feed, and nothing else of a prompt stands where promptfoo follows references.
"""

import json
import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from fedprompt.errors import ExportError
from fedprompt.exports.archive import open_archive
from fedprompt.exports.bundle import read_bundle, write_bundle
from fedprompt.exports.card import card, public_model_name
from fedprompt.exports.document_text import Document, parse_json, parse_yaml, yaml_text
from fedprompt.exports.documents import MAX_DOCUMENT_BYTES, peek, read_documents
from fedprompt.exports.protocol import ExportContext, Exported, ImportContext, Imported, Refusal, Snippet
from fedprompt.exports.reading import reading_body
from fedprompt.exports.syntax import Part, Variable, jinja, parts_of
from fedprompt.exports.texts.beside import Beside
from fedprompt.exports.texts.promptfoo_files import GUARD, PROMPT_FILES
from fedprompt.exports.texts.promptfoo_reading import read_configuration, read_prompt_file
from fedprompt.exports.writing import json_text, publishing, write_text
from fedprompt.prompts.template import Template

__all__ = ["PROVIDER", "Promptfoo"]

FILES = ("promptfooconfig.yaml", "promptfooconfig.yml", "promptfooconfig.json")
FILE, SCRIPT, BUNDLE, READINGS = FILES[0], "provider.py", "bundle", "readings.json"
_BEGINS = re.compile(rb"(?:\xef\xbb\xbf)?[\"']?prompts[\"']?\s*:")
_LABEL = re.compile(r"\((p1:[0-9a-f]{32})\)\Z")
_UNSAFE = re.compile(r"[^\w .,+-]")  # outside this, a name or label might be a reference or a tag
_MODEL = re.compile(r"[\w.-]+(/[\w.-]+)?")


class Promptfoo:
    """Holds any prompt that can run on this machine's model."""

    name = "promptfoo"
    title = "promptfoo"
    description = (
        "A promptfoo configuration and a provider that runs the prompts with fedprompt, including soft prompts."
    )
    suffix = ".zip"
    many = True
    needs_model = False

    def drops(self, item: Exported) -> tuple[str, ...]:
        """Return nothing: the bundle beside the configuration holds all of it."""
        return ()

    def refuses(self, item: Exported) -> Refusal | None:
        """Return why promptfoo cannot run a prompt, or None if it can."""
        if item.prompt.template.demonstrations is not None:
            return Refusal("it shows demonstrations of a site, which never leave the site", "bundle")
        if item.prompt.template.tools:
            return Refusal("it offers tools to the model, but the model of this export takes none", "langchain")
        return None

    def use(self, items: Sequence[Exported], name: str) -> Snippet:
        """Return lines that run the prompts over the tests."""
        return Snippet("bash", _CODE, _NOTE)

    def write(self, items: Sequence[Exported], destination: Path, context: ExportContext) -> Path:
        """Write a folder or zip.

        Raises:
            ExportError: no prompts, one that is refused, prompts of several models, or a destination that cannot be
                written.
        """
        ordered = [item for _, item in sorted({item.prompt.id: item for item in items}.items())]
        if not ordered:
            raise ExportError(f"{destination}: there is no prompt to write", code="no-prompt")
        for item in ordered:
            if refusal := self.refuses(item):
                raise ExportError(
                    f"prompt '{item.name}' cannot run in promptfoo: {refusal.reason}; use {refusal.instead} instead",
                    code="cannot-hold",
                )
        if len({item.prompt.soft.model for item in ordered if item.prompt.soft is not None}) > 1:
            raise ExportError(
                f"{destination}: the soft prompts are for several models; write one export per model",
                code="several-models",
            )
        with publishing(destination) as folder:
            (folder / BUNDLE).mkdir()
            write_bundle(folder / BUNDLE, ordered, context)
            write_text(folder / FILE, yaml_text(_config(ordered, context)))
            write_text(folder / SCRIPT, PROVIDER)
            write_text(folder / READINGS, json_text({item.prompt.id: reading_body(item.reading) for item in ordered}))
            write_text(folder / "README.md", card("Prompts for promptfoo", self.use(ordered, ""), ordered, context))
        return destination

    def recognises(self, path: Path, names: frozenset[str]) -> bool:
        """Return whether it holds ``promptfooconfig.yaml``, or is YAML with prompts and providers."""
        suffix = path.suffix.lower()
        if suffix in (".txt", ".j2", ".jsonl") and not path.is_dir():
            return True
        if suffix in (".yaml", ".yml") and not path.is_dir():
            lines = peek(path).removeprefix(b"\xef\xbb\xbf").splitlines()
            return any(_BEGINS.match(line) for line in lines)
        if suffix == ".json" and not path.is_dir():
            return _is_ours(peek(path))
        return _config_in(names) is not None

    def read(self, path: Path, context: ImportContext) -> tuple[Imported, ...]:
        """Read prompts from the bundle, or from a configuration alone; no script is looked at.

        Raises:
            ExportError: it is damaged or hostile, or a template is a program.
        """
        if path.suffix.lower() in PROMPT_FILES and not path.is_dir():
            (document,) = read_documents(path, PROMPT_FILES)
            value = _value_of(document, path)
            if isinstance(value, Mapping):
                return read_configuration(value, str(path), Beside(root=path.parent), path.stem)
            return read_prompt_file(document, path.name)
        with open_archive(path) as archive:
            file = _config_in(frozenset(archive.names)) or FILE
            document = Document(f"{path}: {file}", path.stem, archive.read(file, MAX_DOCUMENT_BYTES))
            config = _value_of(document, Path(file))
            bundled = archive.under(BUNDLE)
            if file != FILE or not bundled.names:
                base = file[: len(file) - len(Path(file).name)]
                beside = Beside(archive=archive, base=base)
                return read_configuration(config, document.where, beside, path.stem)
            found = read_bundle(bundled, adapted=True)
        raws = _raws(config, f"{path}: {FILE}")
        for one in found:
            told = [raw for label, raw in raws if (match := _LABEL.search(label)) and match[1] == one.prompt.id]
            if told != [_raw(one.prompt.template)]:
                raise ExportError(
                    f"{path}: {FILE} does not hold the prompt {one.prompt.id} as written by fedprompt; import "
                    f"the folder '{BUNDLE}' in it, or the {FILE} alone",
                    code="changed",
                )
        if len(raws) > len(found):
            raise ExportError(
                f"{path}: {FILE} holds prompts that its bundle lacks; import the {FILE} alone", code="changed"
            )
        return found


def _raw(template: Template) -> str:
    def shown(text: str) -> str:
        parts: list[Part] = [
            "{soft}" if isinstance(part, Variable) and part.name == "soft" else part for part in parts_of(text)
        ]
        return jinja(parts)

    if template.messages is None:
        text = shown(template.text or "")
        if text[:1].isspace():  # which the guard would take away too
            text = "{{ '" + text[0].replace("\n", "\\n").replace("\t", "\\t") + "' }}" + text[1:]
        return GUARD + text
    messages = [{"role": one.role, "content": shown(one.content)} for one in template.messages]
    return json.dumps(messages, ensure_ascii=False, sort_keys=True, indent=1)  # lines, as the guard has


def _config(items: Sequence[Exported], context: ExportContext) -> dict[str, Any]:
    fields = dict.fromkeys(name for item in items for name in item.prompt.template.variables)
    labels = dict.fromkeys(label for item in items for label in item.reading.words)
    blank = {"vars": dict.fromkeys(fields, "put a text of your own here")}
    tests = [{**blank, "assert": [{"type": "equals", "value": label}]} for label in labels if not _UNSAFE.search(label)]
    model = next((item.study.model for item in items if item.study is not None), context.model_name)
    model = public_model_name(model)
    if not _MODEL.fullmatch(model):
        raise ExportError(
            f"the model's name {model!r} is none that promptfoo's configuration can hold; take bundle",
            code="odd-model-name",
        )
    return {
        "description": "Written by fedprompt",
        "prompts": [
            {"label": f"{_UNSAFE.sub('_', item.name)} ({item.prompt.id})", "raw": _raw(item.prompt.template)}
            for item in items
        ],
        "providers": [{"id": f"file://{SCRIPT}", "label": "fedprompt", "config": {"model": model}}],
        "tests": tests or [blank],
    }


def _raws(config: Any, where: str) -> list[tuple[str, str]]:
    """Return (label, text) of a configuration's prompts."""
    listed = config.get("prompts") if isinstance(config, Mapping) else None
    if not isinstance(listed, list) or not listed:
        raise ExportError(f"{where} lists no prompts", code="no-prompt")
    found = []
    for number, one in enumerate(listed, 1):
        raw = one.get("raw") if isinstance(one, Mapping) else one
        label = one.get("label") if isinstance(one, Mapping) else None
        if not isinstance(raw, str):
            raise ExportError(f"{where}: prompt {number} has no text of its own", code="no-text")
        found.append((label if isinstance(label, str) else f"prompt {number}", raw))
    return found


def _config_in(names: frozenset[str]) -> str | None:
    """Return the configuration among the names of a folder or zip, the one highest up."""
    found = [name for name in names if Path(name).name in FILES]
    return min(found, key=lambda name: (name.count("/"), FILES.index(Path(name).name), name), default=None)


def _is_ours(content: bytes) -> bool:
    """Whether JSON is a configuration, or a chat as promptfoo's prompt files hold it."""
    try:
        value = json.loads(content or b"null")
    except (ValueError, RecursionError):
        return False
    if isinstance(value, Mapping):
        return "prompts" in value and "lc" not in value
    return isinstance(value, list) and bool(value) and all(isinstance(one, Mapping) and "role" in one for one in value)


def _value_of(document: Document, path: Path) -> Any:
    """Return the value of a configuration; None of a file of prompts, whose own reader tells what is wrong with it."""
    suffix = path.suffix.lower()
    if suffix == ".json":
        return parse_json(document)
    if suffix in (".yaml", ".yml") and (path.name in FILES or any(map(_BEGINS.match, document.content.splitlines()))):
        return parse_yaml(document.content, document.where, aliases=True)
    return None


PROVIDER = '''"""promptfoo's way to fedprompt: answers with the prompts in the folder 'bundle' beside this file.

Needs fedprompt and the model ('fedprompt assets pull' fetches the default one) in the Python that promptfoo runs.
"""

import re
from pathlib import Path

from fedprompt.errors import FedPromptError
from fedprompt.workspace.exported import ExportedPrompts

_opened = {}


def call_api(prompt, options, context):
    """Return the answer to one case: the likeliest label, or the text that the model writes."""
    config = options.get("config") or {}
    label = str((context.get("prompt") or {}).get("label") or "")
    found = re.search(r"p1:[0-9a-f]{32}", label)
    if found is None:
        return {"error": f"the label {label!r} names no prompt; leave the ids in promptfooconfig.yaml as they are"}
    try:
        model = str(config["model"])
        if model not in _opened:
            _opened[model] = ExportedPrompts.open(Path(__file__).parent / "bundle", model)
        fields = {name: str(value) for name, value in (context.get("vars") or {}).items()}
        answer = _opened[model].answer(found[0], fields)
    except FedPromptError as error:
        return {"error": str(error)}
    return {
        "output": answer.text,
        "tokenUsage": {"total": answer.tokens},
        "metadata": {"probabilities": answer.probabilities, "prompt": found[0]},
    }
'''


_CODE = """
# fedprompt is in no package index: 'make wheel' in its source folder builds this file; copy it here
pip install ./fedprompt-*.whl
fedprompt assets pull
PROMPTFOO_PYTHON=python PROMPTFOO_DISABLE_TELEMETRY=1 npx promptfoo eval
"""
_NOTE = """
Put your own cases under `tests` of `promptfooconfig.yaml`. `provider.py` answers with the prompts in `bundle/`, soft
ones too; what promptfoo shows as the prompt is only for people. `readings.json` holds the label words and how an
answer is read.
"""
