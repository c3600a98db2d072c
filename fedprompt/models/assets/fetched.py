"""Models from elsewhere, kept in the home: a hub's id fetched once, a GGUF file converted once.

Only safetensors, JSON and a tokenizer's own files are fetched; pickled weights and code are left where they are. A
folder appears under its name when it is whole.
"""

import fcntl
import hashlib
import logging
import os
import re
import secrets
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from fedprompt.errors import ModelError
from fedprompt.models.assets.gguf_conversion import run_conversion
from fedprompt.models.assets.gguf_header import check_gguf

__all__ = ["converted_gguf", "fetched_folder", "fetched_model", "is_hub_id"]

log = logging.getLogger(__name__)
ID = re.compile(r"(?P<id>[A-Za-z0-9][\w.-]{0,95}/[A-Za-z0-9][\w.-]{0,95})(?:@(?P<revision>[\w.-]{1,100}))?")
WANTED = [
    "*.safetensors",
    "*.safetensors.index.json",
    "*.json",
    "tokenizer.model",
    "vocab.txt",
    "merges.txt",
    "*.jinja",
]


def is_hub_id(name: str) -> bool:
    """Return whether a name has the form ``owner/name`` or ``owner/name@revision``."""
    return ID.fullmatch(name) is not None and ".." not in name


def fetched_folder(name: str, home: Path) -> Path:
    """Return where a hub's model lies once it was fetched."""
    return home / "models" / name.replace("/", "--")


def fetched_model(name: str, home: Path) -> Path:
    """Return the folder of a hub's model, fetched on first use unless ``HF_HUB_OFFLINE`` is set.

    Raises:
        ModelError: it is not here and cannot be fetched, or holds no safetensors.
    """
    found = ID.fullmatch(name)
    if found is None:
        raise ModelError(f"'{name}' is not a model id; write owner/name or owner/name@revision", code="not-a-models-id")
    folder = fetched_folder(name, home)
    if folder.is_dir():
        return folder
    from huggingface_hub import snapshot_download
    from huggingface_hub.errors import HfHubHTTPError, LocalEntryNotFoundError, OfflineModeIsEnabled

    folder.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    temporary = Path(tempfile.mkdtemp(prefix=".fetching-", dir=folder.parent))
    log.info("fetching %s", name)
    try:
        snapshot_download(found["id"], revision=found["revision"], local_dir=temporary, allow_patterns=WANTED)
        if not list(temporary.glob("*.safetensors")):
            raise ModelError(
                f"'{name}' has no safetensors, and other weights are never loaded; choose another model",
                code="no-safetensors",
            )
        shutil.rmtree(temporary / ".cache", ignore_errors=True)
        temporary.replace(folder)
    except (HfHubHTTPError, LocalEntryNotFoundError, OfflineModeIsEnabled, OSError) as error:
        if folder.is_dir():  # another process was faster
            return folder
        what = " ".join(str(error).split())[:200]
        raise ModelError(
            f"'{name}' is not on this machine and could not be downloaded ({what}); download it on another "
            "machine and give its folder",
            code="model-not-here",
        ) from error
    finally:
        shutil.rmtree(temporary, ignore_errors=True)
    return folder


def converted_gguf(file: Path, home: Path) -> Path:
    """Return the folder of a GGUF file's model, de-quantised to float32 on first use.

    Raises:
        ModelError: the file or the home cannot be used.
        AssetError: the conversion failed.
    """
    try:
        with file.open("rb") as stream:
            digest = hashlib.file_digest(stream, "sha256").hexdigest()
        folder = home / "models" / f"gguf-{digest[:32]}"
        if folder.is_dir():
            return folder
        check_gguf(file)
        folder.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        with _alone(folder):
            if folder.is_dir():  # another process has converted it meanwhile
                return folder
            temporary = folder.with_name(f".{folder.name}.{secrets.token_hex(4)}")
            log.info("converting %s", file.name)
            try:
                run_conversion(file.name, file, temporary, 4 * file.stat().st_size, lambda done, left: None, known=None)
                temporary.replace(folder)
            finally:
                shutil.rmtree(temporary, ignore_errors=True)
                temporary.with_name(f"{temporary.name}.log").unlink(missing_ok=True)
    except OSError as error:
        if folder.is_dir():
            return folder
        raise ModelError(
            f"{file}: cannot be converted ({error.strerror}); free some disk, or check the file", code="cannot-write"
        ) from error
    return folder


@contextmanager
def _alone(folder: Path) -> Iterator[None]:
    """Let one conversion of a file run at a time: each takes gigabytes, and the second finds what the first made."""
    handle = os.open(folder.with_name(f".{folder.name}.lock"), os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        fcntl.flock(handle, fcntl.LOCK_EX)
        yield
    finally:
        os.close(handle)
