"""The home folder: everything that fedprompt keeps on a machine lies under it, readable by its owner alone."""

import os
from dataclasses import dataclass
from pathlib import Path

from fedprompt.errors import FedPromptError

__all__ = ["Home", "default_home", "find_home"]


@dataclass(frozen=True)
class Home:
    """Where things lie under ``path`` (``$FEDPROMPT_HOME``, by default ``~/.fedprompt``)."""

    path: Path

    @property
    def bank(self) -> Path:
        """The bank's SQLite file."""
        return self.path / "bank.db"

    @property
    def queue(self) -> Path:
        """The job queue's SQLite file."""
        return self.path / "queue.db"

    @property
    def sites(self) -> Path:
        """One private folder a site."""
        return self.path / "sites"

    @property
    def exports(self) -> Path:
        """What the pages exported, until it is taken."""
        return self.path / "exports"

    @property
    def logs(self) -> Path:
        """Logs of the processes that the app starts."""
        return self.path / "logs"


def default_home() -> Path:
    """Return where the home folder is unless one is named: ``$FEDPROMPT_HOME``, by default ``~/.fedprompt``.

    Raises:
        FedPromptError: this user has no home directory, as in some containers.
    """
    return _absolute(Path(os.environ.get("FEDPROMPT_HOME") or "~/.fedprompt"))


def find_home(path: Path | None = None) -> Home:
    """Return the home folder, made with mode 0700 if it is not there.

    Raises:
        FedPromptError: it cannot be made or is a file.
    """
    chosen = default_home() if path is None else _absolute(path)
    try:
        chosen.mkdir(mode=0o700, parents=True, exist_ok=True)
    except OSError as error:
        raise FedPromptError(
            f"the home folder {chosen} cannot be created ({error.strerror}); choose another with --home DIR",
            code="cannot-write",
        ) from error
    return Home(chosen)


def _absolute(path: Path) -> Path:
    try:
        return path.expanduser().absolute()
    except RuntimeError:
        raise FedPromptError(
            f"{path}: this user has no home directory; give a folder with --home DIR or in FEDPROMPT_HOME",
            code="no-home",
        ) from None
    except OSError as error:  # the folder that this process is in was removed
        why = (error.strerror or "no such folder").lower()
        raise FedPromptError(f"{path}: {why}; write the path in full", code="cannot-read") from None
