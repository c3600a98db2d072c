"""A chat model through LangChain's ``init_chat_model``: bounded concurrency, a rate limit, retries, counted failures.

Invariant: a conversation goes to the configured host and nowhere else. No tracer, no redirect and, for this machine's
own servers, no proxy; libraries that would log requests are held at warnings. The first call goes alone: what no call
can get past (no connection, a refused key, an unknown model) ends the run before more is spent.
"""

import hashlib
import logging
import os
import re
import threading
import weakref
from collections.abc import Callable, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from contextlib import suppress
from functools import cache
from itertools import islice
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit
from urllib.request import getproxies_environment, proxy_bypass

from fedprompt.errors import ModelError, did_you_mean
from fedprompt.extras import pip_command
from fedprompt.models.chat.config import FILE, ChatSettings, chat_settings, read_machine
from fedprompt.models.chat.protocol import ChatInfo, ChatReply, ChatTurn, Failure, Options
from fedprompt.models.chat.reading import MOST_TOP, failure_of, read_reply
from fedprompt.models.chat.stream import stream_reply
from fedprompt.prompts.ids import canonical_json
from fedprompt.prompts.tools import openai_tools
from fedprompt.stopping import NEVER, StopToken

__all__ = ["LangChainChat", "chat_info", "load_chat"]

LIKE_OPENAI = frozenset({"openai"})  # take the protocol's own options: top_p, seed, logprobs, response_format
OPENAI_HOST = "api.openai.com"
HOPELESS: dict[Failure, str] = {
    "no connection": "its server cannot be reached; start it, or check its base_url in models.toml",
    "key refused": "its server refuses the key; check the environment or models.toml",
    "model unknown": "its server does not have this model; check the name and the base_url",
}
CODES: dict[Failure, str] = {
    "no connection": "no-server",
    "key refused": "key-refused",
    "model unknown": "unknown-model",
}
NOISY = ("openai", "httpx", "httpx2", "httpcore", "httpcore2", "langchain", "langchain_core", "langsmith", "urllib3")
TICK_SECONDS = 0.1
TRACERS = ("LANGCHAIN_TRACING", "LANGCHAIN_HANDLER")  # LangChain refuses to run with its old tracer named
NO_STREAM: frozenset[Failure | None] = frozenset({"request refused", "malformed answer"})
log = logging.getLogger(__name__)


def load_chat(name: str, home: Path) -> "LangChainChat":
    """Return the chat model called ``name`` (``provider:model`` or ``chat:NAME``).

    Raises:
        ModelError: it is not known or allowed on this machine, has no key, or its provider's package is not installed.
    """
    machine = read_machine(home)
    settings = chat_settings(name, machine)
    machine.permit(settings)
    return LangChainChat(name, settings)


def chat_info(name: str, settings: ChatSettings) -> ChatInfo:
    """Return what a chat model is, without a connection.

    Its digest is of provider, model and what moves its answers, so that two names for one model are one model.
    """
    body = {"chat": settings.model, "left out": sorted(settings.leave_out)}
    digest = hashlib.sha256(b"fedprompt chat model, revision 1\0" + canonical_json(body)).hexdigest()
    asked = settings.method == "likelihood" or (settings.method is None and settings.provider in LIKE_OPENAI)
    return ChatInfo(
        name=name,
        digest=f"sha256:{digest}",
        host=settings.host,
        remote=settings.remote,
        logprobs=asked,
        schema=settings.constrain == "json-schema",
    )


class LangChainChat:
    """A :class:`~fedprompt.models.chat.protocol.ChatModel` behind a LangChain provider."""

    def __init__(self, name: str, settings: ChatSettings) -> None:
        if traced := [one for one in TRACERS if os.environ.get(one, "") not in ("", "0", "false", "False")]:
            raise ModelError(
                f"{traced[0]} is set in the environment; unset it, because fedprompt sends nothing to a tracer",
                code="tracer",
            )
        _refuse_proxy(settings)
        self._settings, self._secret = settings, settings.secret()
        self._info = chat_info(name, settings)
        self._http: Any = None
        self._variants: dict[tuple[int, float], Any] = {}
        self._lock = threading.Lock()
        self._proven, self._streams = False, True
        self._limiter = self._rate_limiter()
        self._variant(Options())  # so that what is not installed or not known is told now

    @property
    def info(self) -> ChatInfo:
        """What it is and where it runs."""
        return self._info

    @property
    def settings(self) -> ChatSettings:
        """What this machine says of it."""
        return self._settings

    def ask(
        self,
        conversations: Sequence[Sequence[ChatTurn]],
        options: Options,
        progress: Callable[[int, int], None] | None = None,
        heard: Callable[[int, ChatReply], None] | None = None,
        told: Callable[[int, str], None] | None = None,
        *,
        stop: StopToken = NEVER,
    ) -> tuple[ChatReply, ...]:
        """Return a reply a conversation, in the order given.

        Args:
            progress: hears (calls done, calls in all).
            heard: gets (place, reply) as soon as it comes, one at a time; also what comes after the run was stopped.
            told: gets (place, text so far) while an answer comes, from several threads.
            stop: looked at while answers are out, and between the pieces of one that is told. Calls that are not told
                piece by piece are waited for, since they are paid for.

        Raises:
            ModelError: no call at all can succeed: no connection, or the key or the model is refused.
        """
        replies: dict[int, ChatReply] = {}

        def kept(place: int, reply: ChatReply) -> None:
            replies[place] = reply
            if heard is not None:
                heard(place, reply)
            if progress is not None:
                progress(len(replies), len(conversations))

        def one(place: int, conversation: Sequence[ChatTurn]) -> ChatReply:
            if told is None or options.top or options.among or not self._streams:
                return self._one(conversation, options)
            return self._streamed(conversation, options, lambda text: told(place, text), stop)

        todo = iter(enumerate(conversations))
        if not self._proven:
            for place, conversation in islice(todo, 1):
                stop.check()
                reply = one(place, conversation)
                if reply.failure in HOPELESS:
                    said = f"the chat model '{self._info.name}' cannot be used: {HOPELESS[reply.failure]}"
                    raise ModelError(said, code=CODES[reply.failure])
                self._proven = reply.failure is None
                kept(place, reply)
        # A window of calls, and not all at once: whoever stops the work stops the spending.
        running: dict[Future[ChatReply], int] = {}
        try:
            with ThreadPoolExecutor(self._settings.concurrency, "chat") as pool:
                while True:
                    stop.check()
                    for place, conversation in islice(todo, self._settings.concurrency - len(running)):
                        running[pool.submit(one, place, conversation)] = place
                    if not running:
                        break
                    for future in wait(running, TICK_SECONDS, FIRST_COMPLETED).done:
                        kept(running.pop(future), future.result())
        except BaseException:
            for future, place in running.items():  # paid for, and here by now: the pool has waited for them
                if heard is not None and future.done() and not future.cancelled():
                    with suppress(BaseException):  # what ended the run is raised, not what it says once more
                        heard(place, future.result())
            raise
        return tuple(replies[place] for place in range(len(conversations)))

    def close(self) -> None:
        """Close the connections."""
        if self._http is not None:
            self._http.close()
        self._variants.clear()

    def __enter__(self) -> "LangChainChat":
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _streamed(
        self, conversation: Sequence[ChatTurn], options: Options, told: Callable[[str], None], stop: StopToken
    ) -> ChatReply:
        """Return a reply that is told as it comes; a server that cannot do that is asked for it whole."""
        reply = self._one(conversation, options, told, stop)
        if reply.failure in NO_STREAM:
            reply = self._one(conversation, options)
            if reply.failure is None:
                self._streams = False
        return reply

    def _one(
        self,
        conversation: Sequence[ChatTurn],
        options: Options,
        told: Callable[[str], None] | None = None,
        stop: StopToken = NEVER,
    ) -> ChatReply:
        from langchain_core.messages import AIMessage, BaseMessage, HumanMessage, SystemMessage
        from langsmith import tracing_context

        kinds: dict[str, type[BaseMessage]] = {"system": SystemMessage, "user": HumanMessage, "assistant": AIMessage}
        messages = [kinds[turn.role](content=turn.text) for turn in conversation]
        try:
            client, more = self._variant(options), self._more(options)
            with tracing_context(enabled=False):
                if told is None:
                    found = client.invoke(messages, config={"callbacks": []}, **more)
                else:
                    known = self._settings.provider in LIKE_OPENAI
                    counted = {"stream_usage": True} if known else {}  # without it no tokens are told
                    found = stream_reply(
                        client,
                        messages,
                        options,
                        more | counted,
                        told,
                        retries=self._settings.retries,
                        ends=known,
                        stop=stop,
                    )
            return read_reply(found, options)
        except Exception as error:
            # Its words may hold the case or the key, so only its kind is told.
            failure = failure_of(error)
            log.debug("a call ended in %s (%s)", failure, type(error).__name__)
            return ChatReply("", failure=failure)

    def _variant(self, options: Options) -> Any:
        """Return the client for a length and a temperature, which providers take when they are made."""
        left_out = self._settings.leave_out
        key = (0 if "max_tokens" in left_out else options.max_tokens, options.temperature)
        with self._lock:
            if key not in self._variants:
                self._variants[key] = self._client(*key)
            return self._variants[key]

    def _client(self, max_tokens: int, temperature: float) -> Any:
        settings = self._settings
        provider, name = settings.model.split(":", 1)
        given: dict[str, Any] = {
            "base_url": settings.url(),
            "timeout": settings.timeout,
            "max_retries": settings.retries,
            "rate_limiter": self._limiter,
        }
        if self._secret is not None:
            given["api_key"] = self._secret
        if "temperature" not in settings.leave_out:
            given["temperature"] = temperature
        if max_tokens:
            given["max_tokens"] = max_tokens
        try:
            from langchain.chat_models import init_chat_model

            if provider == "openai":
                given |= self._openai()
            client = init_chat_model(name, model_provider=provider, **given)
        except ImportError as error:
            package = re.search(r"pip install ([\w\[\]-]+)", str(error))
            wanted = package[1] if package else f"langchain-{provider.replace('_', '-')}"
            run = pip_command("chat") if provider in LIKE_OPENAI else f"pip install {wanted}"
            raise ModelError(
                f"the chat model '{self._info.name}' needs a package that is not installed; run: {run}",
                code="package-missing",
            ) from None
        except Exception as error:
            raise self._unmade(provider, error) from None
        finally:
            for logger in NOISY:
                _hold_down(logging.getLogger(logger))
        return client

    def _openai(self) -> dict[str, Any]:
        """Return what keeps the provider's client on its host: no redirect, no proxy to this machine, no other key."""
        import openai

        if self._http is None:
            self._http = openai.DefaultHttpxClient(
                follow_redirects=False,
                trust_env=self._info.remote,
                timeout=self._settings.timeout,
                verify=_certificates(),
            )
            weakref.finalize(self, self._http.close)  # who holds a judge may never close it
        found: dict[str, Any] = {"http_client": self._http, "openai_proxy": None, "http_socket_options": ()}
        found["use_responses_api"] = False  # answers without the likelihoods of tokens
        if self._secret is None:
            found["api_key"] = "none"  # the client wants one; a server of this machine does not
        return found

    def _unmade(self, provider: str, error: Exception) -> ModelError:
        """Return why there is no client, in words that hold no setting."""
        from langchain.chat_models.base import _BUILTIN_PROVIDERS

        if provider not in _BUILTIN_PROVIDERS:
            near = did_you_mean(provider, _BUILTIN_PROVIDERS)
            return ModelError(
                f"LangChain has no provider '{provider}'{near}; write provider:model, such as openai:gpt-4o-mini",
                code="unknown-provider",
            )
        return ModelError(
            f"the provider of '{self._info.name}' does not accept this machine's settings "
            f"({type(error).__name__}); check its entry in {FILE}",
            code="settings-refused",
        )

    def _more(self, options: Options) -> dict[str, Any]:
        left_out = self._settings.leave_out
        found: dict[str, Any] = {}
        if options.tools:
            if self._settings.provider not in LIKE_OPENAI:
                raise ModelError(
                    "tools are offered through servers that speak OpenAI's protocol; name the server as openai:MODEL",
                    code="tools-need-a-server",
                )
            found["tools"] = openai_tools(options.tools)
        if options.stop and "stop" not in left_out:
            found["stop"] = list(options.stop[:4])  # the protocol's most; the others are cut here
        if self._settings.provider not in LIKE_OPENAI and self._settings.method != "likelihood":
            return found
        if self._settings.provider == "openai" and self._info.host != OPENAI_HOST and "max_tokens" not in left_out:
            found["extra_body"] = {"max_tokens": options.max_tokens}  # the name that servers in its likeness know
        if options.top_p != 1 and "top_p" not in left_out:
            found["top_p"] = options.top_p
        if options.temperature > 0 and "seed" not in left_out:
            found["seed"] = options.seed
        if options.top:
            found |= {"logprobs": True, "top_logprobs": min(options.top, MOST_TOP)}
        if options.among and self._info.schema:
            found["response_format"] = _schema(options.among)
        return found

    def _rate_limiter(self) -> Any:
        rate = self._settings.requests_per_second
        if rate is None:
            return None
        from langchain_core.rate_limiters import InMemoryRateLimiter

        return InMemoryRateLimiter(
            requests_per_second=rate, check_every_n_seconds=min(0.1, 0.25 / rate), max_bucket_size=max(1.0, rate / 10)
        )


def _refuse_proxy(settings: ChatSettings) -> None:
    """Refuse a server of this machine that another provider's client would ask through the environment's proxy."""
    proxies = getproxies_environment()
    if settings.provider == "openai" or settings.remote or not {urlsplit(settings.url()).scheme, "all"} & set(proxies):
        return
    if not proxy_bypass(settings.host):
        raise ModelError(
            f"calls to '{settings.model}' would use the proxy of the environment, although the server is on "
            "this machine; add 127.0.0.1 and localhost to NO_PROXY",
            code="proxy",
        )


@cache
def _certificates() -> Any:
    """Return the authorities whose certificates are trusted; reading them takes a tenth of a second."""
    import httpx2

    return httpx2.create_ssl_context()


def _hold_down(logger: logging.Logger) -> None:
    if logger.level < logging.WARNING:
        logger.setLevel(logging.WARNING)


def _schema(words: Sequence[str]) -> dict[str, Any]:
    body = {
        "type": "object",
        "properties": {"answer": {"type": "string", "enum": list(words)}},
        "required": ["answer"],
        "additionalProperties": False,
    }
    return {"type": "json_schema", "json_schema": {"name": "answer", "schema": body, "strict": True}}
