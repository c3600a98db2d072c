"""Files that an imported file names: those in its own folder or its own archive, and no other file of this machine.

Invariant: no name climbs out of the folder, no link is followed, nothing but plain files is opened, and no more than
the bounds is read for one import.
"""

import re
import stat
from collections.abc import Iterator
from dataclasses import dataclass, field
from fnmatch import fnmatchcase
from pathlib import Path, PurePosixPath

from fedprompt.errors import ExportError
from fedprompt.exports.archive import Archive
from fedprompt.exports.documents import MAX_DOCUMENT_BYTES

__all__ = ["Beside"]

MAX_READ = 500
MAX_BYTES = 32 * 1024 * 1024
MAX_SEEN = 20_000
_DRIVE = re.compile(r"^[A-Za-z]:")
_MAGIC = re.compile(r"[*?\[]")


@dataclass
class Beside:
    """What lies beside an imported file: in ``root``, or in an ``archive``; ``base`` is the file's folder within."""

    root: Path | None = None
    archive: Archive | None = None
    base: str = ""
    _files: int = field(default=0, init=False)
    _bytes: int = field(default=0, init=False)

    def matching(self, name: str, where: str) -> tuple[str, ...]:
        """Return the names of the files that a name or a pattern with ``*`` stands for, sorted.

        Raises:
            ExportError: it climbs out of the folder, or there is no such file; ``where`` begins the message.
        """
        wanted = _inside(name, where)
        if not _MAGIC.search(wanted):
            if not self._is_file(wanted, where):
                raise ExportError(
                    f"{where} names the file {name[:100]!r}, which is not there; put both into one folder or one .zip "
                    "and import that",
                    code="file-missing",
                )
            return (wanted,)
        if "{" in wanted:
            raise ExportError(
                f"{where}: the pattern {name[:100]!r} has braces; write one pattern for each kind of file",
                code="file-pattern",
            )
        found = sorted(one for one in self._names(wanted, where) if _matches(one, wanted))
        if not found:
            raise ExportError(
                f"{where}: no file beside it is named as {name[:100]!r} asks; put the files there, or remove it",
                code="file-missing",
            )
        return tuple(found)

    def read(self, name: str, where: str) -> bytes:
        """Return a file's bytes; ``name`` is one that :meth:`matching` gave.

        Raises:
            ExportError: it is too large, or one too many; ``where`` begins the message.
        """
        self._files += 1
        if self.archive is not None:
            content = self.archive.read(self.base + name, MAX_DOCUMENT_BYTES)
        else:
            path = (self.root or Path()) / name
            try:
                size = path.lstat().st_size
                if size > MAX_DOCUMENT_BYTES:
                    raise ExportError(
                        f"{path}: larger than {MAX_DOCUMENT_BYTES:,} bytes, the limit for a prompt file",
                        code="too-large",
                    )
                with path.open("rb") as file:
                    content = file.read(size + 1)
            except OSError as error:
                raise ExportError(f"{path} cannot be read ({error.strerror})", code="cannot-read") from error
        self._bytes += len(content)
        if self._files > MAX_READ or self._bytes > MAX_BYTES:
            raise ExportError(
                f"{where}: it names more than {MAX_READ} files or {MAX_BYTES:,} bytes; name fewer", code="too-many"
            )
        return content

    def _is_file(self, name: str, where: str) -> bool:
        if self.archive is not None:
            if any(one.startswith(f"{self.base}{name}/") for one in self.archive.names):
                raise ExportError(
                    f"{where} names the folder {name!r}; name its files, as in '{name}/*'", code="not-a-file"
                )
            return self.base + name in self.archive.sizes
        path = self.root or Path()
        parts = PurePosixPath(name).parts
        for number, part in enumerate(parts, 1):
            path = path / part
            try:
                mode = path.lstat().st_mode
            except (OSError, ValueError):
                return False
            if stat.S_ISLNK(mode):
                raise ExportError(
                    f"{where}: {name!r} is a link or inside one, and links are not followed; copy the file",
                    code="link",
                )
            if number == len(parts) and stat.S_ISDIR(mode):
                raise ExportError(
                    f"{where} names the folder {name!r}; name its files, as in '{name}/*'", code="not-a-file"
                )
            if not stat.S_ISDIR(mode) and not stat.S_ISREG(mode):
                raise ExportError(f"{where}: {name!r} is not a plain file", code="not-a-file")
        return True

    def _names(self, wanted: str, where: str) -> Iterator[str]:
        """Yield the names of the plain files, hidden ones left out, below the pattern's first fixed folders."""
        if self.archive is not None:
            for name in self.archive.names:
                inner = name.removeprefix(self.base)
                if name.startswith(self.base) and not any(part.startswith(".") for part in inner.split("/")):
                    yield inner
            return
        root = self.root or Path()
        fixed: list[str] = []
        for part in PurePosixPath(wanted).parts[:-1]:
            if _MAGIC.search(part):
                break
            fixed.append(part)
        seen = 0
        begin = root
        for part in fixed:
            begin = begin / part
            if begin.is_symlink():
                raise ExportError(
                    f"{where}: {part!r} is a link, and links are not followed; copy the files", code="link"
                )
        waiting = [begin]
        while waiting:
            folder = waiting.pop()
            try:
                entries = sorted(folder.iterdir())
            except OSError:
                continue
            for entry in entries:
                seen += 1
                if seen > MAX_SEEN:
                    raise ExportError(
                        f"{where}: more than {MAX_SEEN:,} files are in that folder; name the files one by one",
                        code="too-many",
                    )
                if entry.name.startswith(".") or entry.is_symlink():
                    continue
                if entry.is_dir():
                    waiting.append(entry)
                elif entry.is_file():
                    yield entry.relative_to(root).as_posix()


def _inside(name: str, where: str) -> str:
    """Return a name with ``/`` between folders that stays in the folder.

    Raises:
        ExportError: it climbs out, or could be a path of this machine.
    """
    plain = name.replace("\\", "/")
    parts = [part for part in plain.split("/") if part not in ("", ".")]
    if plain.startswith(("/", "~")) or _DRIVE.match(plain) or ".." in parts or "\0" in plain:
        raise ExportError(
            f"{where} names {name[:100]!r}, which is outside its own folder; only files beside it are read, so "
            "copy the file there",
            code="outside-folder",
        )
    if not parts or len(plain) > 300:
        raise ExportError(f"{where} names {name[:100]!r}, which is not a file's name", code="not-a-file-name")
    return "/".join(parts)


def _matches(name: str, pattern: str) -> bool:
    """Whether a name is one that a pattern stands for: ``**`` stands for any number of folders."""
    names, wanted = name.split("/"), pattern.split("/")
    ends = {0}  # how many of the names' folders the pattern so far may have taken
    for part in wanted:
        if part == "**":
            ends = set(range(min(ends), len(names) + 1)) if ends else ends
        else:
            ends = {at + 1 for at in ends if at < len(names) and fnmatchcase(names[at], part)}
    return len(names) in ends
