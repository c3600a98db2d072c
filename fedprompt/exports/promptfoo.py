"""promptfoo: ``promptfooconfig.yaml`` with the prompts, and ``provider.py``, which runs them with fedprompt.

The provider answers from the bundle beside it (``bundle/``), so soft prompts run too, on the local model; promptfoo's
own filled-in text is only what people see. Chat templates are JSON messages, variables Nunjucks. On the way in the
bundle is read where there is one, and plain variables of anyone's configuration otherwise.

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
from fedprompt.exports.documents import MAX_DOCUMENT_BYTES, parse_yaml, peek, revive, yaml_text
from fedprompt.exports.protocol import ExportContext, Exported, ImportContext, Imported, Refusal, Snippet
from fedprompt.exports.reading import reading_body
from fedprompt.exports.syntax import Part, Variable, f_string, jinja, parts_of, read_braces
from fedprompt.exports.writing import json_text, publishing, write_text
from fedprompt.prompts.template import Message, Template

__all__ = ["PROVIDER", "Promptfoo"]

FILE, SCRIPT, BUNDLE, READINGS = "promptfooconfig.yaml", "provider.py", "bundle", "readings.json"
GUARD = "{# fedprompt -#}\n"  # the dash takes the line feed away again
ROLES = ("system", "user", "assistant")
_LABEL = re.compile(r"\((p1:[0-9a-f]{32})\)\Z")
_UNSAFE = re.compile(r"[^\w .,+-]")  # outside this, a name or label might be a reference or a tag
_MODEL = re.compile(r"[\w.-]+(/[\w.-]+)?")


class Promptfoo:
    """Holds any prompt that can run on this machine's model."""

    name = "promptfoo"
    title = "promptfoo"
    description = "A promptfoo configuration and a provider that runs the prompts, soft ones too, with fedprompt."
    suffix = ".zip"
    many = True
    needs_model = False

    def drops(self, item: Exported) -> tuple[str, ...]:
        """Return nothing: the bundle beside the configuration holds all of it."""
        return ()

    def refuses(self, item: Exported) -> Refusal | None:
        """Return why promptfoo cannot run a prompt, or None if it can."""
        if item.prompt.template.demonstrations is not None:
            return Refusal("it shows demonstrations, which are a site's own and never leave it", "bundle")
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
            raise ExportError(f"{destination}: there is no prompt to write")
        for item in ordered:
            if refusal := self.refuses(item):
                raise ExportError(
                    f"prompt '{item.name}' cannot be run by promptfoo: {refusal.reason}; take {refusal.instead} instead"
                )
        if len({item.prompt.soft.model for item in ordered if item.prompt.soft is not None}) > 1:
            raise ExportError(f"{destination}: the soft prompts are for several models; write one export a model")
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
        if path.suffix.lower() in (".yaml", ".yml") and not path.is_dir():
            lines = peek(path).split(b"\n")
            return any(line.startswith(b"prompts:") for line in lines)
        return FILE in names

    def read(self, path: Path, context: ImportContext) -> tuple[Imported, ...]:
        """Read prompts from the bundle, or from a configuration alone; no script is looked at.

        Raises:
            ExportError: it is damaged or hostile, or a template is a program.
        """
        if path.suffix.lower() in (".yaml", ".yml") and not path.is_dir():
            return _foreign(parse_yaml(peek(path), str(path)), str(path), path.stem)
        with open_archive(path) as archive:
            config = parse_yaml(archive.read(FILE, MAX_DOCUMENT_BYTES), f"{path}: {FILE}")
            bundled = archive.under(BUNDLE)
            if not bundled.names:
                return _foreign(config, f"{path}: {FILE}", path.stem)
            found = read_bundle(bundled)
        raws = _raws(config, f"{path}: {FILE}")
        for one in found:
            told = [raw for label, raw in raws if (match := _LABEL.search(label)) and match[1] == one.prompt.id]
            if told != [_raw(one.prompt.template)]:
                raise ExportError(
                    f"{path}: {FILE} does not hold the prompt {one.prompt.id} as fedprompt wrote it; import the "
                    f"folder '{BUNDLE}' in it, or the {FILE} alone"
                )
        if len(raws) > len(found):
            raise ExportError(f"{path}: {FILE} holds prompts that its bundle lacks; import the {FILE} alone")
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
        raise ExportError(f"the model's name {model!r} is none that promptfoo's configuration can hold; take bundle")
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
        raise ExportError(f"{where} lists no prompts")
    found = []
    for number, one in enumerate(listed, 1):
        raw = one.get("raw") if isinstance(one, Mapping) else one
        label = one.get("label") if isinstance(one, Mapping) else None
        if not isinstance(raw, str):
            raise ExportError(f"{where}: prompt {number} has no text of its own")
        found.append((label if isinstance(label, str) else f"prompt {number}", raw))
    return found


def _foreign(config: Any, where: str, stem: str) -> tuple[Imported, ...]:
    found = []
    for number, (label, raw) in enumerate(_raws(config, where), 1):
        at = f"{where}, prompt {number}"
        if re.match(r"exec:|(file|https?|langfuse|helicone|portkey)://", raw):
            raise ExportError(f"{at} stands in another place ({raw[:60]}); import that file itself")
        dropped = [f"{where}: tests, providers and assertions were left out"] if number == 1 else []
        name = _LABEL.sub("", label).strip() or stem
        raw = raw.removeprefix(GUARD)
        try:
            value = json.loads(raw)
        except (ValueError, RecursionError):
            value = None
        if not isinstance(value, list):
            found.append(revive(None, f_string(read_braces(raw, at)), None, at, name, dropped))
            continue
        messages = []
        for one in value:
            role, content = (one.get("role"), one.get("content")) if isinstance(one, Mapping) else (None, None)
            if role not in ROLES or not isinstance(content, str):
                raise ExportError(f"{at}: a message needs a role among {', '.join(ROLES)} and a text")
            messages.append(Message(str(role), f_string(read_braces(content, at))))
        found.append(revive(None, None, tuple(messages), at, name, dropped))
    return tuple(found)


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
pip install fedprompt
fedprompt assets pull
PROMPTFOO_PYTHON=python PROMPTFOO_DISABLE_TELEMETRY=1 npx promptfoo eval
"""
_NOTE = """
Put your own cases under `tests` of `promptfooconfig.yaml`. `provider.py` answers with the prompts in `bundle/`, soft
ones too; what promptfoo shows as the prompt is only for people. `readings.json` holds the label words and how an
answer is read.
"""
