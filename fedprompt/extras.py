"""The optional parts of fedprompt: which packages each needs, and the command that installs them.

fedprompt itself is in no public package index, so a command never names it: it names the packages of the part, in the
versions that this installation asks for.
"""

import re
import shlex
from importlib.metadata import PackageNotFoundError, requires
from importlib.util import find_spec

__all__ = ["PARTS", "is_installed", "packages_of", "pip_command"]

# part -> a module that is there once its packages are
PARTS = {
    "chat": "langchain_openai",
    "flare": "nvflare",
    "html": "resiliparse",
    "metrics": "sacrebleu",
    "postgres": "psycopg",
    "serve": "fastapi",
    "signin": "authlib",
}
_OF_PART = re.compile(r"""^(?P<package>[^;]+?)\s*;\s*extra\s*==\s*['"](?P<part>[\w-]+)['"]\s*$""")


def packages_of(part: str) -> tuple[str, ...]:
    """Return the requirements of a part, such as ``langchain-openai<2,>=1.7.3``; none where nothing is known."""
    try:
        listed = requires("fedprompt") or []
    except PackageNotFoundError:
        return ()
    matches = (_OF_PART.match(one) for one in listed)
    return tuple(one["package"].strip() for one in matches if one is not None and one["part"] == part)


def pip_command(part: str) -> str:
    """Return the command that installs a part's packages, for a terminal of fedprompt's environment."""
    return shlex.join(["pip", "install", *(packages_of(part) or (f"fedprompt[{part}]",))])


def is_installed(part: str) -> bool:
    """Return whether a part's packages are there."""
    return find_spec(PARTS[part]) is not None
