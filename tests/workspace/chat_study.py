"""Studies of a chat model behind a real connection, and a home whose own cases are split the same way every time."""

import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest

from fedprompt.site.folder import SiteFolder
from fedprompt.workspace.cases.own_cases import OWN_SITE
from fedprompt.workspace.workspace import Workspace
from tests.chat_server import ChatServer, serve, write_models
from tests.new_bank import new_workspace
from tests.scripted_sites import write_cases

__all__ = ["CHOICE", "GENERATE", "files", "number", "server", "ws"]

PRICE = "price = {input = 100.0, output = 1000.0, currency = 'EUR'}"
CHOICE = """\
study: mood
model: chat:local
fields: [text]
answer: {type: choice, labels: [positive, negative]}
templates:
  - {name: plain, text: "Review: {text}\\nSentiment:"}
  - {name: chat, messages: [{role: system, content: You label.}, {role: user, content: "{text}"}]}
splits: {tune: 30, validation: 20, test: 20}
"""
GENERATE = """\
study: copy
model: chat:local
fields: [text]
answer: {type: generate, scorers: [exact], max_tokens: 5}
metric: score
templates: [{name: plain, text: "Say: {text}"}]
splits: {tune: 10, validation: 20, test: 20}
"""


@pytest.fixture
def server() -> Iterator[ChatServer]:
    with serve() as state:
        yield state


@pytest.fixture
def ws(tmp_path: Path, server: ChatServer) -> Iterator[Workspace]:
    write_models(tmp_path / "home", server.url, PRICE)
    SiteFolder(tmp_path / "home" / "sites" / OWN_SITE).prepare(b"k" * 32)  # the same split every time
    with new_workspace(tmp_path / "home") as workspace:
        yield workspace


def files(folder: Path, text: str = CHOICE) -> tuple[Path, Path]:
    (folder / "s.yaml").write_text(text, encoding="utf-8")
    return folder / "s.yaml", write_cases(folder / "a.csv", "a")


def number(body: Mapping[str, Any]) -> int:
    """Return the number of the case in a request; 0 for the question that holds none."""
    found = re.findall(r"quixotry-a-(\d+)", body["messages"][-1]["content"])
    return int(found[-1]) if found else 0
