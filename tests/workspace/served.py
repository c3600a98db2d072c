"""Three prompts of a bank behind their servers, and what sends bodies to them."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from fedprompt.workspace.serve.serving import serving, token_of
from fedprompt.workspace.workspace import Workspace
from tests.new_bank import new_workspace
from tests.workspace.tagged_prompt import record

__all__ = ["ASK", "BOTH", "MOOD", "TEXT", "WRITTEN", "home", "post", "token", "urls", "ws"]

MOOD, BOTH, WRITTEN = "mood@production", "both@production", "written@production"
TEXT = "a good day"
ASK = [{"role": "user", "content": TEXT}]
WRITING = {"type": "generate", "scorers": ("exact",), "max_tokens": 8}


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("serving") / "home"


@pytest.fixture(scope="module")
def ws(home: Path) -> Iterator[Workspace]:
    with new_workspace(home) as opened:
        record(opened, MOOD, "{text}{soft} =")
        record(opened, BOTH, "{title}: {text} =")
        record(opened, WRITTEN, "{text} ->", **WRITING)
        yield opened


@pytest.fixture(scope="module")
def token(home: Path, ws: Workspace) -> str:
    return token_of(home).text


@pytest.fixture(scope="module")
def urls(home: Path, ws: Workspace, token: str) -> Iterator[dict[str, str]]:
    """Serve the three prompts; yield reference -> address."""
    kept = token_of(home)
    with (
        serving(MOOD, kept, home, port=0) as mood,
        serving(BOTH, kept, home, port=0) as both,
        serving(WRITTEN, kept, home, port=0) as written,
    ):
        yield {MOOD: mood.url, BOTH: both.url, WRITTEN: written.url}


@pytest.fixture(scope="module")
def post(urls: dict[str, str], token: str) -> Iterator[Any]:
    """Yield what sends a body to a prompt's server."""
    with httpx.Client(headers={"Authorization": f"Bearer {token}"}, timeout=20, trust_env=False) as client:

        def send(reference: str = MOOD, path: str = "/chat/completions", **body: Any) -> httpx.Response:
            return client.post(urls[reference] + path, json={"model": reference, **body})

        yield send
