"""How fast the app answers on a bank of 100,000 prompts and 2,000,000 scores, in a real browser.

    python -m benchmarks.app_latency [--home DIR] [--bank DIR] [--only pages] [--json]

Pages by a click and by their address, with a warm server and with a new one; a widget changed on the Leaderboard,
Compare and the Map; search by meaning in the library and on the page; twenty visitors at once beside a tuning job; and
the time of ``import fedprompt``. Medians of ``--repeats``. ``--bank`` keeps or reuses a made bank; the model and the
encoder come from ``--home``. The encoder reads what is searched for; the bank's texts have vectors of a stand-in, since
100,000 through the encoder take ten minutes and change nothing here.

A small run: ``--prompts 2000 --scores 8000 --visitors 3 --minutes 0.5 --repeats 3``.
"""

import argparse
import os
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from statistics import median
from typing import TYPE_CHECKING

from benchmarks.bank_maker import DIGEST, MODEL, SITES, StandInEncoder, fill_bank, tell
from benchmarks.browser_clock import CLOCK, Drawn, at_rest, first_content, opened, redrawn
from benchmarks.report import Row, report, show
from fedprompt.bank.filters import Filter
from fedprompt.models.sentence_encoder import ENCODER
from fedprompt.workspace.door.entry_token import Entry, entry_of
from fedprompt.workspace.home import find_home
from fedprompt.workspace.progress import quiet
from fedprompt.workspace.search.finding import can_search
from fedprompt.workspace.search.index import index_of_texts
from fedprompt.workspace.search.prompt_map import TEXTS, load_map, make_map
from fedprompt.workspace.search.searching import FOLDER, search
from fedprompt.workspace.workspace import open_workspace

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Page

ROOT = Path(__file__).resolve().parent.parent
PARTS = ("pages", "widgets", "search", "visitors", "imports")
PAGES = (
    "overview",
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
QUESTIONS = ("is the writer content", "overall the mood", "a clear answer", "good or bad", "what does the review say")
LOST_CLICKS = 5
FIRST, COLD, CHANGE, SEARCH, SEARCH_ON_PAGE = 1000.0, 1500.0, 400.0, 100.0, 500.0


@dataclass(frozen=True)
class App:
    """A running app."""

    address: str
    process: subprocess.Popen[str]
    compared: tuple[str, ...]
    entry: Entry

    def page(self, name: str) -> str:
        """Return a page's address; that of Compare names the prompts it shows."""
        asked = "?" + "&".join(f"p={one}" for one in self.compared) if name == "compare" else ""
        return f"{self.address}/{'' if name == 'overview' else name}{asked}"


def main() -> None:
    """Make the bank where there is none, and measure."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--home", type=Path, help="whose model and encoder are used")
    parser.add_argument("--bank", type=Path, help="a home with such a bank; made there where it has none")
    parser.add_argument("--prompts", type=int, default=100_000)
    parser.add_argument("--scores", type=int, default=2_000_000)
    parser.add_argument("--visitors", type=int, default=20)
    parser.add_argument("--minutes", type=float, default=5.0)
    parser.add_argument("--repeats", type=int, default=10)
    parser.add_argument("--colds", type=int, default=3, help="new servers a page")
    parser.add_argument("--only", nargs="+", choices=PARTS, default=PARTS)
    parser.add_argument("--pages", nargs="+", choices=PAGES, default=PAGES)
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="app-latency-") as name:
        home = (options.bank or Path(name) / "home").resolve()
        prepare(home, options)
        rows = _measure(home, options)
    scale = {"prompts": options.prompts, "scores": options.scores, "repeats": options.repeats}
    show(report("app_latency", rows, scale=scale, load=os.getloadavg()), as_json=options.json)


def prepare(home: Path, options: argparse.Namespace) -> None:
    """Make the bank and its maps where they are not there, and put the assets beside it."""
    assets = find_home(options.home).path / "assets"
    home.mkdir(parents=True, exist_ok=True)
    if assets.is_dir() and not (home / "assets").exists():
        (home / "assets").symlink_to(assets)
    with open_workspace(home) as ws:
        if not ws.bank.count_prompts():
            runs = max(1, round(options.scores / options.prompts / len(SITES)))
            fill_bank(ws.bank, options.prompts, runs)
        if load_map(ws, TEXTS) is None and can_search(ws.home):
            tell("indexing the texts, by a stand-in for the encoder")
            index_of_texts(ws.bank, ws.home.path / FOLDER, StandInEncoder(), ENCODER, quiet)
        for space in (TEXTS, MODEL):
            if load_map(ws, space) is None and (space == MODEL or can_search(ws.home)):
                tell(f"laying out the map of {'templates' if space == TEXTS else 'soft prompts'}")
                make_map(ws, space)


def _measure(home: Path, options: argparse.Namespace) -> list[Row]:
    from playwright.sync_api import sync_playwright

    from scripts.screenshot import chromium

    rows: list[Row] = []
    executable = chromium()
    if executable is None:
        raise SystemExit(1)
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=executable, args=["--no-sandbox", "--disable-gpu"])
        if "pages" in options.only:
            rows += [*_empty_page(browser, options), *_cold_pages(browser, home, options)]
        if {"pages", "widgets", "search"} & set(options.only):
            with running(home) as app:
                page = new_page(browser, app)
                if "pages" in options.only:
                    rows += _warm_pages(page, app, options)
                if "widgets" in options.only:
                    rows += _widgets(page, app, options)
                if "search" in options.only:
                    rows += _searched(page, app, options)
        if "search" in options.only:
            rows += _library_search(home, options)
        if "visitors" in options.only:
            from benchmarks.visitors import visit

            rows += visit(browser, home, options)
        browser.close()
    return rows + (_imports(options) if "imports" in options.only else [])


def new_page(browser: "Browser", app: App | None = None) -> "Page":
    """Return a page of a browser that has seen nothing yet, with the clock in it; an app has let it in before."""
    context = browser.new_context(viewport={"width": 1440, "height": 900})
    if app is not None:
        context.add_cookies([{"name": app.entry.cookie, "value": app.entry.value, "url": app.address}])
    context.set_default_timeout(60_000)
    context.add_init_script(CLOCK)
    return context.new_page()


@contextmanager
def running(home: Path, *before: str) -> Iterator[App]:
    """Run the app on a home; ``before`` is what its command begins with, such as ``taskset``."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    command = [*before, sys.executable, "-m", "fedprompt.cli", "ui", "--no-demo", "--home", str(home)]
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    with open_workspace(home) as ws:
        compared = tuple(row.id for row in ws.bank.leaders(Filter(study=DIGEST), limit=2).rows)
    process = subprocess.Popen([*command, "--port", str(port)], env=environment, stdout=subprocess.PIPE, text=True)
    try:
        if process.stdout is None or not process.stdout.readline():
            raise SystemExit("the app did not start")
        yield App(f"http://127.0.0.1:{port}", process, compared, entry_of(find_home(home), port))
    finally:
        process.send_signal(signal.SIGINT)
        process.wait(60)


def _empty_page(browser: "Browser", options: argparse.Namespace) -> list[Row]:
    """Open a page of Streamlit with a title and a sentence: what a browser that has seen nothing needs at least."""
    with tempfile.TemporaryDirectory(prefix="empty-page-") as name, socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
        script = Path(name) / "empty.py"
        script.write_text('import streamlit as st\n\nst.title("Empty")\nst.write("A sentence.")\n', encoding="utf-8")
        probe.close()
        flags = ["--server.headless=true", "--server.fileWatcherType=none", "--browser.gatherUsageStats=false"]
        command = [sys.executable, "-m", "streamlit", "run", str(script), f"--server.port={port}", *flags]
        process = subprocess.Popen([*command, "--server.address=127.0.0.1"], stdout=subprocess.DEVNULL, cwd=name)
        try:
            until = time.monotonic() + 60
            while not _listens(port):
                if time.monotonic() > until:
                    raise SystemExit("the empty page did not start")
                time.sleep(0.1)
            found = []
            for _ in range(options.colds + 1):
                page = new_page(browser)
                found.append(opened(page, f"http://127.0.0.1:{port}"))
                at_rest(page)
                page.context.close()
        finally:
            process.send_signal(signal.SIGINT)
            process.wait(60)
    first = median(one["first"] for one in found[1:])
    tell(f"an empty page of Streamlit, new browser: {first:.0f} ms")
    return [Row("an empty page of Streamlit, new browser: first content", "ms", first)]


def _listens(port: int) -> bool:
    with socket.socket() as probe:
        probe.settimeout(1)
        return probe.connect_ex(("127.0.0.1", port)) == 0


def _cold_pages(browser: "Browser", home: Path, options: argparse.Namespace) -> list[Row]:
    """Open each page first of all on a new server, in a browser that has seen nothing."""
    rows: list[Row] = []
    for name in options.pages:
        found = []
        for _ in range(options.colds):
            with running(home) as app:
                page = new_page(browser, app)
                found.append(opened(page, app.page(name)))
                at_rest(page)
                page.context.close()
        rows += _drawn(f"{name}, new server", found, COLD)
    return rows


def _warm_pages(page: "Page", app: App, options: argparse.Namespace) -> list[Row]:
    """Open each page by its address and by a click in the navigation, all seen once before."""
    rows: list[Row] = []
    for name in options.pages:
        opened(page, app.page(name))
        at_rest(page)
    for name in options.pages:
        found = []
        for _ in range(options.repeats):
            found.append(opened(page, app.page(name)))
            at_rest(page)
        rows += _drawn(f"{name}, by its address", found, FIRST)
    for name in options.pages:
        other = "models" if name != "models" else "trust"
        found = [_there_and_back(page, app, other, name) for _ in range(options.repeats)]
        rows += _drawn(f"{name}, by a click", found, FIRST)
    return rows


def _there_and_back(page: "Page", app: App, other: str, name: str) -> Drawn:
    """Go to another page and back by clicks; time the way back. A click that leads nowhere is told and done again."""
    from playwright.sync_api import Error

    for _ in range(LOST_CLICKS):
        try:
            first_content(page, partial(_link, page, other))
            at_rest(page)
            found = first_content(page, partial(_link, page, name))
            at_rest(page)
        except Error as error:
            tell(f"a click between {other} and {name} led nowhere: {error.message.splitlines()[0]}; {page.url}")
            opened(page, app.page(name))
            at_rest(page)
        else:
            return found
    raise SystemExit(f"{LOST_CLICKS} clicks to {name} led nowhere")


def _link(page: "Page", name: str) -> None:
    """Click a page in the navigation; Overview is the address without a name."""
    path = "/" if name == "overview" else f"/{name}"
    links = page.locator("[data-testid=stSidebarNavLink]")
    for place in range(links.count()):
        target = str(links.nth(place).get_attribute("href") or "").partition("?")[0]
        if target.rstrip("/").endswith(path.rstrip("/")) and (name != "overview" or target.count("/") <= 3):
            links.nth(place).click()
            return
    raise SystemExit(f"the navigation has no page '{name}'")


def _widgets(page: "Page", app: App, options: argparse.Namespace) -> list[Row]:
    def kind(number: int) -> None:
        _choose(page, "leaderboard_kind", ("templates", "tuned", "any kind")[number % 3])

    def order(number: int) -> None:
        _choose(page, "leaderboard_order", ("worst site", "mean over cases", "mean over sites")[number % 3])

    def next_page(number: int) -> None:
        page.locator(".st-key-leaderboard_page [data-testid=stNumberInputStepUp]").click()

    def picture(number: int) -> None:
        buttons = page.locator(".st-key-compare_picture button")
        buttons.nth((number + 1) % buttons.count()).click()

    def colour(number: int) -> None:
        buttons = page.locator(".st-key-map_colour button")
        buttons.nth((number + 1) % buttons.count()).click()

    changes: tuple[tuple[str, str, Callable[[int], None]], ...] = (
        ("leaderboard", "another kind on the Leaderboard", kind),
        ("leaderboard", "another order on the Leaderboard", order),
        ("leaderboard", "the next page of the Leaderboard", next_page),
        ("compare", "another picture on Compare", picture),
        ("map", "another colour on the Map", colour),
    )
    rows = []
    for name, what, change in changes:
        opened(page, app.page(name))
        at_rest(page)
        took = _seen(page, change, options.repeats)
        rows.append(_below(f"{what}, redrawn", took, CHANGE))
    return rows


def _seen(page: "Page", change: Callable[[int], None], repeats: int) -> list[float]:
    """Return what ``repeats`` changes took; those of which no run was seen are told, and others done instead."""
    took: list[float] = []
    for number in range(repeats + LOST_CLICKS):
        one = redrawn(page, partial(change, number))
        if one is None:
            tell(f"no run was seen of change {number}")
        else:
            took.append(one)
        if len(took) == repeats:
            break
    return took


def _choose(page: "Page", key: str, option: str) -> None:
    page.locator(f".st-key-{key} [data-baseweb=select], .st-key-{key} input").first.click()
    page.get_by_role("option", name=option, exact=True).click()


def _searched(page: "Page", app: App, options: argparse.Namespace) -> list[Row]:
    opened(page, app.page("map"))
    at_rest(page)
    box = page.locator(".st-key-map_meaning input")
    if not box.count():
        return [Row("search by meaning on the page", "ms", None, target=SEARCH_ON_PAGE)]

    def ask(number: int) -> None:
        box.fill(f"{QUESTIONS[number % len(QUESTIONS)]} {number + 1}")
        box.press("Enter")

    took = _seen(page, ask, options.repeats + 1)
    return [_below("search by meaning on the page", took[1:], SEARCH_ON_PAGE)]  # the first loads the encoder


def _library_search(home: Path, options: argparse.Namespace) -> list[Row]:
    with open_workspace(home) as ws:
        if not can_search(ws.home):
            return [Row("search by meaning in the library", "ms", None, target=SEARCH)]
        took = []
        for number in range(-1, options.repeats):
            began = time.perf_counter()
            search(ws, f"{QUESTIONS[number % len(QUESTIONS)]} {number + 2}")
            took.append(1000 * (time.perf_counter() - began))
    return [_below("search by meaning in the library", took[1:], SEARCH)]


def _imports(options: argparse.Namespace) -> list[Row]:
    commands = {
        "import fedprompt": ([sys.executable, "-c", "import fedprompt"], 0.2),
        "fedprompt --help": ([sys.executable, "-m", "fedprompt.cli", "--help"], 0.5),
    }
    rows = []
    for name, (command, target) in commands.items():
        took = []
        for _ in range(options.repeats + 1):
            began = time.perf_counter()
            subprocess.run(command, check=True, capture_output=True, cwd=ROOT)
            took.append(time.perf_counter() - began)
        rows.append(Row(f"{name}, whole process", "s", value := median(took[1:]), target=target, met=value <= target))
    return rows


def _drawn(name: str, found: list[Drawn], target: float) -> list[Row]:
    whole = median(one["whole"] for one in found)
    rows = [_below(f"{name}: first content", [one["first"] for one in found], target)]
    rows.append(Row(f"{name}: whole page", "ms", whole))
    tell(f"{rows[-1].name}: {whole:.0f} ms")
    return rows


def _below(name: str, took: list[float], target: float) -> Row:
    tell(f"{name}: {median(took):.0f} ms ({', '.join(f'{one:.0f}' for one in took)})")
    return Row(name, "ms", value := median(took), target=target, met=value <= target)


if __name__ == "__main__":
    main()
