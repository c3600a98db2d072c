"""Hugging Face prompt-templates: YAML with the key ``prompt`` over ``template``, ``template_variables``, ``metadata``.

The library's default reader fills in Jinja with ``trim_blocks`` and ``lstrip_blocks``, which plain variables do not
meet. Source: the standard in the documents of ``prompt-templates`` 0.0.16. The way in is
:mod:`fedprompt.exports.texts.hf_templates_reading`.
"""

import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from fedprompt.exports.document_text import yaml_text
from fedprompt.exports.documents import (
    KEY,
    carried,
    dropped_demonstrations,
    fields_of,
    file_of,
    peek,
    read_documents,
    refuse_soft,
    write_documents,
)
from fedprompt.exports.protocol import ExportContext, Exported, ImportContext, Imported, Refusal, Snippet
from fedprompt.exports.syntax import Variable, jinja, parts_of
from fedprompt.exports.texts.hf_templates_reading import READ_SUFFIXES, is_templates_json, read_templates

__all__ = ["HFTemplates"]

TITLE = "Hugging Face prompt-templates YAML"
SUFFIXES = (".yaml", ".yml")
_PROMPT = re.compile(rb"(?:\A|\xef\xbb\xbf|[\r\n])[\"']?prompt[\"']?[ ]*:[ \t]*(?:[#{][^\r\n]*)?[\r\n]")


class HFTemplates:
    """Holds templates."""

    name = "hf-templates"
    title = TITLE
    description = "A template as the YAML file that the Hub's prompt-templates library shares."
    suffix = ".yaml"
    many = True
    needs_model = False

    def drops(self, item: Exported) -> tuple[str, ...]:
        """Return what is lost: demonstrations."""
        return dropped_demonstrations(item)

    def refuses(self, item: Exported) -> Refusal | None:
        """Return why it cannot hold a prompt, or None if it can."""
        return refuse_soft(item, "the format")

    def use(self, items: Sequence[Exported], name: str) -> Snippet:
        """Return lines that fill in the first prompt."""
        kind = "Text" if items[0].prompt.template.messages is None else "Chat"
        fields = ", ".join(f'{field}="..."' for field in fields_of(items[0]))
        code = _CODE.format(kind=kind, file=file_of(items, name, SUFFIXES[0]), fields=fields)
        return Snippet("python", code, _NOTE)

    def write(self, items: Sequence[Exported], destination: Path, context: ExportContext) -> Path:
        """Write one ``.yaml`` file, or a folder or zip with one a prompt and the model card.

        Raises:
            ExportError: a prompt is refused, or the destination cannot be written.
        """
        return write_documents(
            items,
            destination,
            context,
            title=TITLE,
            suffixes=SUFFIXES,
            use=self.use,
            refuses=self.refuses,
            text=lambda some: yaml_text(_body(some[0], context)),
        )

    def recognises(self, path: Path, names: frozenset[str]) -> bool:
        """Return whether it is a YAML or JSON file with the key ``prompt``, or holds such YAML files only."""
        if path.suffix.lower() in SUFFIXES and not path.is_dir():
            return _PROMPT.search(peek(path)) is not None
        if path.suffix.lower() == ".json" and not path.is_dir():
            return is_templates_json(peek(path))
        files = names - {"README.md"}
        return bool(files) and all(name.endswith(SUFFIXES) for name in files) and "promptfooconfig.yaml" not in files

    def read(self, path: Path, context: ImportContext) -> tuple[Imported, ...]:
        """Read prompts back, ours or another tool's with plain variables.

        Raises:
            ExportError: not such YAML or JSON, or a template that is a program.
        """
        return tuple(found for one in read_documents(path, READ_SUFFIXES) for found in read_templates(one))


def _body(item: Exported, context: ExportContext) -> dict[str, Any]:
    template = item.prompt.template
    body: Any = jinja(parts_of(template.text or ""))
    if template.messages is not None:
        body = [{"role": one.role, "content": jinja(parts_of(one.content))} for one in template.messages]
    sources = [template.text or ""] if template.messages is None else [one.content for one in template.messages]
    names = dict.fromkeys(part.name for s in sources for part in parts_of(s) if isinstance(part, Variable))
    decoding = item.reading.decoding
    prompt: dict[str, Any] = {
        "template": body,
        "template_variables": list(names),
        "metadata": {"name": item.name, KEY: carried(item, context)},
    }
    if not item.reading.words:
        prompt["client_parameters"] = {"temperature": 0, "max_tokens": decoding["max_tokens"]}
    return {"prompt": prompt}


_CODE = """
from prompt_templates import {kind}PromptTemplate

prompt = {kind}PromptTemplate.load_from_local("{file}")
print(prompt.populate({fields}))
"""
_NOTE = "`metadata.fedprompt.reading` in the file holds the label words and how to read the answer."
