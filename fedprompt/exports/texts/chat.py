"""Chat messages as other tools write them: roles by several names, and texts whole or in parts.

Invariant: each message comes out with all of its text, or the chat is refused by the name of what it holds besides:
pictures, tool calls, placeholders for other messages. What changes no text is left out and told.
"""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from fedprompt.errors import ExportError
from fedprompt.prompts.template import MAX_TEMPLATE_CHARACTERS, Message

__all__ = ["joined", "read_messages", "role_of", "tell"]

MAX_MESSAGES = 1000
_ROLES = {
    "system": "system",
    "user": "user",
    "human": "user",
    "assistant": "assistant",
    "ai": "assistant",
    "developer": "system",
}
_CALLS = ("tool_calls", "tool_call_id", "function_call")


def role_of(name: Any, where: str, dropped: list[str]) -> str:
    """Return the role of a message; that a ``developer`` became ``system`` is told in ``dropped``.

    Raises:
        ExportError: a role that a template cannot hold.
    """
    role = _ROLES.get(name) if isinstance(name, str) else None
    if role is None:
        shown = f"the role {name[:40]!r}" if isinstance(name, str) and name else "no role"
        raise ExportError(
            f"{where}: a message needs a role among system, user, assistant and a text, and this one has "
            f"{shown}; change it, or remove the message",
            code="message-role",
        )
    if name == "developer":
        tell(
            dropped,
            f"{where}: the role 'developer' became 'system', because a prompt has only system, user and assistant",
        )
    return role


def read_messages(
    value: Sequence[Any], where: str, read: Callable[[str, str], str], dropped: list[str]
) -> tuple[Message, ...]:
    """Read a list of ``{role, content}``.

    Args:
        value: the list.
        where: begins the message of an error.
        read: turns another tool's text, and the place it stands in, into an f-string.
        dropped: takes a sentence for each thing that is left out.

    Raises:
        ExportError: a message that a template cannot hold, with what it holds.
    """
    if not value:
        raise ExportError(f"{where}: its list of messages is empty; add a message", code="no-message")
    if len(value) > MAX_MESSAGES:
        raise ExportError(f"{where} has more than {MAX_MESSAGES:,} messages, the limit for a prompt", code="too-many")
    return tuple(_message(one, f"{where}, message {number}", read, dropped) for number, one in enumerate(value, 1))


def _message(one: Any, where: str, read: Callable[[str, str], str], dropped: list[str]) -> Message:
    if not isinstance(one, Mapping):
        raise ExportError(
            f"{where}: a message needs a role among system, user, assistant and a text", code="message-role"
        )
    if one.get("type") == "placeholder":
        name = one.get("name")
        shown = f" '{name[:60]}'" if isinstance(name, str) else ""
        raise ExportError(
            f"{where}: it is a placeholder{shown} for messages that a program puts in, and placeholders are "
            "not read, because a case has only texts; remove it, or write the messages",
            code="placeholder",
        )
    for key in _CALLS:
        if one.get(key):
            raise ExportError(
                f"{where}: it holds {key}, and a template holds only texts; remove the message", code="not-only-text"
            )
    role = role_of(one.get("role"), where, dropped)
    left = [key for key in one if key not in ("role", "content", "type") and one[key] not in (None, "", [], {})]
    if left:
        tell(dropped, f"{where}: its {', '.join(str(key)[:40] for key in left[:8])} was left out")
    content = one.get("content")
    if isinstance(content, str):
        return Message(role, read(content, where))
    if not isinstance(content, list) or not content:
        raise ExportError(
            f"{where}: a message needs a role among system, user, assistant and a text", code="message-role"
        )
    return Message(role, joined([read(_part(part, where, dropped), where) for part in content], where, dropped))


def _part(part: Any, where: str, dropped: list[str]) -> str:
    """Return the text of one part of a message's content."""
    if isinstance(part, str):
        return part
    kind = part.get("type", "text") if isinstance(part, Mapping) else None
    text = part.get("text") if isinstance(part, Mapping) else None
    if kind not in ("text", "input_text", "output_text") or not isinstance(text, str):
        shown = (
            f"a part of the type {kind[:40]!r}" if isinstance(kind, str) and kind != "text" else "a part without text"
        )
        raise ExportError(
            f"{where}: it holds {shown}, and a template holds only texts; remove that part", code="not-only-text"
        )
    if left := [key for key in part if key not in ("type", "text") and part[key] not in (None, "", [], {})]:
        tell(dropped, f"{where}: its {', '.join(str(key)[:40] for key in left[:8])} was left out")
    return text


def joined(texts: Sequence[str], where: str, dropped: list[str]) -> str:
    """Return the one text of a message's parts; that several were joined is told in ``dropped``.

    Raises:
        ExportError: together they are longer than a template can be.
    """
    if sum(map(len, texts)) > MAX_TEMPLATE_CHARACTERS:
        raise ExportError(f"{where}: its text is longer than {MAX_TEMPLATE_CHARACTERS:,} characters", code="too-long")
    if len(texts) > 1:
        tell(dropped, f"{where}: its {len(texts)} parts of text were joined, with nothing between them")
    return "".join(texts)


def tell(dropped: list[str], sentence: str) -> None:
    """Add a sentence once."""
    if sentence not in dropped:
        dropped.append(sentence)
