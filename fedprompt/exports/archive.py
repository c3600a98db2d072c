"""Opens a folder or zip from elsewhere and lets out only plain files with harmless names, in bounded amounts.

Invariant: nothing is ever unpacked to the disk, and no more than the bounds is ever held in memory. A file that is read
twice, once to be checked and once to be used, is the same both times, or refused.
"""

import hashlib
import os
import re
import stat
import struct
import zipfile
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from fedprompt.errors import ExportError

__all__ = ["MAX_FILES", "MAX_RATIO", "MAX_TOTAL_BYTES", "Archive", "open_archive"]

MAX_FILES = 20_000
MAX_TOTAL_BYTES = 512 * 1024 * 1024
MAX_RATIO = 200
MAX_DIRECTORY_BYTES = 4 * 1024 * 1024
_DRIVE = re.compile(r"^[A-Za-z]:")
_PICKLES = (".pkl", ".pickle", ".bin", ".pt", ".pth", ".ckpt", ".joblib")


@dataclass(frozen=True)
class Archive:
    """``sizes``: name -> bytes, names with ``/`` between folders."""

    path: Path
    sizes: Mapping[str, int]
    _open: Callable[[str, int], bytes]

    @property
    def names(self) -> tuple[str, ...]:
        """Return the files' names, sorted."""
        return tuple(sorted(self.sizes))

    def under(self, folder: str) -> "Archive":
        """Return only what lies in a folder of it, by names within that folder."""
        begin = folder.rstrip("/") + "/"
        sizes = {name[len(begin) :]: size for name, size in self.sizes.items() if name.startswith(begin)}
        return Archive(self.path, sizes, lambda name, size: self._open(begin + name, size))

    def read(self, name: str, limit: int = MAX_TOTAL_BYTES) -> bytes:
        """Return a file's bytes.

        Raises:
            ExportError: there is no such file, it is larger than ``limit``, or it is damaged.
        """
        if name not in self.sizes:
            raise ExportError(f"{self.path}: the file {name} is missing; the export is incomplete", code="file-missing")
        if self.sizes[name] > limit:
            raise ExportError(
                f"{self.path}: {name} is larger than {limit:,} bytes, the limit for a file of an export",
                code="too-large",
            )
        try:
            found = self._open(name, self.sizes[name])
        except (
            zipfile.BadZipFile,
            OSError,
            EOFError,
            NotImplementedError,
            RuntimeError,
            ValueError,
        ) as error:
            raise ExportError(
                f"{self.path}: {name} is damaged or incomplete; download the export again", code="damaged"
            ) from error
        except Exception as error:
            if type(error).__module__ in ("zlib", "lzma", "_lzma"):
                raise ExportError(
                    f"{self.path}: {name} is damaged; download the export again", code="damaged"
                ) from error
            raise
        if len(found) != self.sizes[name]:
            raise ExportError(
                f"{self.path}: {name} has another length than stated; download the export again", code="damaged"
            )
        return found


@contextmanager
def open_archive(path: Path) -> Iterator[Archive]:
    """Give a folder or zip whose names and sizes were checked.

    Raises:
        ExportError: neither, or with a name that climbs out, a link, too many files, too many bytes, or a
            zip bomb.
    """
    try:
        if path.is_dir():
            yield _folder(path)
            return
        if not path.is_file():
            raise ExportError(f"{path} does not exist", code="no-such-file")
        _check_directory(path)
        with zipfile.ZipFile(path) as opened:
            yield _zip(path, opened)
    except zipfile.BadZipFile as error:
        raise ExportError(
            f"{path}: not a zip file, or incomplete; download the export again", code="not-a-zip"
        ) from error
    except OSError as error:
        raise ExportError(f"{path} cannot be read ({error.strerror})", code="cannot-read") from error


def _folder(path: Path) -> Archive:
    sizes: dict[str, int] = {}
    for folder, folders, files in os.walk(path):
        for entry in (*folders, *files):
            full = Path(folder) / entry
            kind = full.lstat()
            name = full.relative_to(path).as_posix()
            if stat.S_ISLNK(kind.st_mode):
                raise ExportError(f"{path}: {name} is a link; exports have no links", code="link")
            if stat.S_ISREG(kind.st_mode):
                sizes[_checked(path, name)] = kind.st_size
            elif not stat.S_ISDIR(kind.st_mode):
                raise ExportError(f"{path}: {name} is not a plain file", code="not-a-file")
            _check_count(path, sizes)
    _check_total(path, sizes)

    def read(name: str, size: int) -> bytes:
        with (path / name).open("rb") as file:
            return file.read(size + 1)

    return Archive(path, sizes, _steady(path, read))


def _zip(path: Path, opened: zipfile.ZipFile) -> Archive:
    sizes: dict[str, int] = {}
    for info in opened.infolist():
        name = _checked(path, info.filename)
        if stat.S_ISLNK(info.external_attr >> 16):
            raise ExportError(f"{path}: {name} is a link; exports have no links", code="link")
        if info.is_dir():
            continue
        if name in sizes:
            raise ExportError(f"{path}: {name} is in it twice", code="file-twice")
        if info.flag_bits & 0x1:
            raise ExportError(
                f"{path}: {name} is encrypted; unpack and pack it again without a password", code="encrypted"
            )
        if info.file_size > MAX_RATIO * max(info.compress_size, 1024):
            raise ExportError(
                f"{path}: {name} unpacks to more than {MAX_RATIO} times its size; refused", code="unpacks-too-large"
            )
        sizes[name] = info.file_size
        _check_count(path, sizes)
    _check_total(path, sizes)

    def read(name: str, size: int) -> bytes:
        # One byte more than is said: a header that lies about its size is noticed and nothing beyond it is
        # unpacked.
        with opened.open(name) as file:
            return file.read(size + 1)

    return Archive(path, sizes, _steady(path, read))


def _steady(path: Path, read: Callable[[str, int], bytes]) -> Callable[[str, int], bytes]:
    """Return ``read``, which then refuses a file that is another one than when it was read before."""
    seen: dict[str, bytes] = {}

    def same(name: str, size: int) -> bytes:
        found = read(name, size)
        digest = hashlib.sha256(found).digest()
        if seen.setdefault(name, digest) != digest:
            raise ExportError(
                f"{path}: {name} changed while it was read; copy the export first, then read the copy", code="changed"
            )
        return found

    return same


def _checked(path: Path, name: str) -> str:
    parts = PurePosixPath(name).parts
    climbs = name.startswith("/") or ".." in parts or "\\" in name or "\0" in name or _DRIVE.match(name)
    if climbs or not parts or len(name) > 200:
        raise ExportError(
            f"{path}: the name {name[:80]!r} points outside the export's folder; refused", code="outside-folder"
        )
    if not name.isprintable():
        raise ExportError(
            f"{path}: the name {name[:80]!r} has characters that cannot be displayed; create it without that file",
            code="odd-file-name",
        )
    if name.lower().endswith(_PICKLES):
        raise ExportError(
            f"{path}: {name} may contain a pickle, which can run code. Only safetensors are read, so save it "
            "as safetensors or remove it",
            code="pickle",
        )
    return name


def _check_count(path: Path, sizes: Mapping[str, int]) -> None:
    if len(sizes) > MAX_FILES:
        raise ExportError(f"{path}: more than {MAX_FILES:,} files, the limit for an export", code="too-many")


def _check_total(path: Path, sizes: Mapping[str, int]) -> None:
    if sum(sizes.values()) > MAX_TOTAL_BYTES:
        raise ExportError(f"{path}: more than {MAX_TOTAL_BYTES:,} bytes after unpacking; refused", code="too-large")


def _check_directory(path: Path) -> None:
    """Refuse a zip whose list of files alone would fill the memory, before zipfile reads that list."""
    size = path.stat().st_size
    if size > MAX_TOTAL_BYTES + MAX_DIRECTORY_BYTES:
        raise ExportError(f"{path}: larger than {MAX_TOTAL_BYTES:,} bytes; refused", code="too-large")
    with path.open("rb") as file:
        file.seek(max(0, size - 65_557 - 20))
        tail = file.read()
    at = tail.rfind(b"PK\5\6")
    if at < 0 or len(tail) < at + 22:
        raise zipfile.BadZipFile("no end of the list of files")
    if tail[max(0, at - 20) : at].startswith(b"PK\6\7"):
        raise ExportError(f"{path}: a zip for more than 4 GB; refused", code="too-large")
    (directory,) = struct.unpack("<I", tail[at + 12 : at + 16])
    if directory > MAX_DIRECTORY_BYTES:
        raise ExportError(
            f"{path}: its list of files is longer than {MAX_DIRECTORY_BYTES:,} bytes; refused", code="too-large"
        )
