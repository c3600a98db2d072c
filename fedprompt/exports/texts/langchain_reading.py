"""LangChain's prompts as ``dumpd``, LangSmith's hub and the old ``save`` write them, read from the JSON alone.

No class of LangChain is made and nothing is loaded: the JSON is walked, and each kind of object is read, told or
refused by its name. Bound variables (``partial_variables``) go into the text on every level, as ``format`` puts them
there: what the chat binds wins over what a message binds. Sources: ``prompts/chat.py`` of langchain-core 1.7.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from fedprompt.errors import ExportError
from fedprompt.exports.documents import KEY, read_tools_of, revive
from fedprompt.exports.protocol import Imported
from fedprompt.exports.syntax import Variable, f_string
from fedprompt.exports.texts.beside import Beside
from fedprompt.exports.texts.chat import joined, role_of, tell
from fedprompt.exports.texts.langchain_saved import is_saved, read_saved
from fedprompt.exports.texts.langchain_text import bound_of, read_text
from fedprompt.prompts.template import MAX_TEMPLATE_CHARACTERS, Message

__all__ = ["read_value"]

MAX_DEPTH = 40
MAX_MESSAGES = 1000
_TEMPLATES = {
    "HumanMessagePromptTemplate": "user",
    "AIMessagePromptTemplate": "assistant",
    "SystemMessagePromptTemplate": "system",
}
_MESSAGES = {"HumanMessage": "user", "AIMessage": "assistant", "SystemMessage": "system"}
_CHATS = ("ChatPromptTemplate", "StructuredPrompt")
_CALLS = ("tool_calls", "invalid_tool_calls", "function_call", "tool_call_id")


@dataclass
class _Chat:
    """What reading a chat needs: names that a case fills in anywhere in it, and the sentences of what is left out."""

    free: frozenset[str] = frozenset()
    dropped: list[str] = field(default_factory=list)
    size: int = 0
    count: int = 0

    def grown(self, parts: list[Any], where: str) -> None:
        """Count a message; what is bound may come again and again.

        Raises:
            ExportError: all messages together are beyond a template's bounds.
        """
        self.size += sum(len(part) for part in parts if isinstance(part, str))
        self.count += 1
        if self.size > MAX_TEMPLATE_CHARACTERS or self.count > MAX_MESSAGES:
            raise ExportError(
                f"{where}: the messages so far are more than {MAX_MESSAGES:,}, or longer than "
                f"{MAX_TEMPLATE_CHARACTERS:,} characters; no prompt is",
                code="too-long",
            )


def read_value(value: Any, where: str, name: str, beside: Beside | None) -> Imported:
    """Read one prompt.

    Args:
        value: its JSON value.
        where: begins the message of an error.
        name: of a prompt that has none.
        beside: where files lie that an old prompt may name, None where none can be read.

    Raises:
        ExportError: it is no prompt, or one that a template cannot hold.
    """
    _check(value, where)
    dropped: list[str] = []
    if isinstance(value, Mapping) and isinstance(value.get("manifest"), Mapping):  # a commit of LangSmith's hub
        if value.get("examples"):
            tell(dropped, f"{where}: the examples of its commit were left out")
        value = value["manifest"]
    if is_saved(value):
        return read_saved(value, where, name, beside)
    kind, kwargs, bound = _prompt_of(value, where, dropped)
    ours = isinstance(kwargs.get("metadata"), Mapping) and KEY in kwargs["metadata"]
    for key in ("output_parser", "metadata", "tags", "schema_", "structured_output_kwargs"):
        if kwargs.get(key) and not (ours and key == "metadata"):
            tell(dropped, f"{where}: its {key.strip('_')} was left out")
    text, messages = None, None
    if kind == "PromptTemplate":
        bound = bound_of(kwargs.get("partial_variables"), where)
        text = f_string(read_text(kwargs.get("template"), kwargs.get("template_format"), bound, where, dropped))
    else:
        alone = {"messages": [value]} if kind in _TEMPLATES else kwargs
        once = _Chat()
        names = frozenset(
            part.name for one in _messages(alone, {}, where, once) for part in one[1] if isinstance(part, Variable)
        )
        chat = _Chat(names, dropped)
        messages = tuple(Message(role, f_string(parts)) for role, parts in _messages(alone, {}, where, chat))
        if not messages:
            raise ExportError(f"{where} has no message with a text; add one", code="no-message")
    metadata = kwargs.get("metadata")
    listed = metadata.get("tools") if isinstance(metadata, Mapping) else None
    tools = read_tools_of(bound or listed, where) if messages is not None else ()
    return revive(metadata, text, messages, where, name, dropped, tools)


def _prompt_of(value: Any, where: str, dropped: list[str]) -> tuple[str, Mapping[str, Any], Any]:
    """Return the kind and arguments of the prompt in a value: alone, first of a sequence, or with arguments bound.

    The last of the three are the tools among the arguments that are bound to it, None if there are none.
    """
    tools: Any = None
    for _ in range(3):
        kind, kwargs = _kind(value, where)
        if kind in ("PromptTemplate", *_CHATS, *_TEMPLATES):
            return kind, kwargs, tools
        if kind == "RunnableSequence" and isinstance(kwargs.get("first"), Mapping):
            tell(dropped, f"{where}: what follows the prompt in its sequence, such as a model, was left out")
            value = kwargs["first"]
        elif kind == "RunnableBinding" and isinstance(kwargs.get("bound"), Mapping):
            more = kwargs.get("kwargs")
            given: Mapping[str, Any] = more if isinstance(more, Mapping) else {}
            tools = given.get("tools") or tools
            if set(given) - {"tools"} or not given:
                tell(dropped, f"{where}: the arguments bound to the prompt were left out, except its tools")
            value = kwargs["bound"]
        else:
            break
    raise ExportError(
        f"{where} is not a LangChain prompt but a {kind[:60]!r}; only PromptTemplate and ChatPromptTemplate are read",
        code="not-this-format",
    )


def _kind(value: Any, where: str) -> tuple[str, Mapping[str, Any]]:
    """Return the name of the class that a value was written from, and its arguments."""
    path = value.get("id") if isinstance(value, Mapping) else None
    if not isinstance(value, Mapping) or not isinstance(path, list) or not path or "lc" not in value:
        raise ExportError(
            f"{where} is not a LangChain prompt; write one with langchain_core.load.dumpd", code="not-this-format"
        )
    kind = str(path[-1])
    if value.get("type") == "not_implemented":
        raise ExportError(
            f"{where} holds a {kind[:60]} that LangChain writes only as a description; make it a "
            "PromptTemplate or ChatPromptTemplate, with its examples as text or messages",
            code="not-this-format",
        )
    kwargs = value.get("kwargs")
    if value.get("type") != "constructor" or not isinstance(kwargs, Mapping):
        raise ExportError(f"{where} is not a LangChain prompt; it has no arguments", code="not-this-format")
    if path[0] not in ("langchain", "langchain_core"):
        raise ExportError(
            f"{where} is not a LangChain prompt but something of {str(path[0])[:40]!r}; refused", code="not-this-format"
        )
    return kind, kwargs


def _messages(
    kwargs: Mapping[str, Any], outer: Mapping[str, Any], where: str, chat: _Chat
) -> list[tuple[str, list[Any]]]:
    """Return (role, parts) of a chat's messages; ``outer`` is what a chat around it binds."""
    listed = kwargs.get("messages")
    partial = bound_of(kwargs.get("partial_variables"), where)
    if not isinstance(listed, list):
        raise ExportError(f"{where}: its messages are not a list", code="not-well-formed")
    bound = {**{name: one for name, one in partial.items() if name not in chat.free}, **outer}
    found: list[tuple[str, list[Any]]] = []
    for number, one in enumerate(listed, 1):
        at = f"{where}, message {number}"
        for role, parts in _message(one, bound, at, chat):
            if isinstance(one, Mapping) and not _holds_others(one):
                chat.grown(parts, at)
            found.append((role, parts))
    return found


def _holds_others(value: Mapping[str, Any]) -> bool:
    """Whether a message is a placeholder or a chat, whose own messages are counted one by one."""
    kind = value["id"][-1]
    return kind == "MessagesPlaceholder" or kind in _CHATS


def _message(value: Any, bound: Mapping[str, Any], where: str, chat: _Chat) -> list[tuple[str, list[Any]]]:
    kind, kwargs = _kind(value, where)
    if kind == "MessagesPlaceholder":
        return _placeholder(kwargs, bound, where, chat)
    if kind in _CHATS:
        return _messages(kwargs, bound, where, chat)
    _refuse_calls(kwargs, where, chat)
    kind = kind.removesuffix("Chunk")
    if kind in _MESSAGES or kind == "ChatMessage":
        role = _MESSAGES.get(kind) or role_of(kwargs.get("role"), where, chat.dropped)
        return [(role, [_static(kwargs.get("content"), where, chat)])]
    if kind in _TEMPLATES or kind == "ChatMessagePromptTemplate":
        role = _TEMPLATES.get(kind) or role_of(kwargs.get("role"), where, chat.dropped)
        prompt = kwargs.get("prompt")
        if not isinstance(prompt, list):
            return [(role, _part(prompt, bound, where, chat, whole=True))]
        parts = [_part(one, bound, where, chat, whole=False) for one in prompt]
        if not parts:
            raise ExportError(f"{where} holds no text; add one", code="no-text")
        joined([""] * len(parts), where, chat.dropped)
        return [(role, [inner for one in parts for inner in one])]
    raise ExportError(
        f"{where} is of the kind {kind[:60]!r}, which a template cannot hold; remove the message",
        code="not-only-text",
    )


def _part(value: Any, bound: Mapping[str, Any], where: str, chat: _Chat, *, whole: bool) -> list[Any]:
    """Return the parts of a message's template; ``whole``: it is all of the message, not one part of several."""
    kind, kwargs = _kind(value, where)
    template = kwargs.get("template")
    if kind == "DictPromptTemplate" and isinstance(template, Mapping) and template.get("type") == "text":
        if left := [str(key)[:40] for key in template if key not in ("type", "text")]:
            tell(chat.dropped, f"{where}: its {', '.join(left[:8])} was left out")
        template = template.get("text")
    elif kind != "PromptTemplate":
        shown = template.get("type") if kind == "DictPromptTemplate" and isinstance(template, Mapping) else kind
        raise ExportError(
            f"{where} holds a part of the kind {str(shown)[:60]!r}, and a template holds only texts; remove that part",
            code="not-only-text",
        )
    if kwargs.get("output_parser"):
        tell(chat.dropped, f"{where}: its output_parser was left out")
    own = bound_of(kwargs.get("partial_variables"), where)
    # LangChain hands a whole message every value there is, over what the message binds itself, and a part only what
    # the part leaves open.
    if whole:
        own = {name: one for name, one in own.items() if name not in chat.free}
    merged = {**own, **bound} if whole else {**bound, **own}
    return read_text(template, kwargs.get("template_format"), merged, where, chat.dropped)


def _static(content: Any, where: str, chat: _Chat) -> str:
    """Return the text of a message without variables, whole or in parts."""
    if isinstance(content, str):
        return content
    if not isinstance(content, list) or not content:
        raise ExportError(f"{where} has no text", code="no-text")
    texts = []
    for part in content:
        kind = part.get("type", "text") if isinstance(part, Mapping) else "text"
        text = part.get("text") if isinstance(part, Mapping) else part
        if kind != "text" or not isinstance(text, str):
            raise ExportError(
                f"{where} holds a part of the kind {str(kind)[:60]!r}, and a template holds only texts; remove it",
                code="not-only-text",
            )
        if isinstance(part, Mapping) and (left := [str(key)[:40] for key in part if key not in ("type", "text")]):
            tell(chat.dropped, f"{where}: its {', '.join(left[:8])} was left out")
        texts.append(text)
    return joined(texts, where, chat.dropped)


def _placeholder(
    kwargs: Mapping[str, Any], bound: Mapping[str, Any], where: str, chat: _Chat
) -> list[tuple[str, list[Any]]]:
    """Return the messages that are bound to a placeholder; none where it is optional, which is told."""
    variable = str(kwargs.get("variable_name"))
    name, given = variable[:60], bound.get(variable)
    if given is None and kwargs.get("optional") is not True:
        raise ExportError(
            f"{where} is a placeholder '{name}' for messages that a program puts in, and a case has only "
            "texts; remove it, make it optional, or write the messages",
            code="placeholder",
        )
    if kwargs.get("optional") is True:
        tell(chat.dropped, f"{where}: the optional placeholder '{name}' for other messages was left out")
    if given is None:
        return []
    if not isinstance(given, list):
        raise ExportError(
            f"{where}: the placeholder '{name}' is bound to something that is not a list of messages",
            code="placeholder",
        )
    count = kwargs.get("n_messages")
    given = given[-count:] if isinstance(count, int) and count > 0 else given
    found: list[tuple[str, list[Any]]] = []
    for one in given:
        kind, _ = _kind(one, where)
        if kind.removesuffix("Chunk") not in (*_MESSAGES, "ChatMessage"):
            raise ExportError(
                f"{where}: the placeholder '{name}' is bound to a {kind[:60]}, which a template cannot hold",
                code="placeholder",
            )
        for role, parts in _message(one, {}, where, chat):
            chat.grown(parts, where)
            found.append((role, parts))
    return found


def _refuse_calls(kwargs: Mapping[str, Any], where: str, chat: _Chat) -> None:
    """Refuse a message with calls of tools; tell what else of it is left out."""
    more = kwargs.get("additional_kwargs")
    if more is not None and not isinstance(more, Mapping):
        raise ExportError(f"{where}: its additional_kwargs are not a mapping", code="not-well-formed")
    for key in _CALLS:
        if kwargs.get(key) or (more or {}).get(key):
            raise ExportError(
                f"{where} holds {key}, and a template holds only texts; remove the message", code="not-only-text"
            )
    left = [key for key in ("name", "additional_kwargs", "response_metadata", "usage_metadata") if kwargs.get(key)]
    if left:
        tell(chat.dropped, f"{where}: its {', '.join(left)} was left out")


def _check(value: Any, where: str, depth: int = 0) -> None:
    """Refuse secrets and endless nesting before anything is read."""
    if depth > MAX_DEPTH:
        raise ExportError(f"{where} is nested too deep for a prompt; refused", code="nested-too-deep")
    if isinstance(value, dict) and value.get("type") == "secret":
        raise ExportError(f"{where} asks for a secret of this machine; refused", code="asks-for-a-secret")
    inner: Sequence[Any] = list(value.values()) if isinstance(value, dict) else value if isinstance(value, list) else ()
    for one in inner:
        _check(one, where, depth + 1)
