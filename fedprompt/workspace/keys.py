"""The home's own signing key, made at first use and readable by its owner alone. Its fingerprint is who the home is."""

import secrets

from fedprompt.errors import FedPromptError
from fedprompt.trust.signing import KEY_BYTES, Signer
from fedprompt.workspace.home import Home
from fedprompt.workspace.secret_file import secret_in

__all__ = ["home_signer"]

NAME = "home.key"


def home_signer(home: Home) -> Signer:
    """Return what signs for this home.

    Raises:
        FedPromptError: the key cannot be made or read, is damaged, or others can read it.
    """
    path = home.path / NAME
    key = secret_in(path, "the home's key", lambda: secrets.token_bytes(KEY_BYTES))
    if len(key) != KEY_BYTES:
        raise FedPromptError(
            f"{path}: a home's key has {KEY_BYTES} bytes, but this one has {len(key)}; restore a backup",
            code="key-length",
        )
    return Signer(key)
