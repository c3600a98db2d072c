"""One prompt behind OpenAI's HTTP interface, as a FastAPI application.

Every request needs the token; a body is bounded before it is parsed; one request at a time is at the model. What a
request says, and what is answered, is in no log and in no error.
"""

import asyncio
import codecs
import hmac
import logging
import time
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from pydantic import TypeAdapter

from fedprompt.boundary.checked import Unfit, checked_json
from fedprompt.errors import FedPromptError, ModelError, PromptError
from fedprompt.workspace.serve.opened import BankPrompt
from fedprompt.workspace.serve.replies import Answered, error_body, model_list, reply, stream
from fedprompt.workspace.serve.requests import (
    REQUEST,
    ChatRequest,
    CompletionRequest,
    Refused,
    decoding_of,
    fields_of,
    refusal,
)

if TYPE_CHECKING:
    from fastapi import FastAPI
    from starlette.requests import Request as Received

__all__ = ["MOST_BYTES", "make_app"]

MOST_BYTES = 1024 * 1024
MOST_WAITING = 64
BODY_SECONDS = 30.0
CHAT: TypeAdapter[ChatRequest | CompletionRequest] = TypeAdapter(ChatRequest)
COMPLETION: TypeAdapter[ChatRequest | CompletionRequest] = TypeAdapter(CompletionRequest)
INVALID, SERVER = "invalid_request_error", "server_error"

log = logging.getLogger(__name__)


def make_app(prompt: BankPrompt, reference: str, token: str) -> "FastAPI":
    """Return the application.

    Args:
        prompt: what answers.
        reference: what clients call it besides its id.
        token: what each request carries as ``Authorization: Bearer``.

    Raises:
        PromptError: the prompt has no field to fill, or shows a site's own demonstrations.
    """
    import anyio
    from anyio.to_thread import run_sync
    from fastapi import FastAPI
    from starlette.exceptions import HTTPException
    from starlette.requests import Request as Received
    from starlette.responses import JSONResponse, Response, StreamingResponse

    if not prompt.fields:
        raise PromptError(f"prompt '{prompt.name}' has no field for a message; serve another one", code="no-field")
    if prompt.local.shows_cases:
        raise PromptError(
            f"prompt '{prompt.name}' shows a site's own examples, and a server has none",
            code="sites-demonstrations",
        )
    names = tuple(dict.fromkeys((reference, prompt.id)))
    told = {"prompt": prompt.id, "name": prompt.name, "model": prompt.model}
    one_at_a_time = anyio.CapacityLimiter(1)
    made = int(time.time())
    wanted = f"Bearer {token}".encode()
    app = FastAPI(title="fedprompt", docs_url=None, redoc_url=None, openapi_url=None)

    def check(received: Received) -> None:
        given = received.headers.get("authorization", "").encode("utf-8", "replace")
        if not hmac.compare_digest(given, wanted):
            raise Refused(
                "send the server's token as 'Authorization: Bearer TOKEN'", openai="invalid_api_key", status=401
            )

    def check_name(name: str) -> None:
        if name not in names:
            known = " and ".join(f"'{one}'" for one in names)
            raise Refused(
                f"unknown model; this server has {known}", param="model", openai="model_not_found", status=404
            )

    async def read(
        received: Received, kind: TypeAdapter[ChatRequest | CompletionRequest]
    ) -> ChatRequest | CompletionRequest:
        check(received)
        try:
            async with asyncio.timeout(BODY_SECONDS):
                body = await _body(received)
        except TimeoutError:
            raise Refused("the body took too long to arrive", status=408) from None
        try:
            request = checked_json(kind, body.removeprefix(codecs.BOM_UTF8), REQUEST, strict=True)
        except Unfit as error:
            raise refusal(error) from None
        check_name(request.model)
        return request

    async def answer(request: ChatRequest | CompletionRequest) -> Response:
        if one_at_a_time.statistics().tasks_waiting >= MOST_WAITING:
            raise Refused("too many requests are waiting; try again later", openai="overloaded", status=503)
        answered = await run_sync(_answered, prompt, request, told, limiter=one_at_a_time)
        if not request.stream:
            return JSONResponse(reply(answered))
        usage = request.stream_options is not None and bool(request.stream_options.include_usage)
        # The answer is there before the first byte, so a refusal still has its status.
        return StreamingResponse(iter(list(stream(answered, usage))), media_type="text/event-stream")

    async def handle(received: Received, kind: TypeAdapter[ChatRequest | CompletionRequest]) -> Response:
        try:
            return await answer(await read(received, kind))
        except FedPromptError:
            raise
        except Exception as error:
            return failed(error)

    def failed(error: Exception) -> Response:
        # The kind alone: an error's message may quote the request.
        log.error("a request failed with %s", type(error).__name__)
        return JSONResponse(error_body("the server failed to answer; see its log", SERVER), 500)

    @app.get("/v1/models")
    async def models(received: Received) -> Response:
        check(received)
        return JSONResponse(model_list(names, made))

    @app.get("/v1/models/{name}")
    async def model(received: Received, name: str) -> Response:
        check(received)
        check_name(name)
        return JSONResponse(model_list((name,), made)["data"][0])

    @app.post("/v1/completions")
    async def completions(received: Received) -> Response:
        return await handle(received, COMPLETION)

    @app.post("/v1/chat/completions")
    async def chat(received: Received) -> Response:
        return await handle(received, CHAT)

    @app.exception_handler(FedPromptError)
    async def refused(received: Received, error: Exception) -> Response:
        if isinstance(error, Refused):
            headers = {"WWW-Authenticate": "Bearer"} if error.status == 401 else {}
            kind = SERVER if error.status >= 500 else INVALID
            return JSONResponse(error_body(str(error), kind, error.param, error.openai), error.status, headers)
        if isinstance(error, PromptError | ModelError):
            return JSONResponse(error_body(str(error), INVALID), 400)
        return failed(error)

    @app.exception_handler(HTTPException)
    async def missing(received: Received, error: Exception) -> Response:
        status = error.status_code if isinstance(error, HTTPException) else 500
        said = "this server has only /v1/models, /v1/completions and /v1/chat/completions"
        return JSONResponse(error_body(said, INVALID), status)

    return app


async def _body(received: "Received") -> bytes:
    too_long = Refused(f"a body has at most {MOST_BYTES:,} bytes", openai="request_too_large", status=413)
    length = received.headers.get("content-length", "0")
    if length.isascii() and length.isdigit() and int(length[:20]) > MOST_BYTES:
        raise too_long
    found = bytearray()
    async for piece in received.stream():
        found += piece
        if len(found) > MOST_BYTES:
            raise too_long
    return bytes(found)


def _answered(prompt: BankPrompt, request: ChatRequest | CompletionRequest, told: Mapping[str, Any]) -> Answered:
    chat = isinstance(request, ChatRequest)
    text = request.text
    decoding = decoding_of(request, prompt.local.answer)
    fields = fields_of(text, prompt.fields, "messages" if chat else "prompt")
    given = prompt.answer(fields, decoding)
    read, written = _tokens(prompt, fields, given.text)
    if decoding is not None:
        written = given.tokens
    return Answered(
        kind="chat" if chat else "text",
        model=request.model,
        given=given,
        told={**told, "without_effect": request.idle(prompt.local.answer)},
        prompt_tokens=read,
        written_tokens=written,
        cut=decoding is not None and given.tokens >= decoding.max_tokens,
        top=request.alternatives,
    )


def _tokens(prompt: BankPrompt, fields: Mapping[str, str], label: str) -> tuple[int, int]:
    """Return the tokens of the filled prompt, of an adapted one its heaviest member, and of the label's word."""
    held, local = prompt.local.shown, prompt.local
    rendered = held.template.render(fields)
    soft = 0 if held.soft is None else len(held.soft.vectors)
    read = local.model.length(rendered, (), soft)
    if not prompt.labels:
        return read, 0
    word = (held.template.with_words(prompt.labels).words or {})[label]
    return read, local.model.length(rendered, (word,), soft) - read
