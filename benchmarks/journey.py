"""One journey by clicks in a real browser: from a table of tickets to an exported prompt, interrupted in each step.

    python -m benchmarks.journey [--tickets 200] [--pictures DIR] [--json]

Each step is interrupted in its middle: the page is reloaded, then the app is stopped, started again and the page is
opened anew. After each interruption the script looks for what was typed. It also checks that answers to a prompt that
changed are marked as outdated, and that figures that two pages show are equal. A line for each check, whether it held;
the exit code is 1 if one did not. The home is made for this run and thrown away. The model is the scripted one, so that
the clicks take the time and not the model.
"""

import argparse
import csv
import json
import os
import re
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from benchmarks.report import Row, report, show
from fedprompt.prompts.template import Template
from fedprompt.workspace.door.entry_token import entry_of
from fedprompt.workspace.home import find_home

if TYPE_CHECKING:
    from playwright.sync_api import Locator, Page

ROOT = Path(__file__).resolve().parent.parent
PATIENCE_SECONDS = 60.0
GOOD, BAD = ("a lovely answer", "great help", "wonderful and fast"), ("an awful wait", "terrible tool", "bad and slow")
TYPED = "Ticket: {ticket}\nThe customer is"


def main() -> None:
    """Walk the journey and print what held."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--tickets", type=int, default=200)
    parser.add_argument("--pictures", type=Path, help="keep a picture of each page after its interruption")
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args()
    from playwright.sync_api import sync_playwright

    from scripts.screenshot import chromium

    executable = chromium()
    if executable is None:
        raise SystemExit(1)
    with tempfile.TemporaryDirectory(prefix="journey-") as name, sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=executable, args=["--no-sandbox", "--disable-gpu"])
        context = browser.new_context(viewport={"width": 1440, "height": 1000}, accept_downloads=True)
        context.set_default_timeout(1000 * PATIENCE_SECONDS)
        walk = Journey(Path(name), context.new_page(), options.pictures)
        began = time.perf_counter()
        try:
            walk.start()
            travel(walk, options.tickets)
        finally:
            walk.stop()
            browser.close()
    rows = [Row(check, "held", float(held), target=1.0, met=held) for check, held in walk.checks.items()]
    rows.append(Row("the whole journey", "s", time.perf_counter() - began))
    show(report("journey", rows, told=walk.told, load=list(os.getloadavg())), as_json=options.json)
    if not all(walk.checks.values()):
        raise SystemExit(1)


@dataclass
class Journey:
    """A browser's page, the app behind it, and what was checked; ``told`` says more of a check that did not hold."""

    folder: Path
    page: "Page"
    pictures: Path | None = None
    checks: dict[str, bool] = field(default_factory=dict)
    told: dict[str, str] = field(default_factory=dict)
    process: "subprocess.Popen[str] | None" = None
    port: int = 0

    @property
    def home(self) -> Path:
        """The home of this run."""
        return self.folder / "home"

    def start(self) -> None:
        """Start the app on a free port."""
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            self.port = probe.getsockname()[1]
        self.home.mkdir(mode=0o700, exist_ok=True)
        command = [sys.executable, "-m", "fedprompt.cli", "ui", "--no-demo", "--home", str(self.home)]
        environment = {**os.environ, "PYTHONPATH": str(ROOT)}
        self.process = subprocess.Popen(
            [*command, "--port", str(self.port)], env=environment, stdout=subprocess.PIPE, text=True
        )
        if self.process.stdout is None or not self.process.stdout.readline():
            raise SystemExit("the app did not start")
        deadline = time.monotonic() + PATIENCE_SECONDS
        while time.monotonic() < deadline:
            with socket.socket() as probe:
                if probe.connect_ex(("127.0.0.1", self.port)) == 0:
                    return
            time.sleep(0.2)
        raise SystemExit("the app did not listen within a minute")

    def stop(self) -> None:
        """Stop the app, as Ctrl-C does."""
        if self.process is not None:
            self.process.send_signal(signal.SIGINT)
            self.process.wait(60)

    def open(self, path: str) -> None:
        """Open a page of the app."""
        address = entry_of(find_home(self.home), self.port).address(f"http://127.0.0.1:{self.port}", path)
        self.page.goto(address)
        self.rest()

    def rest(self) -> None:
        """Wait until the page is drawn and its script has ended, twice in a row."""
        quiet = 0
        deadline = time.monotonic() + PATIENCE_SECONDS
        while quiet < 3 and time.monotonic() < deadline:
            self.page.wait_for_timeout(200)
            app = self.page.locator("[data-testid=stApp][data-test-script-state=notRunning]")
            quiet = quiet + 1 if app.count() and self.page.locator("h1").count() else 0

    def interrupted(self, step: str, still: Callable[[], bool]) -> None:
        """Reload the page, then restart the app, and check after each that ``still`` holds."""
        self.page.reload()
        self.rest()
        self.check(f"{step}: kept through a reload", still)
        parts = urlsplit(self.page.url)
        query = "&".join(one for one in parts.query.split("&") if one and not one.startswith("token="))
        self.stop()
        self.start()
        self.open(parts.path + (f"?{query}" if query else ""))
        self.check(f"{step}: kept through a restart", still)
        if self.pictures is not None:
            self.pictures.mkdir(parents=True, exist_ok=True)
            name = re.sub(r"\W+", "-", step)
            self.page.screenshot(path=str(self.pictures / f"{name}.png"), full_page=True)

    def check(self, name: str, holds: Callable[[], bool]) -> None:
        """Note whether something holds; it may take a few seconds until it does."""
        deadline, why = time.monotonic() + 15.0, ""
        held = False
        while not held and time.monotonic() < deadline:
            try:
                held = holds()
            except Exception as error:
                why = f"{type(error).__name__}: {str(error)[:200]}"
            self.page.wait_for_timeout(250)
        self.checks[name] = held
        print(f"{'held' if held else 'NOT HELD'}: {name}", file=sys.stderr, flush=True)
        if not held:
            self.told[name] = why or f"not so on {urlsplit(self.page.url).path}"

    def at(self, key: str, what: str = "") -> "Locator":
        """Return the first thing in the container whose key begins so."""
        return self.page.locator(f"[class*='st-key-{key}'] {what}".strip()).first

    def press(self, key: str) -> None:
        """Press a button."""
        self.at(key, "button:enabled").click()
        self.rest()

    def write(self, key: str, text: str) -> None:
        """Type into a box, and leave it."""
        box = self.at(key, "textarea, [class*='st-key-'] input").or_(self.at(key, "input")).first
        box.fill(text)
        self.page.locator("h1").first.click()
        self.rest()

    def holds(self, key: str, text: str) -> bool:
        """Return whether a box holds a text."""
        return self.at(key, "textarea").or_(self.at(key, "input")).first.input_value(timeout=3000) == text

    def shows(self, key: str) -> bool:
        """Return whether something with this key is on the page."""
        return self.page.locator(f"[class*='st-key-{key}']").count() > 0

    def passed(self, page: str, variant: str) -> float:
        """Download a run's answers and return the share of a variant's that passes."""
        with self.page.expect_download() as waiting:
            self.at(f"{page}_csv", "button").click()
        path = self.folder / f"{page}.csv"
        waiting.value.save_as(path)
        cells = list(csv.DictReader(path.read_text(encoding="utf-8").splitlines()))
        found = [cell["exact passes"] == "True" for cell in cells if cell["variant"].startswith(variant)]
        return float(sum(found)) / len(found)


def travel(walk: Journey, tickets: int) -> None:
    """Walk from a table to an exported prompt."""
    lines = [f"{(GOOD, BAD)[n % 2][n % 3]} number {n},{('positive', 'negative')[n % 2]}" for n in range(tickets)]
    file = walk.folder / "tickets.csv"
    file.write_text("\n".join(["ticket,answer", *lines]) + "\n", encoding="utf-8")
    data(walk, file)
    ids = study(walk)
    table = "\n".join(["ticket,answer", *lines[:10], "how terrible,positive"]) + "\n"
    playground(walk, ids[0], table)
    compare(walk, ids, table)
    examples(walk)
    export(walk, ids[0])


def data(walk: Journey, file: Path) -> None:
    """Drop the table and confirm how its columns are read."""
    walk.open("/data")
    walk.page.locator("input[type=file]").first.set_input_files(file)
    walk.at("data_confirm", "button:enabled").wait_for()
    walk.interrupted("Data, a file dropped", lambda: walk.shows("data_confirm"))
    walk.press("data_confirm")
    walk.interrupted("Data, columns confirmed", lambda: walk.shows("data_next"))


def study(walk: Journey) -> list[str]:
    """Edit a prompt of the study, rank all; return the ids of the ranked prompts, the best first."""
    walk.open("/new_study")
    model = walk.page.locator("[class*='st-key-new_study_'][class*='_model'] input").first
    model.fill("scripted")
    walk.page.locator("h1").first.click()
    walk.rest()
    first = walk.page.locator("[class*='st-key-new_study_'][class*='_template_0_text'] textarea").first
    first.fill(TYPED)
    walk.page.locator("h1").first.click()
    walk.rest()

    def kept() -> bool:
        box = walk.page.locator("[class*='st-key-new_study_'][class*='_template_0_text'] textarea").first
        name = walk.page.locator("[class*='st-key-new_study_'][class*='_model'] input").first
        return (box.input_value(timeout=3000), name.input_value(timeout=3000)) == (TYPED, "scripted")

    walk.interrupted("New study, a prompt edited", kept)
    walk.press("new_study_rank")
    walk.interrupted("New study, ranking", lambda: walk.shows("told_first_ranking"))
    ranked = walk.at("told_first_ranking").inner_text()
    found = re.search(r"\d+\.\d[\s\u00a0\u202f]%", ranked)
    share = "" if found is None else found[0][:-2]
    walk.press("new_study_to_leaderboard")
    walk.page.wait_for_url(re.compile("leaderboard"))
    walk.rest()

    def same() -> bool:
        cells = walk.page.locator("canvas [role=gridcell]").all_text_contents()
        return bool(share) and any(share in cell for cell in cells)

    walk.check("New study and the Leaderboard: one figure for the best prompt", same)
    walk.interrupted("Leaderboard", same)
    from fedprompt.bank.filters import Filter
    from fedprompt.workspace.workspace import open_workspace

    with open_workspace(walk.home) as ws:
        leaders = ws.bank.leaders(Filter(study=ws.bank.studies()[0].digest), limit=4)
        return [row.id for row in leaders.rows if _is_text(ws.bank.prompt(row.id).template)]


def _is_text(template: Template) -> bool:
    return template.text is not None and template.demonstrations is None


def playground(walk: Journey, prompt: str, table: str) -> None:
    """Run a ranked prompt on a pasted table, and change it."""
    walk.open(f"/playground?p={prompt}")
    walk.at("playground_how").get_by_text("From a table").click()
    walk.rest()
    walk.at("playground_paste", "textarea").fill(table)
    walk.page.keyboard.press("Control+Enter")
    walk.rest()
    walk.interrupted("Playground, a table pasted", lambda: walk.holds("playground_paste", table))
    walk.press("playground_run")
    walk.interrupted("Playground, a run", lambda: walk.shows("playground_csv"))
    walk.check("Playground: answers to what is written are not marked", lambda: not walk.shows("told_outdated_"))
    box = walk.at("playground_template", "textarea")
    text = box.input_value() + " "
    box.fill(text)
    walk.page.locator("h1").first.click()
    walk.rest()
    walk.check("Playground: answers to a changed prompt are marked", lambda: walk.shows("told_outdated_variants"))
    walk.interrupted(
        "Playground, a prompt changed",
        lambda: walk.holds("playground_template", text) and walk.shows("told_outdated_variants"),
    )
    box = walk.at("playground_template", "textarea")
    box.fill(text[:-1])
    walk.page.locator("h1").first.click()
    walk.rest()
    walk.check("Playground: no mark once the prompt is as it was", lambda: not walk.shows("told_outdated_"))


def compare(walk: Journey, ids: list[str], table: str) -> None:
    """Run two ranked prompts on the same table; the figure of the first is that of the Playground."""
    alone = walk.passed("playground", "A")
    walk.open("/compare?" + "&".join(f"p={one}" for one in ids[:2]))
    walk.at("compare_how").get_by_text("From a table").click()
    walk.rest()
    walk.at("compare_paste", "textarea").fill(table)
    walk.page.keyboard.press("Control+Enter")
    walk.rest()
    walk.interrupted("Compare, a table pasted", lambda: walk.holds("compare_paste", table))
    walk.press("compare_run")
    walk.interrupted("Compare, a run", lambda: walk.shows("compare_csv"))
    both = walk.passed("compare", "A")
    walk.check("Playground and Compare: one share of passes for one prompt", lambda: alone == both)


def examples(walk: Journey) -> None:
    """Show the failure of the Playground's run as an example: it is kept, and left out of what is run."""
    walk.open("/playground")
    walk.at("playground_rows").get_by_text("Failed").click()
    walk.rest()
    walk.page.get_by_role("button", name="Show as examples").click()
    walk.press("playground_show")
    walk.interrupted(
        "Playground, a failure shown as an example",
        lambda: walk.shows("playground_shown_v2") and walk.shows("told_playground_own_examples"),
    )


def export(walk: Journey, prompt: str) -> None:
    """Export the prompt for LangChain, and look at what came down."""
    walk.open(f"/bank?p={prompt}")
    walk.press("bank_look_langchain")
    walk.at("bank_write", "button:enabled").wait_for()
    walk.interrupted("Bank, a format chosen", lambda: walk.shows("bank_write"))
    if not walk.shows("bank_write"):
        walk.press("bank_look_langchain")
    walk.press("bank_write")
    with walk.page.expect_download() as waiting:
        walk.at("bank_download", "button").click()
    path = walk.folder / "taken.json"
    waiting.value.save_as(path)
    body = json.loads(path.read_text(encoding="utf-8"))
    walk.check(
        "Bank: the exported file holds the prompt that was ranked",
        lambda: body["kwargs"]["metadata"]["fedprompt"]["prompt"]["id"] == prompt,
    )


if __name__ == "__main__":
    main()
