"""Takes a picture of every page, light and dark, wide and narrow: ``python scripts/screenshots.py --home HOME``.

The app is started on the home and ended again, then on an empty one. Pictures go to docs/screenshots/, made small by a
palette of 256 colours, and docs/screenshots/README.md shows them all.
"""

import argparse
import os
import signal
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Literal
from urllib.request import urlopen

from PIL import Image
from playwright.sync_api import Page, sync_playwright

from fedprompt.workspace.workspace import open_workspace
from scripts.screenshot import chromium, settle, show, take

ROOT = Path(__file__).resolve().parent.parent
OUT = ROOT / "docs" / "screenshots"
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
LOOKS: tuple[tuple[Literal["light", "dark"], int], ...] = (("light", 1440), ("dark", 1440), ("light", 800))
ADDRESSED = ("compare", "bank", "trust")  # pages whose address names the prompts that they show
PORT = 8599
COLOURS = 256


def main(arguments: Sequence[str] | None = None) -> int:
    """Take the pictures; return 0, or 1 with a sentence where there is no browser or no app."""
    parser = argparse.ArgumentParser(description="Take a picture of every page.")
    parser.add_argument("--home", type=Path, required=True, help="a home whose demo has run")
    parser.add_argument("--pages", nargs="+", choices=PAGES, default=PAGES)
    chosen = parser.parse_args(arguments)
    found = chromium()
    if found is None:
        return 1
    with sync_playwright() as playwright, tempfile.TemporaryDirectory() as empty:
        browser = playwright.chromium.launch(executable_path=found, args=["--no-sandbox", "--disable-gpu"])
        asked = _prompts(chosen.home)
        with _app(chosen.home):
            for theme, width in LOOKS:
                page = browser.new_context(color_scheme=theme).new_page()
                for name in chosen.pages:
                    _picture(page, name, asked, OUT / f"{name}-{theme}-{width}.png", width)
        with _app(Path(empty)):
            page = browser.new_context(color_scheme="light").new_page()
            for name in chosen.pages:
                _picture(page, name, "", OUT / f"{name}-empty.png", 1440)
        browser.close()
    _index()
    return 0


@contextmanager
def _app(home: Path) -> Iterator[None]:
    command = [sys.executable, "-m", "fedprompt.cli", "ui", "--no-demo", "--home", str(home), "--port", str(PORT)]
    app = subprocess.Popen(command, env={**os.environ, "PYTHONPATH": str(ROOT)}, stdout=subprocess.PIPE, text=True)
    try:
        if app.stdout is None or not app.stdout.readline():
            raise SystemExit("the app did not start")
        with urlopen(f"http://127.0.0.1:{PORT}", timeout=60):
            yield
    finally:
        app.send_signal(signal.SIGINT)
        app.wait(60)


def _prompts(home: Path) -> str:
    """Return the part of an address that names the newest prompt tuned together and the best template."""
    with open_workspace(home) as ws:
        rows = ws.bank.prompts()
    together = [row.id for row in rows if row.origin == "federated"]
    templates = [row.id for row in rows if row.name == "text first"]
    return "&".join(f"p={one}" for one in (*together[-1:], *templates[:1]))


def _picture(page: Page, name: str, asked: str, out: Path, width: int) -> None:
    query = f"?{asked}" if asked and name in ADDRESSED else ""
    show(page, f"http://127.0.0.1:{PORT}/{'' if name == 'overview' else name}{query}", width)
    if asked and name == "playground":
        page.locator(".st-key-playground_run button:enabled").click()
        page.get_by_text("The model answers").first.wait_for(timeout=120_000)
        settle(page)
    take(page, out, width)
    with Image.open(out) as picture:
        small = picture.convert("RGB").quantize(COLOURS, dither=Image.Dither.NONE)
    small.save(out, optimize=True)
    print(out)


def _index() -> None:
    lines = [
        "# Every page in pictures",
        "",
        "Made by `make screenshots` from a home whose demo has run; the last of each page is from an empty home.",
        "",
    ]
    for name in PAGES:
        files = [*(f"{name}-{theme}-{width}.png" for theme, width in LOOKS), f"{name}-empty.png"]
        title = name.replace("_", " ").capitalize()
        lines += [f"## {title}", "", *(f"![{title}]({file})" for file in files if (OUT / file).is_file()), ""]
    (OUT / "README.md").write_text("\n".join(lines), encoding="utf-8")


if __name__ == "__main__":
    sys.exit(main())
