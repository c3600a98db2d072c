"""Takes a picture of every page, light and dark, wide and narrow: ``python -m scripts.screenshots --home HOME``.

A copy of the home is shown, with a small file of cases that is ranked and tuned on in view, and then an empty home: the
home that is given is only read. Pictures go to docs/screenshots/, and docs/screenshots/README.md shows them all. The
paths in them are those of a person called ada.
"""

import argparse
import csv
import io
import os
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Literal
from urllib.error import URLError
from urllib.request import urlopen

from PIL import Image
from playwright.sync_api import Browser, Page, TimeoutError, sync_playwright

from fedprompt.workspace.cases.data_view import look_at
from fedprompt.workspace.cases.evaluation_sets import evaluation_sets, keep_file, keep_reading, own_site
from fedprompt.workspace.cases.study_draft import draft_of, keep_study
from fedprompt.workspace.door.entry_token import entry_of
from fedprompt.workspace.home import Home
from fedprompt.workspace.workspace import open_workspace
from scripts.screenshot import chromium, settle, show, take
from scripts.small_png import shrunk

ROOT = Path(__file__).resolve().parent.parent
OUT = ROOT / "docs" / "screenshots"
PAGES = (
    "overview",
    "shared",
    "playground",
    "compare",
    "models",
    "leaderboard",
    "map",
    "bank",
    "data",
    "new_study",
    "tune",
    "federation",
    "trust",
)
LOOKS: tuple[tuple[Literal["light", "dark"], int], ...] = (
    ("light", 1440),
    ("dark", 1440),
    ("light", 800),
    ("dark", 800),
)
# Page -> what else there is of it: (a name, what it shows).
MORE = {
    "overview": (("overview-running", "while a job runs"), ("overview-hub", "a hub"), ("overview-site", "a site")),
    "playground": (("playground-two", "two variants after a run"),),
    "bank": (("bank-look", "a look inside an export"),),
    "tune": (("tune-running", "while it runs"),),
    "federation": (("federation-hub", "a hub"),),
    "trust": (("trust-site", "a site"),),
}
TITLES = {"shared": "Use shared prompts"}  # of pages whose file is called otherwise
ADDRESSED = ("compare", "bank", "trust")  # pages whose address names the prompts that they show
PORT = 8599
SECONDS = 600_000  # for the slowest thing that is waited for, in milliseconds
PATIENCE = 120_000  # for the timing of ten steps
SHOWN_HOME = "/home/ada"
WAITS = "[data-testid=stApp][data-test-script-state=notRunning]"
RENAME = """
([from, to]) => {
  const walk = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
  while (walk.nextNode()) walk.currentNode.textContent = walk.currentNode.textContent.replaceAll(from, to);
}
"""


def main(arguments: Sequence[str] | None = None) -> int:
    """Take the pictures; return 0, or 1 with a sentence where there is no browser or no app."""
    parser = argparse.ArgumentParser(description="Take a picture of every page.")
    parser.add_argument("--home", type=Path, required=True, help="a home whose demo has run; it is only read")
    parser.add_argument("--out", type=Path, default=OUT, help="where to (default: docs/screenshots)")
    parser.add_argument("--pages", nargs="+", choices=PAGES, default=PAGES)
    chosen = parser.parse_args(arguments)
    found = chromium()
    if found is None:
        return 1
    with sync_playwright() as playwright, tempfile.TemporaryDirectory(prefix="screenshots-") as place:
        browser = playwright.chromium.launch(executable_path=found, args=["--no-sandbox", "--disable-gpu"])
        full, empty = Path(place) / "full" / ".fedprompt", Path(place) / "empty" / ".fedprompt"
        _copy(chosen.home.expanduser(), full)
        _take(Camera(browser, full, chosen.out), chosen.pages)
        _take_empty(Camera(browser, empty, chosen.out), chosen.pages)
        browser.close()
    _index(chosen.out)
    return 0


class Camera:
    """A browser that looks at the app of one home; ``person`` is where the home's owner lives."""

    def __init__(self, browser: Browser, home: Path, out: Path) -> None:
        self.browser, self.home, self.out = browser, home, out
        self.person = home.parent

    def page(self, theme: Literal["light", "dark"] = "light") -> Page:
        """Return a new page."""
        return self.browser.new_context(color_scheme=theme).new_page()

    def open(self, page: Page, name: str, width: int, query: str = "") -> None:
        """Open a page of the app."""
        path = f"/{'' if name == 'overview' else name}{query}"
        show(page, entry_of(Home(self.home), PORT).address(f"http://127.0.0.1:{PORT}", path), width)

    def save(self, page: Page, name: str, width: int) -> None:
        """Save what is shown, small, with no trace of the mouse and of this machine's paths."""
        page.mouse.move(width - 4, 450)  # the margin: nothing there answers to a mouse
        page.evaluate("document.activeElement && document.activeElement.blur()")
        page.evaluate(RENAME, [str(self.person), SHOWN_HOME])
        out = self.out / f"{name}.png"
        take(page, out, width)
        with Image.open(out) as picture:
            small = shrunk(picture)
        small.save(out, optimize=True)
        print(out)

    @contextmanager
    def app(self, role: str = "alone") -> Iterator[None]:
        """Run the app on the home as a person called ada would."""
        command = [sys.executable, "-m", "fedprompt.cli", "ui", "--no-demo", "--role", role]
        command += ["--home", str(self.home), "--port", str(PORT)]
        person = {"HOME": str(self.person), "USER": "ada", "LOGNAME": "ada", "PYTHONPATH": str(ROOT)}
        app = subprocess.Popen(command, env={**os.environ, **person}, stdout=subprocess.DEVNULL, text=True)
        try:
            _await(app)
            yield
        finally:
            app.send_signal(signal.SIGINT)
            app.wait(60)


def _await(app: "subprocess.Popen[str]") -> None:
    """Wait until the app answers."""
    for _ in range(120):
        try:
            with urlopen(f"http://127.0.0.1:{PORT}/_stcore/health", timeout=60):
                return
        except URLError:
            if app.poll() is not None:
                break
            time.sleep(0.5)
    raise SystemExit("the app did not start")


def _copy(home: Path, to: Path) -> None:
    """Copy of a home what pages show: its bank, its ledgers and replies, no key and no case; add a file of cases."""
    to.mkdir(parents=True)
    with open_workspace(home) as ws:
        ws.bank.backup(to / "bank.db")
    (to / "assets").symlink_to(home.absolute() / "assets")
    for ledger in (home / "sites").rglob("ledger.jsonl"):
        copy = to / ledger.relative_to(home)
        copy.parent.mkdir(parents=True)
        shutil.copy(ledger, copy)
        if (replies := ledger.with_name("replies.db")).is_file():  # without them Trust would warn that they are lost
            shutil.copy(replies, copy.with_name("replies.db"))
    with open_workspace(to) as ws:
        path = keep_file(ws.home, own_site(ws.home), "reviews.csv", _cases())
        view = look_at(path, None, min_cases=30)
        reading = view.reading
        assert reading is not None
        (found,) = (one for one in evaluation_sets(ws.home) if one.path == path)
        keep_reading(found, reading)
        keep_study(ws.home, draft_of(reading, "reviews"))


def _cases() -> bytes:
    """Return 160 labelled reviews as CSV; every second one is kind."""
    things = ("kettle", "lamp", "bag", "radio", "chair", "watch", "tent", "bike")
    kind = (
        "works better than I hoped",
        "was worth every penny",
        "makes me smile",
        "is lovely and sturdy",
        "just works",
    )
    harsh = (
        "broke within a week",
        "was a waste of money",
        "never worked",
        "looks cheap and feels worse",
        "let me down",
    )
    ends = ("", " I told my friends.")
    found: list[tuple[str, str]] = []
    for thing in things:
        for good, bad in zip(kind, harsh, strict=True):
            for end in ends:
                found += [(f"The {thing} {good}.{end}", "positive"), (f"The {thing} {bad}.{end}", "negative")]
    return _as_csv(found)


def _questions() -> bytes:
    """Return twenty labelled questions as CSV."""
    asked = {
        "description": (
            "Why is my parcel held at customs?",
            "What does the deposit pay for?",
            "How does the trial month work?",
            "What is a delivery window?",
        ),
        "thing": (
            "Which cable fits the old lamp?",
            "What battery does the radio take?",
            "What colour is the smaller tent?",
            "Which tool opens the back of the watch?",
        ),
        "person": (
            "Who signs for a returned chair?",
            "Who designed the folding bike?",
            "Which colleague repairs kettles?",
            "Who answers letters about invoices?",
        ),
        "place": (
            "Where are the bags sewn?",
            "Which town has your nearest shop?",
            "Where do I hand in an old radio?",
            "What country do the lamps come from?",
        ),
        "number": (
            "How many lumens has the lamp?",
            "How many months does the guarantee last?",
            "How much does the tent weigh?",
            "When was the bike first sold?",
        ),
    }
    return _as_csv([(text, label) for label, texts in asked.items() for text in texts])


def _as_csv(cases: Sequence[tuple[str, str]]) -> bytes:
    text = io.StringIO()
    csv.writer(text).writerows([("text", "label"), *cases])
    return text.getvalue().encode()


def _take(camera: Camera, pages: Sequence[str]) -> None:
    asked = _prompts(camera.home)
    with camera.app():
        # A ranking makes its study the one that pages speak of, so it comes after those that show the demo's.
        _look(camera, [name for name in pages if name not in ("new_study", "shared")], asked)
        _take_more(camera, pages, asked)
        if "new_study" in pages:
            _rank(camera)
            _look(camera, ["new_study"], asked)
        if "shared" in pages:
            file = keep_file(Home(camera.home), own_site(Home(camera.home)), "questions.csv", _questions())
            _adapt(camera)
            _look(camera, ["shared"], asked)
            file.unlink()  # pages after this show the reviews again
    for role, shown in (("hub", ("overview", "federation")), ("site", ("overview", "trust"))):
        with camera.app(role):
            for name in [one for one in shown if one in pages]:
                page = camera.page()
                camera.open(page, name, 1440)
                camera.save(page, f"{name}-{role}", 1440)
    if "tune" in pages or "overview" in pages:
        with camera.app():  # last: a job that is broken off is taken up again at the next start
            _tune(camera, pages)


def _look(camera: Camera, names: Sequence[str], asked: str) -> None:
    for theme, width in LOOKS:
        page = camera.page(theme)
        for name in names:
            camera.open(page, name, width, f"?{asked}" if name in ADDRESSED else "")
            if name == "playground":
                _run(page)
            camera.save(page, f"{name}-{theme}-{width}", width)


def _rank(camera: Camera) -> None:
    """Rank the draft's prompts on the file, so that New study has something to show."""
    page = camera.page()
    camera.open(page, "new_study", 1440)
    page.locator(".st-key-new_study_rank button:enabled").first.click()
    page.get_by_role("heading", name="First ranking").wait_for(timeout=SECONDS)
    settle(page)


def _adapt(camera: Camera) -> None:
    """Put the public prompts to work on the file of questions, so that Use shared prompts has something to show."""
    page = camera.page()
    camera.open(page, "shared", 1440)
    card = page.locator("[class*=st-key-shared_card]").filter(has_text="questions").first
    card.get_by_role("button", name=re.compile("Choose|Chosen")).click()
    page.locator(".st-key-shared_start button:enabled").first.click()
    page.get_by_role("heading", name="Value of the prompts here").wait_for(timeout=SECONDS)
    settle(page)


def _take_more(camera: Camera, pages: Sequence[str], asked: str) -> None:
    page = camera.page()
    if "bank" in pages:
        camera.open(page, "bank", 1440, f"?{asked.split('&')[-1]}")
        page.locator(".st-key-bank_look_langchain button:enabled").first.click()
        page.locator(".st-key-bank_write button").first.wait_for()
        settle(page)
        camera.save(page, "bank-look", 1440)
    if "playground" in pages:
        camera.open(page, "playground", 1440)
        page.locator(".st-key-playground_add button:enabled").first.click()
        page.locator(WAITS).wait_for()
        page.locator(".st-key-playground_template_v2 textarea").fill("Is this review good or bad? {text}\nIt is")
        page.keyboard.press("Control+Enter")
        page.locator(WAITS).wait_for()
        _run(page, answers=2)
        camera.save(page, "playground-two", 1440)


def _tune(camera: Camera, pages: Sequence[str]) -> None:
    page = camera.page()
    camera.open(page, "tune", 1440)
    start = page.locator(".st-key-tune_start button:enabled").first
    start.click()  # the first click times it; on a busy machine it starts untimed
    with suppress(TimeoutError):
        page.locator(".st-key-tune_measure button:enabled").first.wait_for(timeout=PATIENCE)
    start.click()
    page.get_by_text(re.compile(r"Step ([6-9]|\d\d) of")).first.wait_for(timeout=SECONDS)
    settle(page)
    for name in [one for one in ("tune", "overview") if one in pages]:
        if name != "tune":
            camera.open(page, name, 1440)
        camera.save(page, f"{name}-running", 1440)


def _take_empty(camera: Camera, pages: Sequence[str]) -> None:
    camera.home.mkdir(parents=True)
    with camera.app():
        page = camera.page()
        for name in pages:
            camera.open(page, name, 1440)
            camera.save(page, f"{name}-empty", 1440)


def _run(page: Page, answers: int = 1) -> None:
    page.locator(".st-key-playground_run button:enabled").first.click()
    page.get_by_text("The model answers").nth(answers - 1).wait_for(timeout=SECONDS)
    settle(page)


def _prompts(home: Path) -> str:
    """Return the part of an address that names the newest prompt tuned together and the best template."""
    with open_workspace(home) as ws:
        rows = ws.bank.prompts()
    together = [row.id for row in rows if row.origin == "federated"]
    templates = [row.id for row in rows if row.name == "text first"]
    return "&".join(f"p={one}" for one in (*together[-1:], *templates[:1]))


def _index(out: Path) -> None:
    lines = [
        "# Every page in pictures",
        "",
        "`make screenshots` takes these from a home with a finished demo. Each page's last one shows an empty home.",
        "",
    ]
    for name in PAGES:
        title = TITLES.get(name) or name.replace("_", " ").capitalize()
        shown = [(f"{name}-{theme}-{width}", f"{theme}, {width} pixels") for theme, width in LOOKS]
        shown += [*MORE.get(name, ()), (f"{name}-empty", "empty")]
        lines += [f"## {title}", ""]
        lines += [f"![{title}: {what}]({file}.png)" for file, what in shown if (out / f"{file}.png").is_file()]
        lines.append("")
    (out / "README.md").write_text("\n".join(lines), encoding="utf-8")


if __name__ == "__main__":
    sys.exit(main())
