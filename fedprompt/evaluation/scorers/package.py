"""Packages that a scorer needs and not everyone has: imported where they are used, named where they are missing."""

from importlib import import_module
from types import ModuleType

from fedprompt.errors import ModelError
from fedprompt.extras import pip_command

__all__ = ["package"]


def package(module: str, *, scorer: str) -> ModuleType:
    """Return a module of the extra ``metrics``.

    Raises:
        ModelError: it is not installed; names the pip command.
    """
    try:
        return import_module(module)
    except ImportError as error:
        raise ModelError(
            f"the scorer '{scorer}' needs a package that is not installed ({error.name}); run: "
            f"{pip_command('metrics')}",
            code="package-missing",
        ) from error
