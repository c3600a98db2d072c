"""Takes a picture of every page, light and dark, wide and narrow: ``python scripts/screenshots.py --home HOME``.

The app is started on the home and ended again. Pictures go to docs/screenshots/, made small by a palette of 128
colours, and docs/screenshots/README.md shows them all.
"""

import argparse
import os
import signal
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Literal
from urllib.request import urlopen

from PIL import Image
from playwright.sync_api import sync_playwright

from scripts.screenshot import chromium, take

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
PORT = 8599
COLOURS = 128


def main(arguments: Sequence[str] | None = None) -> int:
    """Take the pictures; return 0, or 1 with a sentence where there is no browser or no app."""
    parser = argparse.ArgumentParser(description="Take a picture of every page.")
    parser.add_argument("--home", type=Path, required=True, help="a home whose demo has run")
    parser.add_argument("--pages", nargs="+", choices=PAGES, default=PAGES)
    chosen = parser.parse_args(arguments)
    found = chromium()
    if found is None:
        return 1
    command = [sys.executable, "-m", "fedprompt.cli", "ui", "--no-demo"]
    app = subprocess.Popen(
        [*command, "--home", str(chosen.home), "--port", str(PORT)],
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        stdout=subprocess.PIPE,
        text=True,
    )
    try:
        if app.stdout is None or not app.stdout.readline():
            print("the app did not start", file=sys.stderr)
            return 1
        address = f"http://127.0.0.1:{PORT}"
        with urlopen(address, timeout=60), sync_playwright() as playwright:
            browser = playwright.chromium.launch(executable_path=found, args=["--no-sandbox", "--disable-gpu"])
            for theme, width in LOOKS:
                page = browser.new_context(color_scheme=theme).new_page()
                for name in chosen.pages:
                    out = OUT / f"{name}-{theme}-{width}.png"
                    take(page, f"{address}/{'' if name == 'overview' else name}", out, width)
                    _shrink(out)
                    print(out)
            browser.close()
    finally:
        app.send_signal(signal.SIGINT)
        app.wait(60)
    _index()
    return 0


def _shrink(path: Path) -> None:
    with Image.open(path) as picture:
        small = picture.convert("RGB").quantize(COLOURS)
    small.save(path, optimize=True)


def _index() -> None:
    lines = ["# Every page in pictures", "", "Made by `make screenshots` from a home whose demo has run.", ""]
    for name in PAGES:
        shown = [
            f"{name}-{theme}-{width}.png" for theme, width in LOOKS if (OUT / f"{name}-{theme}-{width}.png").is_file()
        ]
        if shown:
            title = name.replace("_", " ").capitalize()
            lines += [f"## {title}", "", *(f"![{title}]({file})" for file in shown), ""]
    (OUT / "README.md").write_text("\n".join(lines), encoding="utf-8")


if __name__ == "__main__":
    sys.exit(main())
