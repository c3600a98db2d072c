"""The home's own signing key, made at first use and readable by its owner alone. Its fingerprint is who the home is."""

import os
import secrets
from contextlib import suppress

from fedprompt.errors import FedPromptError
from fedprompt.site.signing import KEY_BYTES, Signer
from fedprompt.workspace.home import Home

__all__ = ["home_signer"]

NAME = "home.key"


def home_signer(home: Home) -> Signer:
    """Return what signs for this home.

    Raises:
        FedPromptError: the key cannot be made or read, is damaged, or others can read it.
    """
    path = home.path / NAME
    try:
        if not path.exists():
            temporary = path.with_name(f".{NAME}.{os.getpid()}.{secrets.token_hex(4)}")
            with os.fdopen(os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as file:
                file.write(secrets.token_bytes(KEY_BYTES))
                file.flush()
                os.fsync(file.fileno())
            # A link, not a replacement: of two processes that make one at once, the first one's stays.
            with suppress(FileExistsError):
                os.link(temporary, path)
            temporary.unlink()
        if path.stat().st_mode & 0o077:
            raise FedPromptError(f"{path} can be read by others; see who did, then 'chmod 600' it")
        key = path.read_bytes()
    except OSError as error:
        raise FedPromptError(f"{path}: the home's key cannot be made or read ({error.strerror})") from error
    if len(key) != KEY_BYTES:
        raise FedPromptError(
            f"{path}: a home's key has {KEY_BYTES} bytes, this one has {len(key)}; restore a copy of it"
        )
    return Signer(key)
