"""Chat servers that a person may use here: those of ``models.toml``, those that answer on loopback, and their models.

Invariant: looking for servers reaches this machine alone, without a proxy and without a key; the models of a server
elsewhere are asked for only where ``models.toml`` allows its host. What a server says is bounded and taken as data.
"""

import ipaddress
import json
import os
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.error import HTTPError
from urllib.parse import urlsplit
from urllib.request import HTTPRedirectHandler, ProxyHandler, Request, build_opener

from pydantic import SecretStr, ValidationError

from fedprompt.errors import ModelError
from fedprompt.models.chat.config import ChatSettings, read_machine
from fedprompt.workspace.acting import needs

__all__ = ["ConfiguredServer", "FoundServer", "configured_servers", "find_on_loopback", "models_of", "settings_of"]

# Where these servers listen unless they are told otherwise.
PORTS = {11434: "Ollama", 1234: "LM Studio", 8000: "vLLM", 8080: "llama.cpp", 5001: "KoboldCpp", 30000: "SGLang"}
LOOK_SECONDS = 0.6
LIST_SECONDS = 8.0
MAX_BYTES = 1024 * 1024
MAX_MODELS = 500
MAX_NAME = 200


@dataclass(frozen=True)
class ConfiguredServer:
    """A chat model that ``models.toml`` names.

    ``problem`` says what keeps it from being asked, None if nothing does.
    """

    name: str
    model: str
    host: str
    remote: bool
    problem: str | None


@dataclass(frozen=True)
class FoundServer:
    """A server on this machine; ``wants_key`` is whether it refused to tell its models without one."""

    title: str
    base_url: str
    models: tuple[str, ...]
    wants_key: bool


def configured_servers(home: Path) -> tuple[ConfiguredServer, ...]:
    """Return the chat models of ``models.toml``, each with what keeps it from being asked.

    Raises:
        ModelError: the file cannot be used.
    """
    machine = read_machine(home)
    found = []
    for name, settings in sorted(machine.chat.items()):
        host, remote, problem = "", False, None
        try:
            host, remote = settings.host, settings.remote
            machine.permit(settings)
            settings.secret()
        except ModelError as error:
            problem = str(error)
        found.append(ConfiguredServer(f"chat:{name}", settings.model, host, remote, problem))
    return tuple(found)


@needs("try")
def find_on_loopback(ports: Mapping[int, str] = PORTS) -> tuple[FoundServer, ...]:
    """Return the servers that answer on 127.0.0.1; also the one that ``$OLLAMA_HOST`` names, if it is on loopback."""
    places = {f"http://127.0.0.1:{port}/v1": title for port, title in ports.items()}
    if named := _ollama_host():
        places.setdefault(named, "Ollama")
    with ThreadPoolExecutor(len(places)) as pool:
        found = pool.map(lambda place: _look(*place), places.items())
    return tuple(one for one in found if one is not None)


def settings_of(home: Path, base_url: str, model: str, key: SecretStr | None) -> ChatSettings:
    """Return the settings of a server that a person typed, if cases may be sent there.

    Raises:
        ModelError: it is no server's address, or its host is not allowed on this machine; says what to write where.
    """
    try:
        settings = ChatSettings(model=model if ":" in model else f"openai:{model}", base_url=base_url, key=key)
    except ValidationError:
        raise ModelError(
            "this is not a valid model name or address; write for example http://127.0.0.1:8080/v1",
            code="not-an-address",
        ) from None
    read_machine(home).permit(settings)
    return settings


@needs("try")
def models_of(home: Path, base_url: str, key: SecretStr | None) -> tuple[str, ...]:
    """Return the models that a server in OpenAI's likeness offers.

    Raises:
        ModelError: it is not allowed, does not answer, refuses the key, or says something else.
    """
    settings = settings_of(home, base_url, "any", key)
    headers = {"Authorization": f"Bearer {key.get_secret_value()}"} if key is not None else {}
    try:
        return _models(_get(f"{base_url.rstrip('/')}/models", headers, LIST_SECONDS, remote=settings.remote))
    except HTTPError as error:
        if error.code in (401, 403):
            raise ModelError("the server refuses the key or needs one; enter its key", code="key-refused") from None
        raise ModelError(
            f"the server has no list of models ({error.code}); check that the address ends in /v1",
            code="no-list-of-models",
        ) from None
    except (OSError, ValueError, RecursionError):
        raise ModelError(
            "no server answers at this address; start the server, or check the address", code="no-server"
        ) from None


def _look(base_url: str, title: str) -> FoundServer | None:
    try:
        return FoundServer(title, base_url, _models(_get(f"{base_url}/models", {}, LOOK_SECONDS, remote=False)), False)
    except HTTPError as error:
        return FoundServer(title, base_url, (), True) if error.code in (401, 403) else None
    except (OSError, ValueError, RecursionError):
        return None


def _get(url: str, headers: Mapping[str, str], seconds: float, *, remote: bool) -> Any:
    if not url.startswith(("http://", "https://")):
        raise ValueError("not a valid server address")
    opener = build_opener(_Stay, *(() if remote else (ProxyHandler({}),)))
    with opener.open(Request(url, headers=dict(headers)), timeout=seconds) as reply:  # noqa: S310
        data = reply.read(MAX_BYTES + 1)
    if len(data) > MAX_BYTES:
        raise ValueError("too long for a list of models")
    return json.loads(data)


def _models(body: Any) -> tuple[str, ...]:
    listed = body.get("data") if isinstance(body, dict) else None
    if not isinstance(listed, list):
        raise ValueError("not a list of models")
    names = (str(one.get("id", "")) for one in listed[:MAX_MODELS] if isinstance(one, dict))
    return tuple(sorted({name for name in names if 0 < len(name) <= MAX_NAME and not any(map(str.isspace, name))}))


def _ollama_host() -> str | None:
    given = os.environ.get("OLLAMA_HOST", "")
    try:
        parts = urlsplit(given if "//" in given else f"http://{given}")
        host = "127.0.0.1" if parts.hostname == "localhost" else parts.hostname or ""
        if not ipaddress.ip_address(host).is_loopback:
            return None
        return f"http://{f'[{host}]' if ':' in host else host}:{parts.port or 11434}/v1"
    except ValueError:
        return None


class _Stay(HTTPRedirectHandler):
    """Follows nothing: a key and a question go where they were meant to go."""

    def redirect_request(self, *_: Any) -> None:
        """Return no request."""
        return
