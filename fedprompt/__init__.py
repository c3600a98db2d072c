"""fedprompt: organisations find the best prompts together, without showing anyone their labelled cases.

Importing this package loads neither torch nor any other heavy library.
"""

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path

    from fedprompt.workspace.serve.opened import PromptBank

__version__ = "0.1.0"

__all__ = ["__version__", "open"]


def open(home: "Path | str | None" = None) -> "PromptBank":
    """Open a bank, to read and run its prompts: ``fedprompt.open().get("sentiment@production").run(text=...)``.

    Args:
        home: the home folder; by default ``$FEDPROMPT_HOME``, else ``~/.fedprompt``.

    Raises:
        BankError: there is no bank, or it cannot be opened.
    """
    from fedprompt.workspace.serve.opened import open_bank

    return open_bank(home)
