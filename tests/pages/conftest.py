"""A home of its own for each test, a finished demo to look at, and pages that run without a server."""

import shutil
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import streamlit as st
from streamlit.testing.v1 import AppTest

from fedprompt.workspace.workspace import Workspace, open_workspace
from tests.demo_bank import fill
from tests.new_bank import put_bank

ROOT = Path(__file__).parents[2]
Open = Callable[..., AppTest]


@pytest.fixture(scope="session", autouse=True)
def _without_scanning_packages() -> Iterator[None]:
    """Keep Streamlit from reading the metadata of every installed package at the start of each page."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("streamlit.components.v2.manifest_scanner.scan_component_manifests", list)
        yield


@pytest.fixture(scope="session")
def finished_demo(tmp_path_factory: pytest.TempPathFactory) -> Path:
    home = tmp_path_factory.mktemp("finished")
    with open_workspace(home) as ws:
        fill(ws)
    return home


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """An empty home; jobs run at once, in this process."""
    monkeypatch.setenv("FEDPROMPT_HOME", str(tmp_path / "home"))
    monkeypatch.setenv("FEDPROMPT_JOBS", "inline")
    monkeypatch.delenv("FEDPROMPT_ROLE", raising=False)
    yield tmp_path / "home"
    st.cache_resource.clear()


@pytest.fixture
def demo_home(home: Path, finished_demo: Path) -> Path:
    """A home whose bank holds a finished demo."""
    shutil.copytree(finished_demo, home)
    return home


@pytest.fixture
def ws(home: Path, request: pytest.FixtureRequest) -> Iterator[Workspace]:
    """The home's workspace; where a test asks for the finished demo, it is there first."""
    if "demo_home" in request.fixturenames:
        request.getfixturevalue("demo_home")
    elif not (home / "bank.db").exists():  # a page that was opened earlier made it
        put_bank(home / "bank.db")
    with open_workspace(home) as opened:
        yield opened


@pytest.fixture
def tuned(ws: Workspace, demo_home: Path) -> str:
    """The demo's prompt of the third round together."""
    return [row.id for row in ws.bank.prompts() if row.origin == "federated"][2]


@pytest.fixture
def open_page(home: Path) -> Open:
    """Run a page by itself and return it; ``p`` are the prompt ids of a deep link."""

    def opened(page: str, *p: str) -> AppTest:
        at = AppTest.from_file(str(ROOT / "pages" / f"{page}.py"), default_timeout=30)
        at.query_params["p"] = list(p)
        at.session_state[f"{page}_fold"] = False  # a line for each prompt; test_revisions looks at runs that are folded
        at.run()
        assert not at.exception
        return at

    return opened
