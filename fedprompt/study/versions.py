"""Which versions of fedprompt work together: those whose minor versions are at most one apart, within a major one.

Hub and site say theirs in ``describe``, with which every run begins.
"""

import re
import sys
from typing import Annotated

from pydantic import StringConstraints

__all__ = ["OWN", "Version", "misfit"]

# The package is there before its rooms are; a room that imported it would stand above all others.
OWN: str = sys.modules[__name__.partition(".")[0]].__version__

PATTERN = r"^\d{1,4}\.\d{1,4}(\.\d{1,4})?([abrc.+-][a-z0-9.+-]{0,20})?$"
Version = Annotated[str, StringConstraints(pattern=PATTERN, max_length=40)]


def misfit(hub: str, site: str) -> str | None:
    """Return who is to upgrade where two versions are too far apart, None where they work together.

    Raises:
        ValueError: one is no version.
    """
    (hub_major, hub_minor), (site_major, site_minor) = _numbers(hub), _numbers(site)
    if hub_major == site_major and abs(hub_minor - site_minor) <= 1:
        return None
    older = "site" if (site_major, site_minor) < (hub_major, hub_minor) else "hub"
    return (
        f"the hub has fedprompt {hub} and the site has {site}, which differ by more than one minor version; "
        f"upgrade the {older} with pip install 'fedprompt[flare]=={max((hub, site), key=_numbers)}'"
    )


def _numbers(version: str) -> tuple[int, int]:
    if re.match(PATTERN, version) is None:
        raise ValueError(f"'{version}' is not a valid version")
    major, minor = version.split(".")[:2]
    return int(major), int(re.match(r"\d+", minor)[0])  # type: ignore[index]
