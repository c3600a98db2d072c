"""A section that lacks something is an error, and never means that no sign-in is needed."""

import re
import sys
from pathlib import Path
from typing import Any

import pytest

from fedprompt.errors import FedPromptError
from fedprompt.extras import pip_command
from fedprompt.workspace.machine.sign_in import is_loopback, read_sign_in, secrets_files, sign_in_of
from tests.coded import coded

AUTH = {
    "redirect_uri": "https://prompts.example.org/oauth2callback",
    "cookie_secret": "c" * 32,
    "client_id": "fedprompt",
    "client_secret": "s",
    "server_metadata_url": "https://id.example.org/.well-known/openid-configuration",
}
OURS = {key: AUTH[key] for key in ("redirect_uri", "cookie_secret")}
THEIRS = {key: AUTH[key] for key in ("client_id", "client_secret", "server_metadata_url")}


def write(path: Path, auth: dict[str, Any] | None, mode: int = 0o600) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    lines = ["other = 1", *(["[auth]", *(f'{key} = "{value}"' for key, value in auth.items())] if auth else [])]
    path.write_text("\n".join(lines))
    path.chmod(mode)
    return path


def test_secrets_without_the_section_mean_that_nobody_signs_in() -> None:
    assert sign_in_of({"other": 1}) is None
    assert read_sign_in([]) is None


def test_a_whole_section_names_its_provider_and_where_browsers_see_the_app() -> None:
    found = sign_in_of({"auth": {**AUTH, "client_kwargs": {"scope": "openid"}}})
    assert found is not None
    assert (found.providers, found.origin) == (("default",), "https://prompts.example.org")


def test_named_providers_stand_beside_each_other() -> None:
    found = sign_in_of({"auth": {**OURS, "okta": THEIRS, "google": THEIRS}})
    assert found is not None and found.providers == ("okta", "google")
    both = sign_in_of({"auth": {**AUTH, "google": THEIRS}})
    assert both is not None and both.providers == ("default", "google")


@pytest.mark.parametrize("key", AUTH)
@pytest.mark.parametrize("value", [None, "", " ", 7])
def test_whatever_the_section_lacks_is_named(key: str, value: object) -> None:
    auth = {**AUTH, key: value}
    if value is None:
        del auth[key]
    with pytest.raises(FedPromptError, match=key, check=coded("sign-in-incomplete")):
        sign_in_of({"auth": auth})


@pytest.mark.parametrize(
    ("auth", "code", "names"),
    [
        ({}, "sign-in-incomplete", "redirect_uri"),
        ("yes", "not-well-formed", ""),
        ({**OURS, "google": {"client_id": "x"}}, "sign-in-incomplete", "client_secret"),
        ({**OURS, "my_own": THEIRS}, "odd-provider-name", ""),
        ({**AUTH, "cookie_secret": "c" * 31}, "secret-too-short", ""),
        ({**AUTH, "redirect_uri": "https://prompts.example.org/"}, "redirect-uri", ""),
        ({**AUTH, "redirect_uri": "http://prompts.example.org/oauth2callback"}, "plain-http", ""),
        ({**AUTH, "server_metadata_url": "http://id.example.org/x"}, "plain-http", ""),
        ({**AUTH, "server_metadata_url": "file:///etc/passwd"}, "not-an-address", ""),
        ({**AUTH, "server_metadata_url": "https://[x/"}, "not-an-address", ""),
    ],
)
def test_a_section_that_would_be_unsafe_or_unusable_is_refused(auth: object, code: str, names: str) -> None:
    with pytest.raises(FedPromptError, check=coded(code, names=names)):
        sign_in_of({"auth": auth})


def test_without_authlib_one_sentence_names_the_pip_command(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "authlib", None)  # as the import system marks what is not there
    with pytest.raises(FedPromptError, match=re.escape(pip_command("signin")), check=coded("package-missing")):
        sign_in_of({"auth": AUTH})
    assert sign_in_of({}) is None


def test_http_is_taken_on_loopback_alone() -> None:
    at = "http://localhost:{port}/oauth2callback"
    found = sign_in_of({"auth": {**AUTH, "redirect_uri": at, "server_metadata_url": "http://127.0.0.1:9/x"}})
    assert found is not None and found.origin == "http://localhost:{port}"


def test_the_homes_file_is_the_strongest(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", str(tmp_path / "user"))
    home, root = tmp_path / "home", tmp_path / "root"
    assert secrets_files(home, root) == ()
    kept = [
        write(tmp_path / "user" / ".streamlit" / "secrets.toml", None),
        write(root / ".streamlit" / "secrets.toml", {**AUTH, "client_id": ""}),
        write(home / "secrets.toml", AUTH),
    ]
    assert secrets_files(home, root) == tuple(kept)
    assert read_sign_in(kept) is not None
    with pytest.raises(FedPromptError, match="client_id", check=coded("sign-in-incomplete")):
        read_sign_in(kept[:2])


def test_a_file_that_others_read_or_that_is_damaged_is_refused_without_a_word_of_it(tmp_path: Path) -> None:
    with pytest.raises(FedPromptError, check=coded("others-can-read")):
        read_sign_in([write(tmp_path / "secrets.toml", AUTH, 0o644)])
    assert read_sign_in([write(tmp_path / "open.toml", None, 0o644)]) is None
    broken = tmp_path / "broken.toml"
    broken.write_text("[auth]\ncookie_secret = hush-hush")
    with pytest.raises(FedPromptError, check=coded("not-toml")) as told:
        read_sign_in([broken])
    assert not re.search("hush", str(told.value))
    with pytest.raises(FedPromptError, check=coded("cannot-read")):
        read_sign_in([tmp_path])


@pytest.mark.parametrize(
    ("address", "expected"),
    [("127.0.0.1", True), ("127.9.9.9", True), ("::1", True), ("[::1]", True), ("localhost", True)]
    + [(odd, False) for odd in (None, "", "0.0.0.0", "::", "192.168.0.4", "localhost.evil.com", "unix:///run/x")],
)
def test_loopback_is_what_only_this_machine_reaches(address: str | None, expected: bool) -> None:
    assert is_loopback(address) is expected
