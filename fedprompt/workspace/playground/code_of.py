"""A variant as code for programs: LangChain, Python with the bank, a served prompt, a request to its chat server.

Invariant: the code holds the variant, with its constants and its examples written out, and a placeholder for each
field. It never holds a text that was tried, and no key.
"""

import json
import shlex
from collections.abc import Mapping
from typing import Any

from fedprompt.models.chat.config import chat_settings, is_chat, read_machine
from fedprompt.prompts.prompt import Prompt
from fedprompt.prompts.template import Template
from fedprompt.prompts.tools import openai_tools
from fedprompt.workspace.answers.tuned_part import tuned_part
from fedprompt.workspace.answers.variants import Variant
from fedprompt.workspace.workspace import Workspace

__all__ = ["code_of", "reference_of"]

ADDRESS = "http://127.0.0.1:8600/v1"  # where ``fedprompt serve`` listens
SHORT = 15  # characters of an id that tell prompts apart


def reference_of(ws: Workspace, variant: Variant) -> str:
    """Return the beginning of the id that a variant has in the bank, or will have once it is saved there.

    Raises:
        PromptError: it is not well formed.
        BankError: its soft prompt is not in the bank.
    """
    if variant.adapted is not None:
        return variant.adapted[:SHORT]
    template = variant.made()
    return Prompt(template, tuned_part(ws, template, variant.soft)).id[:SHORT]


def code_of(ws: Workspace, variant: Variant) -> dict[str, str]:
    """Return language -> code of a variant.

    Raises:
        PromptError: it is not well formed.
        BankError: its soft prompt is not in the bank.
        ModelError: its chat server is not set up here.
    """
    template = variant.made()
    case = {name: f"the {name} of a case" for name in template.variables} or {"text": "a case"}
    reference = reference_of(ws, variant)
    found = {}
    if variant.server is not None or is_chat(variant.model):
        found["curl"] = _server(ws, variant, template, case)
    else:
        found |= {"Python": _python(reference, case), "curl": _served(reference, case)}
    if not template.has_soft and variant.adapted is None:
        found["LangChain"] = _langchain(template, case)
    return found


def _python(reference: str, case: Mapping[str, str]) -> str:
    given = ", ".join(f"{name}={value!r}" for name, value in case.items())
    return (
        "import fedprompt\n\n"
        "bank = fedprompt.open()\n"
        f"prompt = bank.get({reference!r})\n"
        f"answer = prompt.run({given})\n"
        "print(answer.text, answer.probabilities)\n"
    )


def _served(reference: str, case: Mapping[str, str]) -> str:
    content = next(iter(case.values())) if len(case) == 1 else json.dumps(dict(case), ensure_ascii=False)
    body = {"model": reference, "messages": [{"role": "user", "content": content}]}
    return f"# In another terminal: fedprompt serve {reference}\n" + _curl(ADDRESS, "FEDPROMPT_TOKEN", body)


def _server(ws: Workspace, variant: Variant, template: Template, case: Mapping[str, str]) -> str:
    if variant.server is not None:
        base, model = variant.server.base_url, variant.server.model
    else:
        settings = chat_settings(variant.model, read_machine(ws.home.path))
        base, model = settings.base_url or "https://api.openai.com/v1", settings.model
    rendered = template.render({name: case[name] for name in template.variables})
    messages = [
        {"role": turn.role or "user", "content": "".join(str(piece) for piece in turn.pieces)}
        for turn in rendered.turns
    ]
    body: dict[str, Any] = {"model": model.partition(":")[2], "messages": messages}
    if template.tools:
        body["tools"] = openai_tools(template.tools)
    if variant.generate:
        body |= {"max_tokens": variant.max_tokens, "temperature": variant.temperature}
        if variant.temperature:
            body |= {"top_p": variant.top_p, "seed": variant.seed}
        if variant.stop:
            body["stop"] = list(variant.stop)
    return _curl(base, "API_KEY", body)


def _curl(base: str, key: str, body: Mapping[str, Any]) -> str:
    return (
        f"curl {shlex.quote(base.rstrip('/') + '/chat/completions')} \\\n"
        f'  -H "Authorization: Bearer ${key}" -H "Content-Type: application/json" \\\n'
        f"  -d {shlex.quote(json.dumps(body, ensure_ascii=False))}\n"
    )


def _langchain(template: Template, case: Mapping[str, str]) -> str:
    given = json.dumps({name: case[name] for name in template.variables}, ensure_ascii=False)
    if template.messages is None:
        return (
            "from langchain_core.prompts import PromptTemplate\n\n"
            f"prompt = PromptTemplate.from_template({template.text!r})\n"
            f"print(prompt.invoke({given}).to_string())\n"
        )
    lines = "".join(f"    ({message.role!r}, {message.content!r}),\n" for message in template.messages)
    return (
        "from langchain_core.prompts import ChatPromptTemplate\n\n"
        f"prompt = ChatPromptTemplate.from_messages([\n{lines}])\n"
        f"print(prompt.invoke({given}).to_messages())\n"
    )
