"""What a model's name stands for is read from the name, and a list lets in what it names and nothing else."""

from pathlib import Path

import pytest

from fedprompt.errors import ModelError
from fedprompt.models.sources import WORDS, Source, is_listed, source_of
from fedprompt.private_file import write_private


@pytest.fixture
def home(tmp_path: Path) -> Path:
    """A home with one model that was fetched, and a chat model's server on this machine and elsewhere."""
    (tmp_path / "home" / "models" / "owner--small@v1").mkdir(parents=True)
    write_private(
        tmp_path / "home" / "models.toml",
        '[chat.near]\nmodel = "openai:near"\nbase_url = "http://127.0.0.1:1/v1"\n'
        '[chat.far]\nmodel = "openai:far"\nbase_url = "https://models.example.org/v1"\n',
    )
    return tmp_path / "home"


@pytest.mark.parametrize(
    ("name", "kind", "word"),
    [
        ("scripted", "built in", "bundled"),
        ("smollm2-135m-instruct", "bundled", "bundled"),
        ("FOLDER", "folder", "here"),
        ("FOLDER/tiny.gguf", "GGUF file", "here"),
        ("owner/small@v1", "fetched", "here"),
        ("owner/small", "hub", None),
        ("owner/small@v2", "hub", None),
        ("chat:near", "server here", "here"),
        ("chat:far", "server elsewhere", "servers"),
        ("openai:gpt-4o-mini", "server elsewhere", "servers"),
    ],
)
def test_a_name_tells_the_source_and_the_word_that_stands_for_it(
    home: Path, tmp_path: Path, name: str, kind: str, word: str | None
) -> None:
    (tmp_path / "tiny.gguf").write_bytes(b"not looked into")
    found = source_of(name.replace("FOLDER", str(tmp_path)), home)
    assert (found.kind, found.word) == (kind, word)
    assert is_listed(found, WORDS) is (word is not None)
    assert is_listed(found, [found.name])
    assert not is_listed(found, [])


def test_a_folder_that_is_called_like_a_word_is_not_let_in_by_the_word(tmp_path: Path) -> None:
    assert not is_listed(Source("bundled", "folder", str(tmp_path / "bundled")), ["bundled"])
    assert not is_listed(Source("servers", "hub", "servers"), WORDS)


def test_another_revision_or_case_of_a_listed_name_is_another_model(home: Path) -> None:
    for name in ("owner/big@v2", "Owner/big", "owner/big@"):
        try:
            found = source_of(name, home)
        except ModelError:
            continue
        assert not is_listed(found, ["owner/big", *WORDS])


@pytest.mark.parametrize("name", ["~nobody-has-this-name/x", "a" * 300, "openai:" + "a" * 290, "\0", "..", "x\n/y"])
def test_a_name_that_is_no_path_of_any_machine_is_told_in_a_sentence_or_is_a_server(home: Path, name: str) -> None:
    try:
        found = source_of(name, home)
    except ModelError:
        return
    assert found.kind in ("server elsewhere", "folder")
    assert name == ".." or not Path(name[:200]).exists()
