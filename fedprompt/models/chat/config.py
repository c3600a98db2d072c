"""The machine's chat models: ``models.toml`` in the home folder, readable by its owner alone, and the environment.

Invariant: what stands here (servers, keys, prices) reaches no study, bank, log or error; only a host's name is shown
by ``doctor`` and kept in a site's own ledger. Calls go to this machine unless ``allow`` names the host.
"""

import ipaddress
import os
import re
import stat
import tomllib
from pathlib import Path
from typing import Annotated, Literal, Self
from urllib.parse import urlsplit

from pydantic import Field, SecretStr, StringConstraints, ValidationError, model_validator

from fedprompt.boundary.checked import Bounds, Unfit, checked_value
from fedprompt.errors import ModelError, did_you_mean
from fedprompt.models.chat.cost import Price
from fedprompt.models.chat.protocol import CHAT
from fedprompt.study.schema import Closed

__all__ = ["FILE", "ChatSettings", "Machine", "chat_settings", "configured", "is_chat", "read_machine"]

FILE = "models.toml"
MAX_BYTES = 256 * 1024
_BOUNDS = Bounds(MAX_BYTES, values=20_000, nested=3_000, members=1_000, depth=6)
OPENAI = "https://api.openai.com/v1"
# A drive letter or a scheme is no provider: two letters or more, and no slash after the colon.
_PROVIDER = re.compile(r"[a-z][a-z0-9_]+:(?!/)\S")
Option = Literal["max_tokens", "temperature", "top_p", "seed", "stop"]
Variable = Annotated[str, StringConstraints(pattern=r"^[A-Za-z_][A-Za-z0-9_]{0,99}$")]


class ChatSettings(Closed):
    """One chat model of this machine; ``model`` is ``provider:model`` in LangChain's words.

    ``price`` is a million tokens' and nothing is assumed without it; ``method`` fixes how a choice is answered;
    ``leave_out`` names settings that the server does not take.
    """

    model: Annotated[str, StringConstraints(pattern=r"^[a-z][a-z0-9_]+:\S{1,200}$")]
    base_url: Annotated[str, StringConstraints(max_length=2000)] | None = None
    key: SecretStr | None = None
    key_env: Variable | None = None
    concurrency: Annotated[int, Field(ge=1, le=256)] = 4
    requests_per_second: Annotated[float, Field(gt=0, le=10_000)] | None = None
    retries: Annotated[int, Field(ge=0, le=20)] = 4
    timeout: Annotated[float, Field(gt=0, le=3600)] = 60.0
    method: Literal["likelihood", "constrained"] | None = None
    constrain: Literal["instruction", "json-schema"] = "instruction"
    leave_out: Annotated[tuple[Option, ...], Field(max_length=16)] = ()
    price: Price | None = None

    @model_validator(mode="after")
    def _one_key(self) -> Self:
        if self.key is not None and self.key_env is not None:
            raise ValueError("give either key or key_env, not both")
        return self

    @property
    def provider(self) -> str:
        """LangChain's word for who serves it."""
        return self.model.split(":", 1)[0]

    def url(self) -> str:
        """Return the server's address.

        Raises:
            ModelError: there is none, or it is not an address of a server.
        """
        found = self.base_url
        if found is None and self.provider == "openai":
            found = os.environ.get("OPENAI_BASE_URL") or OPENAI
        if found is None:
            raise ModelError(
                f"the chat model '{self.model}' has no base_url; add it to a [chat.NAME] part of {FILE} in the "
                "home folder, so that the destination of cases is known",
                code="no-base-url",
            )
        try:
            parts = urlsplit(found)
            usable = parts.scheme in ("http", "https") and parts.hostname and parts.port != 0
        except ValueError:
            usable = False
        if not usable or parts.username is not None or parts.query or parts.fragment:
            raise ModelError(
                f"the base_url of the chat model '{self.model}' is not an address such as "
                f"http://127.0.0.1:8080/v1; correct it in {FILE} or in OPENAI_BASE_URL (keys belong under key "
                "or key_env)",
                code="not-an-address",
            )
        return found

    @property
    def host(self) -> str:
        """The server's host, in small letters."""
        return (urlsplit(self.url()).hostname or "").lower()

    @property
    def remote(self) -> bool:
        """Whether calls leave this machine."""
        try:
            return not ipaddress.ip_address(self.host).is_loopback
        except ValueError:
            return self.host != "localhost"

    def secret(self) -> SecretStr | None:
        """Return the key; the provider's own variable is taken only for the provider's own server.

        Raises:
            ModelError: the variable that ``key_env`` names is not set, or a server elsewhere would go without a key.
        """
        if self.key is not None:
            return self.key
        common = self.provider == "openai" and self.base_url is None
        name = self.key_env or ("OPENAI_API_KEY" if common else None)
        found = os.environ.get(name) if name else None
        if found:
            return SecretStr(found)
        if self.key_env or self.remote:
            where = f"set {name} in the environment" if name else f"give it under key or key_env in {FILE}"
            raise ModelError(f"there is no key for the chat model '{self.model}'; {where}", code="no-key")
        return None


class Machine(Closed):
    """All that ``models.toml`` holds. ``allow`` names hosts elsewhere that cases may be sent to.

    ``http://HOST`` allows plain HTTP too, which whoever carries it can read.
    """

    allow: Annotated[
        tuple[Annotated[str, StringConstraints(min_length=1, max_length=260)], ...], Field(max_length=1000)
    ] = ()
    chat: dict[Annotated[str, StringConstraints(pattern=r"^[\w.-]{1,60}$")], ChatSettings] = Field(default_factory=dict)

    def permit(self, settings: ChatSettings) -> None:
        """Refuse a server that cases may not be sent to.

        Raises:
            ModelError: it is not on this machine and not allowed, or is asked without encryption.
        """
        if not settings.remote:
            return
        listed = {entry.lower() for entry in self.allow}
        plain = urlsplit(settings.url()).scheme == "http"
        if f"http://{settings.host}" in listed or (not plain and settings.host in listed):
            return
        if plain and settings.host in listed:
            raise ModelError(
                f"the chat model '{settings.model}' would be called over plain http, which others on the "
                f"network can read; use https, or write http:// before its host under 'allow' in {FILE}",
                code="plain-http",
            )
        raise ModelError(
            f"the chat model '{settings.model}' is on another machine, and sending cases there is not allowed. "
            f"To allow it, add its host to 'allow = [...]' in {FILE} in the home folder ('fedprompt doctor' "
            "shows hosts)",
            code="may-not-be-sent",
        )


def is_chat(name: str) -> bool:
    """Return whether a model's name is ``provider:model`` or ``chat:NAME``; a folder that is there is neither."""
    return _PROVIDER.match(name) is not None and not Path(name).exists()


def read_machine(home: Path) -> Machine:
    """Return what ``models.toml`` in the home folder says; nothing is allowed and named where there is none.

    Raises:
        ModelError: others may read it, it is too large, or it does not hold what it should; names the place.
    """
    path = home / FILE
    try:
        with path.open("rb") as file:
            about = os.fstat(file.fileno())
            if about.st_mode & (stat.S_IRWXG | stat.S_IRWXO):
                raise ModelError(
                    f"{path} contains keys but is readable by others; run 'chmod 600 {path}'", code="others-can-read"
                )
            data = file.read(MAX_BYTES + 1)
    except FileNotFoundError:
        return Machine()
    except OSError as error:
        raise ModelError(
            f"{path} cannot be read ({error.strerror}); check that the file is yours", code="cannot-read"
        ) from None
    if len(data) > MAX_BYTES:
        raise ModelError(
            f"{path} is larger than {MAX_BYTES:,} bytes, so it is not a list of chat models", code="too-large"
        )
    try:
        return checked_value(Machine, tomllib.loads(data.decode("utf-8")), _BOUNDS)
    except tomllib.TOMLDecodeError as error:
        place = re.search(r"at line \d+, column \d+", str(error))  # nothing of the line itself: it may hold a key
        raise ModelError(f"{path}: not valid TOML ({place[0] if place else 'at its end'})", code="not-toml") from None
    except Unfit as error:
        field = ".".join(map(str, error.place)) or "file"
        raise ModelError(f"{path}: {field}: {error.reason}", code="not-well-formed") from None
    except (ValueError, RecursionError) as error:
        raise ModelError(f"{path}: not UTF-8 TOML ({type(error).__name__})", code="not-utf-8") from None


def configured(home: Path) -> tuple[str, ...]:
    """Return the names of this machine's chat models, none where its file cannot be used."""
    try:
        return tuple(f"{CHAT}:{name}" for name in sorted(read_machine(home).chat))
    except ModelError:
        return ()


def chat_settings(name: str, machine: Machine) -> ChatSettings:
    """Return the settings of ``chat:NAME``, or of ``provider:model`` where one entry is for it, else the defaults.

    Raises:
        ModelError: there is no such name, or several entries are for that model.
    """
    prefix, _, rest = name.partition(":")
    if prefix == CHAT:
        if rest not in machine.chat:
            known = ", ".join(sorted(machine.chat)) or "none"
            raise ModelError(
                f"unknown chat model '{name}'{did_you_mean(rest, machine.chat)}; {FILE} in the home folder has {known}",
                code="unknown-model",
            )
        return machine.chat[rest]
    fitting = {key: entry for key, entry in machine.chat.items() if entry.model == name}
    if len(fitting) > 1:
        told = ", ".join(f"'chat:{key}'" for key in sorted(fitting))
        raise ModelError(f"{FILE} has several entries for '{name}'; use one of {told}", code="several-entries")
    if fitting:
        return next(iter(fitting.values()))
    try:
        return ChatSettings(model=name)
    except ValidationError:
        raise ModelError(
            f"'{name}' is not a valid chat model name; write provider:model, for example openai:gpt-4o-mini",
            code="unknown-model",
        ) from None
