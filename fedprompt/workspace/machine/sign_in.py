"""Whether people sign in here: the ``[auth]`` section of Streamlit's secrets, checked before anything listens.

Invariant: a section that lacks something, or a file that cannot be read, is an error and never means that no sign-in is
needed.
"""

import ipaddress
import os
import tomllib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from urllib.parse import urlsplit

from fedprompt.errors import FedPromptError
from fedprompt.extras import pip_command

__all__ = ["FILE", "SignIn", "is_loopback", "read_sign_in", "secrets_files", "sign_in_of"]

FILE = "secrets.toml"
MAX_BYTES = 256 * 1024
LEAST_SECRET = 32
CALLBACK = "/oauth2callback"
OF_PROVIDER = ("client_id", "client_secret", "server_metadata_url")
GUIDE = "the guide on signing in has a complete section"
Section = Mapping[str, object]


@dataclass(frozen=True)
class SignIn:
    """How people sign in: ``providers`` as Streamlit names them; ``origin``, under which browsers see the app.

    Where the origin has ``{port}`` in it, Streamlit puts the server's port there.
    """

    providers: tuple[str, ...]
    origin: str


def sign_in_of(secrets: Section) -> SignIn | None:
    """Return what the secrets say of signing in; None where they have no ``[auth]``.

    Raises:
        FedPromptError: the section lacks something, or Authlib is not installed.
    """
    if "auth" not in secrets:
        return None
    auth = secrets["auth"]
    if not isinstance(auth, Mapping):
        raise FedPromptError(f"'auth' in {FILE} is not a section; write [auth] ({GUIDE})", code="not-well-formed")
    address = _given(auth, "redirect_uri", "[auth]")
    cookie = _given(auth, "cookie_secret", "[auth]")
    if len(cookie) < LEAST_SECRET:
        raise FedPromptError(
            f"cookie_secret in {FILE} has fewer than {LEAST_SECRET} characters. Anyone who guesses it can sign "
            "in as anyone; create one with: python -c 'import secrets; print(secrets.token_hex(32))'",
            code="secret-too-short",
        )
    named = {
        name: value for name, value in auth.items() if isinstance(value, Mapping) and set(value) & set(OF_PROVIDER)
    }
    sections: dict[str, Section] = {**({"default": auth} if not named or set(auth) & set(OF_PROVIDER) else {}), **named}
    for name, section in sections.items():
        where = "[auth]" if section is auth else f"[auth.{name}]"
        if "_" in name:
            raise FedPromptError(
                f"{where} in {FILE}: Streamlit does not allow '_' in a provider's name; remove it",
                code="odd-provider-name",
            )
        for key in OF_PROVIDER:
            _given(section, key, where)
        _check_url(_given(section, "server_metadata_url", where), "server_metadata_url")
    _check_url(address, "redirect_uri")
    parts = urlsplit(address)
    if not parts.path.endswith(CALLBACK):
        raise FedPromptError(f"redirect_uri in {FILE} must end in {CALLBACK}", code="redirect-uri")
    if find_spec("authlib") is None:
        raise FedPromptError(
            f"sign-in needs the package Authlib; run: {pip_command('signin')}",
            code="package-missing",
        )
    return SignIn(tuple(sections), f"{parts.scheme}://{parts.netloc}")


def secrets_files(home: Path, root: Path) -> tuple[Path, ...]:
    """Return the secrets' files that there are, the strongest last: the user's, the app folder's, the home's.

    Args:
        home: the home folder of fedprompt.
        root: the folder that the app is started in.
    """
    places = (*_own_folder(), root / ".streamlit", root / "app" / ".streamlit", home)
    return tuple(dict.fromkeys(folder / FILE for folder in places if (folder / FILE).exists()))


def read_sign_in(files: Sequence[Path]) -> SignIn | None:
    """Return what files of secrets say of signing in, as Streamlit will read them; None where none has ``[auth]``.

    Raises:
        FedPromptError: a file cannot be read, or others can read it, or the section lacks something.
    """
    secrets: dict[str, object] = {}
    for path in files:
        secrets |= _read(path)
    return sign_in_of(secrets)


def is_loopback(address: str | None) -> bool:
    """Return whether only this machine reaches an address; no address means every one."""
    if address == "localhost":
        return True
    try:
        return ipaddress.ip_address((address or "").strip("[]")).is_loopback
    except ValueError:
        return False


def _own_folder() -> tuple[Path, ...]:
    try:
        return (Path.home() / ".streamlit",)
    except RuntimeError:  # this user has no home directory
        return ()


def _read(path: Path) -> dict[str, object]:
    try:
        with path.open("rb") as file:
            open_to_others = os.fstat(file.fileno()).st_mode & 0o077
            content = file.read(MAX_BYTES + 1)
    except OSError as error:
        raise FedPromptError(
            f"{path} cannot be read ({error.strerror}); correct it or delete it", code="cannot-read"
        ) from error
    if len(content) > MAX_BYTES:
        raise FedPromptError(
            f"{path} is longer than {MAX_BYTES // 1024} KB; check that it is the right file", code="too-large"
        )
    try:
        found = tomllib.loads(content.decode())
    except (ValueError, RecursionError):  # what it says may be part of a secret
        raise FedPromptError(
            f"{path} is not valid TOML; correct it, nobody can sign in until then", code="not-toml"
        ) from None
    if "auth" in found and open_to_others:
        raise FedPromptError(
            f"{path} contains secrets but is readable by others; run 'chmod 600' on it", code="others-can-read"
        )
    return found


def _given(section: Section, key: str, where: str) -> str:
    value = section.get(key)
    if not isinstance(value, str) or not value.strip():
        raise FedPromptError(
            f"{where} in {FILE} has no {key}, so nobody can sign in; {GUIDE}", code="sign-in-incomplete"
        )
    return value.strip()


def _check_url(url: str, key: str) -> None:
    """Refuse an address over which codes and keys would travel in the open."""
    try:
        parts = urlsplit(url)
        host = parts.hostname or ""
    except ValueError:
        host = ""
    if not host or parts.scheme not in ("http", "https") or parts.username is not None:
        raise FedPromptError(
            f"{key} in {FILE} is not an address such as https://prompts.example.org/...; {GUIDE}", code="not-an-address"
        )
    if parts.scheme == "http" and not is_loopback(host):
        raise FedPromptError(f"{key} in {FILE} starts with http:, which is not encrypted; use https", code="plain-http")
