"""Tools that a chat prompt offers to a model: names, descriptions and JSON schemas of their arguments.

fedprompt never runs a tool: it shows the calls that a model makes. Invariant: a schema is bounded in size and depth,
points at nothing outside itself, and does not contain itself.
"""

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from fedprompt.errors import PromptError
from fedprompt.prompts.ids import canonical_json

__all__ = ["LONGEST_TOOLS", "MOST_TOOLS", "Tool", "openai_tools", "read_tools", "tools_of"]

MOST_TOOLS = 64
LONGEST_TOOLS = 128 * 1024  # characters of JSON, all tools together
LONGEST_SCHEMA = 32 * 1024
LONGEST_NAME, LONGEST_DESCRIPTION = 64, 4_000
DEEPEST = 16
_LETTERS = frozenset("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_-")
_DYNAMIC = ("$dynamicRef", "$recursiveRef")
_KEYS = {"name", "description", "parameters"}


@dataclass(frozen=True)
class Tool:
    """One tool; ``parameters`` is the JSON schema of its arguments, an object.

    Raises:
        PromptError: the name, the description or the schema is out of its bounds; says which tool.
    """

    name: str
    description: str = ""
    parameters: Mapping[str, Any] = field(default_factory=lambda: {"type": "object", "properties": {}}, hash=False)

    def __post_init__(self) -> None:
        if not 1 <= len(self.name) <= LONGEST_NAME or not set(self.name) <= _LETTERS:
            raise PromptError(
                f"'{str(self.name)[:60]}' cannot be a tool's name; use letters, digits, '_' and '-', at most "
                f"{LONGEST_NAME}",
                code="tool-name",
            )
        if len(self.description) > LONGEST_DESCRIPTION or not _is_unicode(self.description):
            raise PromptError(
                f"the tool '{self.name}' needs a description of at most {LONGEST_DESCRIPTION:,} characters, in Unicode",
                code="tool-description",
            )
        _check_schema(self.name, self.parameters)

    def canonical(self) -> dict[str, Any]:
        """Return its JSON value."""
        return {"description": self.description, "name": self.name, "parameters": dict(self.parameters)}


def tools_of(value: Any) -> tuple[Tool, ...]:
    """Return the tools in a JSON value: a list, each as OpenAI, Anthropic or fedprompt write one.

    Raises:
        PromptError: it is no list of tools, or one is out of its bounds.
    """
    if not isinstance(value, Sequence) or isinstance(value, str):
        raise PromptError("tools are a list of JSON objects, each with a name and a schema", code="not-tools")
    if len(value) > MOST_TOOLS:
        raise PromptError(
            f"a prompt has at most {MOST_TOOLS} tools, and these are {len(value):,}", code="too-many-tools"
        )
    found = tuple(_tool(one, place) for place, one in enumerate(value, 1))
    names = [one.name for one in found]
    if twice := [name for name in names if names.count(name) > 1]:
        raise PromptError(f"two tools are named '{twice[0]}'; give each a name of its own", code="tool-twice")
    if sum(len(canonical_json(one.canonical())) for one in found) > LONGEST_TOOLS:
        raise PromptError(f"the tools have more than {LONGEST_TOOLS:,} bytes of JSON", code="tools-too-large")
    return found


def read_tools(text: str) -> tuple[Tool, ...]:
    """Return the tools in a JSON text; none if it is empty.

    Raises:
        PromptError: it is not JSON, or not tools.
    """
    if not text.strip():
        return ()
    if len(text) > LONGEST_TOOLS:
        raise PromptError(f"the tools have more than {LONGEST_TOOLS:,} characters of JSON", code="tools-too-large")
    try:
        value = json.loads(text, parse_constant=_refuse_constant)
    except (ValueError, RecursionError) as error:
        raise PromptError("the tools are not JSON; write a list of objects", code="not-json") from error
    return tools_of([value] if isinstance(value, dict) else value)


def openai_tools(tools: Sequence[Tool]) -> list[dict[str, Any]]:
    """Return tools as the chat completions protocol takes them."""
    return [
        {
            "type": "function",
            "function": {"name": one.name, "description": one.description, "parameters": dict(one.parameters)},
        }
        for one in tools
    ]


def _refuse_constant(name: str) -> float:
    raise ValueError(name)


def _tool(value: Any, place: int) -> Tool:
    if not isinstance(value, Mapping):
        raise PromptError(f"tool {place} is no JSON object with a name and a schema", code="not-tools")
    body = value
    if value.get("type") == "function" and isinstance(value.get("function"), Mapping):
        body = {key: one for key, one in value["function"].items() if key != "strict"}
    elif "input_schema" in value:
        body = {
            **{key: one for key, one in value.items() if key != "input_schema"},
            "parameters": value["input_schema"],
        }
    if stray := [key for key in body if key not in _KEYS and key != "type"]:
        raise PromptError(
            f"tool {place} has the key '{str(stray[0])[:40]}', which is not read; a tool has name, description and "
            "parameters",
            code="not-tools",
        )
    if not isinstance(body.get("name"), str) or not isinstance(body.get("description"), str | None):
        raise PromptError(f"tool {place} needs a name, and its description must be text", code="tool-name")
    given = {key: body[key] for key in _KEYS if body.get(key) is not None}
    return Tool(**given)


def _is_unicode(text: str) -> bool:
    """Return whether a text can be written as UTF-8: half of a surrogate pair cannot."""
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True


def _check_schema(name: str, schema: Any) -> None:
    if not isinstance(schema, Mapping) or schema.get("type", "object") != "object":
        raise PromptError(f"the schema of the tool '{name}' must describe an object", code="tool-schema")
    if _depth(schema) > DEEPEST:
        raise PromptError(f"the schema of the tool '{name}' is nested deeper than {DEEPEST}", code="tool-schema-deep")
    try:
        size = len(canonical_json(schema))
    except (TypeError, ValueError) as error:
        raise PromptError(f"the schema of the tool '{name}' is not JSON", code="tool-schema") from error
    if size > LONGEST_SCHEMA:
        raise PromptError(
            f"the schema of the tool '{name}' has more than {LONGEST_SCHEMA:,} bytes", code="tools-too-large"
        )
    for node in _nodes(schema):
        if any(key in node for key in _DYNAMIC):
            raise PromptError(f"the schema of the tool '{name}' refers to itself; write it out", code="tool-recursive")
    _check_references(name, schema)


def _check_references(name: str, schema: Mapping[str, Any]) -> None:
    """Refuse a reference that leads outside the schema, to nothing, or back to where it stands."""

    def follow(node: Any, open_: tuple[str, ...]) -> None:
        for one in _nodes(node):
            reference = one.get("$ref")
            if not isinstance(reference, str):
                continue
            if reference in open_ or reference == "#" or len(open_) > DEEPEST:
                raise PromptError(
                    f"the schema of the tool '{name}' is recursive at '{reference[:60]}'; write it out to the depth "
                    "that you need",
                    code="tool-recursive",
                )
            if reference not in checked:
                follow(_found(name, schema, reference), (*open_, reference))
                checked.add(reference)

    checked: set[str] = set()
    follow(schema, ())


def _found(name: str, schema: Mapping[str, Any], reference: str) -> Any:
    node: Any = schema
    parts = reference.split("/")
    for part in parts[1:]:
        key = part.replace("~1", "/").replace("~0", "~")
        node = node.get(key) if isinstance(node, Mapping) else None
    if parts[0] != "#" or node is None or node is schema:
        raise PromptError(
            f"the schema of the tool '{name}' refers to '{reference[:60]}', which is not in it; write '#/$defs/NAME'",
            code="tool-reference",
        )
    return node


def _nodes(value: Any) -> Iterator[Mapping[str, Any]]:
    open_ = [value]
    while open_:
        node = open_.pop()
        if isinstance(node, Mapping):
            yield node
            open_.extend(node.values())
        elif isinstance(node, list | tuple):
            open_.extend(node)


def _depth(value: Any) -> int:
    deepest, open_ = 0, [(value, 1)]
    while open_:
        node, depth = open_.pop()
        deepest = max(deepest, depth)
        if depth > DEEPEST:
            return depth
        inner = node.values() if isinstance(node, Mapping) else node if isinstance(node, list | tuple) else ()
        open_.extend((one, depth + 1) for one in inner)
    return deepest
