"""Fills a model's chat format, which is a program of the model's author, in a process with bounded time and memory.

No case's text is in it: the messages are marks that stand for them. Invariant: whatever the format does (loops without
an end, texts of gigabytes), it ends within :data:`SECONDS` of work and :data:`MEMORY` bytes, and its process with it.
"""

import json
import subprocess
import sys
from collections.abc import Mapping, Sequence
from functools import lru_cache

from fedprompt.errors import ModelError

__all__ = ["LONGEST_FORMAT", "ChatFormatError", "filled_format"]

LONGEST_FORMAT = 1_000_000  # characters, of a format as of what it writes
SECONDS, MEMORY = 10, 1024**3  # of the processor, with a second or two for transformers
PATIENCE = 60.0  # seconds by the clock, on a machine that does other things too


class ChatFormatError(ModelError):
    """A chat format does not take these messages; the message is the format's own."""

    code = "chat-format-refuses"


def filled_format(format: str, messages: Sequence[Mapping[str, str]], tokens: Mapping[str, object]) -> str:
    """Return what transformers makes of messages and a format, up to where the model's answer begins.

    Args:
        format: Jinja, as transformers reads it.
        messages: ``role`` and ``content`` of each.
        tokens: the tokenizer's special tokens by name.

    Raises:
        ChatFormatError: the format refuses such messages.
        ModelError: it is too long, or takes too much time or memory.
    """
    plain = {name: str(token) for name, token in tokens.items() if not isinstance(token, list | tuple)}
    plain_lists = {n: [str(one) for one in token] for n, token in tokens.items() if isinstance(token, list | tuple)}
    return _filled(json.dumps([format, [dict(one) for one in messages], {**plain, **plain_lists}]))


@lru_cache(maxsize=64)
def _filled(asked: str) -> str:
    if len(asked) > LONGEST_FORMAT:
        raise ModelError(
            f"this model's chat format has more than {LONGEST_FORMAT:,} characters; write the template as text",
            code="chat-format-costs",
        )
    too_much = ModelError(
        f"this model's chat format needs more than {SECONDS} seconds or {MEMORY // 1024**3} GB, or writes more "
        f"than {LONGEST_FORMAT:,} characters; write the template as text, or choose another model",
        code="chat-format-costs",
    )
    try:
        done = subprocess.run(
            [sys.executable, "-I", "-c", f"LIMITS = {SECONDS}, {MEMORY}, {LONGEST_FORMAT}\n{_CHILD}"],
            input=asked.encode(),
            capture_output=True,
            timeout=PATIENCE,
        )
        answer = json.loads(done.stdout)
    except (subprocess.TimeoutExpired, ValueError):  # a process that was ended says nothing
        raise too_much from None
    if (text := answer.get("text")) is not None:
        return str(text)
    if (refused := answer.get("refused")) is not None:
        raise ChatFormatError(str(refused))
    raise too_much


_CHILD = """
import json, resource, sys
from transformers.utils.chat_template_utils import render_jinja_template
import jinja2

seconds, memory, longest = LIMITS
resource.setrlimit(resource.RLIMIT_CPU, (seconds, seconds))
resource.setrlimit(resource.RLIMIT_AS, (memory, memory))
resource.setrlimit(resource.RLIMIT_FSIZE, (0, 0))
format, messages, tokens = json.load(sys.stdin)
try:
    (text,), _ = render_jinja_template([messages], chat_template=format, add_generation_prompt=True, **tokens)
    answer = {"text": text} if len(text) <= longest else {}
except (MemoryError, RecursionError, OverflowError):
    answer = {}
except jinja2.TemplateError as error:
    answer = {"refused": str(error)[:200]}
except Exception as error:  # a format is a program, and may fail in any way that one can
    answer = {"refused": type(error).__name__}
json.dump(answer, sys.stdout)
"""
