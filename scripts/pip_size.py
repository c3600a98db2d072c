"""Says how much pip is about to fetch: pip resolves without installing, then each archive is asked for its size.

Invariant: it informs and never stops anyone. Whatever goes wrong becomes one line, and the exit code is 0. Standard
library only, since it runs before anything is installed. What lies in pip's cache is counted too: the number is a most.

The pip that comes with Python 3.11 fetches every archive even in a dry run. So the pinned pip below, 2 MB, is fetched
into a temporary folder and asked instead, for it reads the archives' metadata alone. It is not installed.
"""

import json
import os
import ssl
import subprocess
import sys
import tempfile
import urllib.parse
import urllib.request
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

__all__ = ["main"]

PIP = "pip==26.3"
FETCH_SECONDS = 60
RESOLVE_SECONDS = 240
HEAD_SECONDS = 20


def main(arguments: Sequence[str]) -> int:
    """Print one line about the size of what ``arguments[0]``, a requirements file, makes pip fetch; return 0.

    Further arguments are options for pip, such as the address of a mirror.
    """
    if not arguments:
        print("usage: python scripts/pip_size.py REQUIREMENTS [OPTION-FOR-PIP ...]")
        return 0
    print("asking how much there is to fetch (about a minute) ...", flush=True)
    try:
        addresses = _addresses(Path(arguments[0]), arguments[1:])
        sizes = _sizes(addresses)
    except (OSError, subprocess.SubprocessError, ValueError, KeyError, TypeError) as error:
        print(f"the size of what pip will fetch cannot be told ({type(error).__name__}); going on without it")
        return 0
    known = [size for size in sizes if size is not None]
    if len(known) < len(sizes) / 2:
        print(f"the size of {len(sizes)} packages that pip will fetch cannot be told; going on without it")
        return 0
    bound = "at most" if len(known) == len(sizes) else "about"
    here = sum(size for address, size in zip(addresses, sizes, strict=True) if size and address.startswith("file:"))
    line = f"pip is going to fetch {bound} {_human(sum(known) - here)} in {len(sizes)} packages"
    if here:
        line += f", and takes {_human(here)} from this machine"
    print(f"{line}; what its cache holds is not fetched again", flush=True)
    return 0


def _requirements(path: Path) -> list[str]:
    """Return the requirements of a file and of those it includes, less the project itself."""
    found: list[str] = []
    for raw in path.read_text(encoding="utf-8").splitlines():
        line = raw.partition("#")[0].strip()
        if line.startswith("-r "):
            found += _requirements(path.parent / line[3:].strip())
        elif line and not line.startswith("-"):
            found.append(line)
    return found


def _addresses(path: Path, options: Sequence[str]) -> list[str]:
    """Return the address of each archive that pip would take, as its installation report names it."""
    quiet = ("--quiet", "--disable-pip-version-check", "--no-input", *options)
    with tempfile.TemporaryDirectory() as folder:
        wanted, report = Path(folder, "wanted.txt"), Path(folder, "report.json")
        wanted.write_text("\n".join(_requirements(path)), encoding="utf-8")
        _run(
            *(sys.executable, "-m", "pip", "download", *quiet),
            *("--no-deps", "--only-binary", ":all:", "--dest", folder, PIP),
            seconds=FETCH_SECONDS,
        )
        (wheel,) = Path(folder).glob("pip-*.whl")
        _run(
            *(sys.executable, str(wheel / "pip"), "install", *quiet),
            *("--dry-run", "--use-feature=fast-deps", "--ignore-installed"),
            *("--report", str(report), "-r", str(wanted)),
            seconds=RESOLVE_SECONDS,
        )
        installs = json.loads(report.read_text(encoding="utf-8"))["install"]
    return [str(entry["download_info"]["url"]) for entry in installs]


def _run(*command: str, seconds: int) -> None:
    """Run a command and show nothing of what it says."""
    subprocess.run(
        command,
        check=True,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        timeout=seconds,
    )


def _sizes(addresses: Sequence[str]) -> list[int | None]:
    """Return each archive's bytes in the order of ``addresses``, None where they cannot be told."""
    context = ssl.create_default_context(cafile=os.environ.get("PIP_CERT") or None)

    def size(address: str) -> int | None:
        parts = urllib.parse.urlsplit(address)
        try:
            if parts.scheme == "file":
                return Path(urllib.request.url2pathname(parts.path)).stat().st_size
            if parts.scheme != "https":
                return None
            request = urllib.request.Request(address, method="HEAD")  # noqa: S310 - https only, checked above
            with urllib.request.urlopen(request, timeout=HEAD_SECONDS, context=context) as answer:  # noqa: S310
                length = answer.headers.get("Content-Length")
            return int(length) if length else None
        except (OSError, ValueError):
            return None

    with ThreadPoolExecutor(max_workers=16) as pool:
        return list(pool.map(size, addresses))


def _human(count: int) -> str:
    return f"{count / 1e9:.1f} GB" if count >= 1e9 else f"{count / 1e6:.0f} MB"


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))
