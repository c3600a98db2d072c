"""Runs every benchmark, one after the other, and prints each one's JSON object.

    python -m benchmarks.every [NAME ...]

One that fails does not stop the others; one whose peer is not installed says so in a line and is skipped. At the end
the names of both are told on stderr; the exit code is 1 where one failed.
"""

import argparse
import subprocess
import sys
from collections.abc import Iterable, Sequence
from pathlib import Path

from benchmarks.report import SKIPPED

__all__ = ["main", "names", "run_all"]


def main(arguments: Sequence[str] | None = None) -> int:
    """Run those that are named, or all."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("names", nargs="*", metavar="NAME", choices=[[], *names()], default=[])
    chosen = parser.parse_args(arguments).names or names()
    return run_all((name, [sys.executable, "-m", f"benchmarks.{name}", "--json"]) for name in chosen)


def names() -> list[str]:
    """Return the benchmarks: the files of this folder that print a report."""
    found = sorted(Path(__file__).parent.glob("[a-z]*.py"))
    return [file.stem for file in found if f'report("{file.stem}"' in "".join(file.read_text("utf-8").split())]


def run_all(commands: Iterable[tuple[str, Sequence[str]]]) -> int:
    """Run each command to its end; return 1 where one failed, else 0."""
    ended: dict[str, list[str]] = {"failed": [], "skipped": []}
    for name, command in commands:
        print(f"{name} ...", file=sys.stderr, flush=True)
        code = subprocess.run(command, check=False).returncode
        if code:
            ended["skipped" if code == SKIPPED else "failed"].append(name)
    for how, which in ended.items():
        if which:
            print(f"{how}: {', '.join(which)}", file=sys.stderr)
    return int(bool(ended["failed"]))


if __name__ == "__main__":
    raise SystemExit(main())
