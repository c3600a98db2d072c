"""Which models have passed their check on this machine, so that the same is not shown again at every start.

A pass is of a model's digest, dtype and device under the versions of fedprompt, torch and transformers; with any other
of these the check is made again. It is an empty file of that name in the home. Failures are not kept.
"""

import logging
from collections.abc import Callable
from importlib.metadata import version
from pathlib import Path

from fedprompt.models.protocols import ModelInfo
from fedprompt.prompts.ids import canonical_json, content_id

__all__ = ["check_once"]

log = logging.getLogger(__name__)
VERSION = 2  # raised when the check, or what it is a check of, changes between releases


def check_once(info: ModelInfo, folder: Path | None, check: Callable[[], None]) -> None:
    """Make a model's check unless ``folder`` holds that it has passed; None keeps nothing.

    Raises:
        ModelError: it does not pass.
    """
    mark = None if folder is None else folder / _name(info)
    if mark is not None and mark.exists():
        return
    check()
    if mark is not None:
        try:
            mark.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            mark.touch(mode=0o600)
        except OSError as error:  # a home that cannot be written to is checked again each time
            log.info("the check of %s is not kept (%s)", info.name, error.strerror)


def _name(info: ModelInfo) -> str:
    import torch
    import transformers

    versions = [VERSION, version("fedprompt"), torch.__version__, transformers.__version__]
    body = [*versions, info.digest, info.settings.dtype, info.settings.device]
    return content_id("m1", canonical_json(body)).replace(":", "-")
