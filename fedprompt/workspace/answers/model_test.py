"""Asks a model one harmless question and says how long it took: what the Models page calls Test."""

import time
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from pydantic import ValidationError

from fedprompt.errors import JobError, ModelError
from fedprompt.models.chat.config import is_chat
from fedprompt.models.chat.protocol import ChatTurn, Options
from fedprompt.models.chat.through_langchain import load_chat
from fedprompt.models.protocols import Decoding, GenerateQuery
from fedprompt.prompts.template import Template
from fedprompt.stopping import NEVER, StopToken
from fedprompt.workspace.answers.readying import load_quick
from fedprompt.workspace.bills.session_servers import SessionServer, load_session_chat
from fedprompt.workspace.progress import Progress, Report, quiet
from fedprompt.workspace.workspace import Workspace

__all__ = ["ModelTried", "try_model"]

QUESTION = "Is water wet? Answer with one word."
TOKENS = 8


@dataclass(frozen=True)
class ModelTried:
    """How many seconds loading a model took, and its answer; ``tokens`` is None where nobody counted."""

    load: float
    seconds: float
    tokens: int | None
    text: str


def try_model(
    ws: Workspace, arguments: Mapping[str, Any], report: Report = quiet, stop: StopToken = NEVER
) -> ModelTried:
    """Ask a model one question.

    Args:
        ws: the workspace.
        arguments: ``model``, a name; or ``server``, a session's.
        report: hears that the model is being loaded.
        stop: looked at before the model is loaded, and while it writes.

    Raises:
        ModelError: there is no such model, or it does not answer; says why.
        AssetError: it was not fetched yet.
    """
    name = str(arguments.get("model") or "")
    report(Progress("load", "loading the model"))
    stop.check()
    start = time.perf_counter()
    if arguments.get("server") is None and not is_chat(name):
        model = load_quick(ws, name)
        loaded = time.perf_counter()
        rendered = Template("test", text=QUESTION).render({})
        (written,) = model.generate([GenerateQuery(rendered)], Decoding(TOKENS), stop=stop)
        return _told(start, loaded, written.tokens, written.text)
    if arguments.get("server") is None:
        chat = load_chat(name, ws.home.path)
    else:
        try:
            server = SessionServer.model_validate(arguments["server"])
        except ValidationError:
            raise JobError(
                "the session's server is not valid; enter it again on the Models page", code="not-well-formed"
            ) from None
        name, chat = server.model, load_session_chat(server, ws.home.path)
    with chat:
        loaded = time.perf_counter()
        (reply,) = chat.ask([(ChatTurn("user", QUESTION),)], Options(TOKENS), stop=stop)
        if reply.failure is not None:
            raise ModelError(
                f"the chat model '{name}' did not answer ({reply.failure}); check its server", code="no-answer"
            )
        return _told(start, loaded, reply.usage.output if reply.usage else None, reply.text)


def _told(start: float, loaded: float, tokens: int | None, text: str) -> ModelTried:
    return ModelTried(loaded - start, time.perf_counter() - loaded, tokens, text[:200])
