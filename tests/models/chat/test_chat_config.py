"""models.toml is read from a file of the owner alone, and names where cases may go; keys show nowhere."""

from pathlib import Path

import pytest

from fedprompt.errors import ModelError
from fedprompt.models.chat.config import ChatSettings, Machine, chat_settings, configured, is_chat, read_machine
from tests.coded import coded

KEY = "sk-very-secret"


def write(home: Path, text: str, mode: int = 0o600) -> Path:
    (home / "models.toml").write_text(text, encoding="utf-8")
    (home / "models.toml").chmod(mode)
    return home


def test_without_a_file_nothing_is_named_and_nothing_allowed(tmp_path: Path) -> None:
    machine = read_machine(tmp_path)
    assert machine.chat == {} and machine.allow == ()
    with pytest.raises(ModelError, check=coded("may-not-be-sent")):
        machine.permit(chat_settings("openai:gpt-4o-mini", machine))


@pytest.mark.parametrize("mode", [0o640, 0o604, 0o660, 0o644])
def test_a_file_that_others_may_read_is_refused(tmp_path: Path, mode: int) -> None:
    with pytest.raises(ModelError, check=coded("others-can-read")):
        read_machine(write(tmp_path, "", mode))


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (f'[chat.a]\nmodel = "openai:x"\nkey = "{KEY}', "not valid TOML (at"),
        (f'[chat.a]\nmodel = "openai:x"\nkeys = "{KEY}"', "chat.a.keys"),
        (f'[chat.a]\nmodel = "openai:x"\nkey = "{KEY}"\nkey_env = "K"', "either key or key_env"),
        (f'[chat.a]\nmodel = "{KEY}"', "chat.a.model"),
        (f'[chat.a]\nmodel = "openai:x"\nconcurrency = "{KEY}"', "chat.a.concurrency"),
        ('[chat.a]\nmodel = "openai:x"\nprice = {input = -1, output = 1}', "chat.a.price.input"),
        ("\x00", "not valid TOML"),
        ("#" * 300_000, "larger than"),
    ],
)
def test_what_is_wrong_is_told_by_its_place_and_never_by_its_value(tmp_path: Path, text: str, said: str) -> None:
    with pytest.raises(ModelError) as caught:
        read_machine(write(tmp_path, text))
    assert said in str(caught.value) and KEY not in str(caught.value)
    assert caught.value.__cause__ is None


def test_a_key_is_not_in_what_is_printed_of_the_settings(tmp_path: Path) -> None:
    machine = read_machine(write(tmp_path, f'[chat.a]\nmodel = "openai:x"\nkey = "{KEY}"'))
    assert KEY not in repr(machine) and KEY not in machine.model_dump_json()
    found = machine.chat["a"].secret()
    assert found is not None and found.get_secret_value() == KEY


@pytest.mark.parametrize(
    ("name", "chat"),
    [
        ("openai:gpt-4o-mini", True),
        ("chat:local", True),
        ("azure_openai:x", True),
        ("scripted", False),
        ("smollm2-135m-instruct", False),
        ("C:/models/x", False),
        ("https://somewhere/x", False),
        ("/tmp/a:b", False),
        ("openai:", False),
    ],
)
def test_a_chat_models_name_is_told_from_others(name: str, chat: bool) -> None:
    assert is_chat(name) is chat


def test_a_folder_whose_name_looks_like_a_providers_is_a_folder(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "openai:x").mkdir()
    assert not is_chat("openai:x")


def test_names_are_found_by_entry_and_by_model(tmp_path: Path) -> None:
    text = '[chat.small]\nmodel = "openai:a"\nretries = 1\n[chat.b]\nmodel = "openai:b"\n[chat.c]\nmodel = "openai:b"'
    machine = read_machine(write(tmp_path, text))
    assert chat_settings("chat:small", machine) is chat_settings("openai:a", machine)
    assert chat_settings("openai:other", machine) == ChatSettings(model="openai:other")
    with pytest.raises(ModelError, match=r"'chat:smal'.*'small'", check=coded("unknown-model")):
        chat_settings("chat:smal", machine)
    with pytest.raises(ModelError, match=r"'chat:b'.*'chat:c'", check=coded("several-entries")):
        chat_settings("openai:b", machine)
    assert configured(tmp_path) == ("chat:b", "chat:c", "chat:small")


@pytest.mark.parametrize(
    ("url", "allow", "fine"),
    [
        ("http://127.0.0.1:1/v1", (), True),
        ("http://localhost:1/v1", (), True),
        ("http://[::1]:1/v1", (), True),
        ("https://api.example.com/v1", (), False),
        ("https://api.example.com/v1", ("api.example.com",), True),
        ("https://API.example.com/v1", ("api.example.com",), True),
        ("https://evil-api.example.com/v1", ("api.example.com",), False),
        ("http://10.0.0.5/v1", ("10.0.0.5",), False),  # readable by whoever carries it
        ("http://10.0.0.5/v1", ("http://10.0.0.5",), True),
        ("http://0.0.0.0/v1", (), False),
        ("http://127.0.0.1.example.com/v1", (), False),
        ("http://localhost.example.com/v1", (), False),
    ],
)
def test_cases_go_to_this_machine_or_where_it_is_allowed(url: str, allow: tuple[str, ...], fine: bool) -> None:
    machine, settings = Machine(allow=allow), ChatSettings(model="openai:x", base_url=url)
    if fine:
        machine.permit(settings)
    else:
        with pytest.raises(ModelError, check=coded("may-not-be-sent", "plain-http")) as caught:
            machine.permit(settings)
        assert settings.host not in str(caught.value)


@pytest.mark.parametrize(
    "url", ["ftp://x/v1", "127.0.0.1:80", "http://user:pass@127.0.0.1/v1", "http://127.0.0.1/v1?k=1", "http://[::1", ""]
)
def test_an_address_that_is_none_is_refused_without_repeating_it(url: str) -> None:
    with pytest.raises(ModelError, check=coded("not-an-address")) as caught:
        ChatSettings(model="openai:x", base_url=url or "x").url()
    assert "pass" not in str(caught.value)


def test_the_providers_own_key_goes_to_the_providers_own_server_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", KEY)
    monkeypatch.delenv("OPENAI_BASE_URL", raising=False)
    own = ChatSettings(model="openai:x")
    assert own.host == "api.openai.com" and own.secret() is not None
    assert ChatSettings(model="openai:x", base_url="http://127.0.0.1:1/v1").secret() is None
    with pytest.raises(ModelError, check=coded("no-key")):
        ChatSettings(model="openai:x", base_url="https://elsewhere.example/v1").secret()
    monkeypatch.delenv("OPENAI_API_KEY")
    with pytest.raises(ModelError, match="OPENAI_API_KEY", check=coded("no-key")):
        own.secret()


def test_a_provider_without_an_address_is_not_asked_wherever_it_likes() -> None:
    with pytest.raises(ModelError, check=coded("no-base-url")):
        ChatSettings(model="anthropic:claude").url()
