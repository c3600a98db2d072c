"""The Playground as tests use it: opened with the scripted model, pressed, and read."""

from collections.abc import Callable

import pytest
from streamlit.testing.v1 import AppTest

from fedprompt.workspace.playground.trial_files import owner_folder
from fedprompt.workspace.playground.trials import Trial, read_trial
from fedprompt.workspace.workspace import Workspace

__all__ = ["at", "inputs", "press", "ran", "shown_run"]

Open = Callable[..., AppTest]


@pytest.fixture
def at(home: object, open_page: Open) -> AppTest:
    """The page with the scripted model chosen."""
    opened = open_page("playground")
    opened.session_state["models_folders"] = ["scripted"]
    opened.run()
    opened.selectbox(key="playground_model").select("scripted").run()
    return opened


def inputs(at: AppTest) -> list[str]:
    return [box.label for box in at.text_area if (box.key or "").startswith("playground_field_")]


def ran(at: AppTest, ws: Workspace) -> Trial:
    """Return the run that the page shows."""
    return read_trial(owner_folder(ws.home, ""), shown_run(at))


def shown_run(at: AppTest) -> str:
    run = at.query_params["run"]
    return run if isinstance(run, str) else str(run[0])


def press(at: AppTest, key: str) -> AppTest:
    at.button(key=key).click().run()
    assert not at.exception
    return at
