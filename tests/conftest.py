"""What every test shares: a home of its own, the real assets fetched once, and a real browser.

Invariant: no test reads or writes the home of whoever runs it, and none asks a model hub for anything.
"""

import gc
import os
import shutil
from collections.abc import Generator, Iterator
from pathlib import Path
from typing import TYPE_CHECKING

os.environ.setdefault("GOMP_SPINCOUNT", "30000")  # before torch: see fedprompt.models.threads
os.environ["HF_HUB_OFFLINE"] = "1"  # read when transformers is imported

import pytest
from hypothesis import settings

if TYPE_CHECKING:
    from playwright.sync_api import Browser

ROOT = Path(__file__).resolve().parent.parent
BROWSERS = ("chromium", "chromium-browser", "google-chrome")
BROWSER_OPTIONS = (
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
)

# A shared machine may pause for longer than hypothesis's 200 ms an example.
settings.register_profile("shared", deadline=None)
settings.register_profile("quick", settings.get_profile("shared"), max_examples=25)  # for `make quick`
settings.register_profile("nightly", settings.get_profile("shared"), max_examples=10_000)  # see CONTRIBUTING.md
settings.load_profile("shared")


@pytest.hookimpl(wrapper=True)
def pytest_collection() -> Generator[None, object, object]:
    """Switch garbage collection off while tests are collected, which takes a third of that time; then on again.

    What collecting made stays to the end, so that later collections need not look at it.
    """
    gc.disable()
    try:
        return (yield)
    finally:
        gc.freeze()
        gc.enable()


def pytest_runtest_setup(item: pytest.Item) -> None:
    """Skip a browser test where there is no browser, before any of its fixtures starts; in CI, fail it."""
    if item.get_closest_marker("browser") is None or find_browser() is not None:
        return
    sentence = (
        "there is no Chromium; install one (Debian: apt-get install chromium) "
        "or name its executable in FEDPROMPT_CHROMIUM"
    )
    if os.environ.get("FEDPROMPT_CI"):
        pytest.fail(sentence, pytrace=False)
    pytest.skip(sentence)


def find_browser() -> str | None:
    """Return the system's Chromium: ``$FEDPROMPT_CHROMIUM``, or the first on the PATH; None if there is none."""
    named = os.environ.get("FEDPROMPT_CHROMIUM")
    return next(filter(None, map(shutil.which, (named,) if named else BROWSERS)), None)


@pytest.fixture(scope="session", autouse=True)
def _not_the_users_home(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """Make the default home a temporary one."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("FEDPROMPT_HOME", str(tmp_path_factory.mktemp("default-home")))
        yield


@pytest.fixture(scope="session")
def home_with_assets() -> Path:
    """Return a home whose assets are ready; it is kept, so that the next run fetches nothing.

    Write no bank into it: take ``fresh_home`` for that.
    """
    from fedprompt.workspace.assets import pull_assets
    from fedprompt.workspace.home import find_home

    home = find_home(ROOT / ".cache" / "test-home")
    pull_assets(home)
    return home.path


@pytest.fixture
def fresh_home(home_with_assets: Path, tmp_path: Path) -> Path:
    """Return an empty home of this test's own; its assets are a link to the shared ones."""
    home = tmp_path / "home"
    home.mkdir(mode=0o700)
    (home / "assets").symlink_to(home_with_assets / "assets", target_is_directory=True)
    return home


@pytest.fixture(scope="module")
def browser() -> Iterator["Browser"]:
    """Yield the system's Chromium, headless.

    Once a module and not once a session: while it is open its event loop counts as running in this thread.
    """
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        chromium = playwright.chromium.launch(executable_path=find_browser(), headless=True, args=list(BROWSER_OPTIONS))
        yield chromium
        chromium.close()
