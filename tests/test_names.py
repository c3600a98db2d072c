"""Every module says what it offers and offers that; the package and its command line start without torch."""

import importlib
import pkgutil
import subprocess
import sys

import pytest

import fedprompt

pytestmark = pytest.mark.whole

# Alembic runs these itself; running a package is what ``__main__`` is for.
MODULES = sorted(
    info.name
    for info in pkgutil.walk_packages(fedprompt.__path__, "fedprompt.")
    if ".migrations." not in info.name and not info.name.endswith("__main__")
)


def test_all_names_what_exists_once() -> None:
    for name in MODULES:
        module = importlib.import_module(name)
        if hasattr(module, "__path__") and not hasattr(module, "__all__"):
            continue  # a room is a folder of modules
        names = list(module.__all__)
        assert len(set(names)) == len(names), name
        assert [entry for entry in names if not hasattr(module, entry)] == [], name
        assert not [entry for entry in names if entry.startswith("_") and entry != "__version__"], name


def test_what_a_module_defines_for_others_is_named() -> None:
    for name in MODULES:
        module = importlib.import_module(name)
        if not hasattr(module, "__all__"):
            continue
        own = {
            entry
            for entry, value in vars(module).items()
            if isinstance(value, type) and value.__module__ == name and not entry.startswith("_")
        }
        used = {entry for entry in own if entry not in module.__all__}
        for entry in used:
            found = subprocess.run(
                ["grep", "-rlE", "--include=*.py", rf"from {name} import .*\b{entry}\b", *fedprompt.__path__],
                capture_output=True,
                text=True,
            )
            assert not found.stdout, f"{entry} of {name} is imported elsewhere and not in __all__"


@pytest.mark.parametrize("name", ["fedprompt", "fedprompt.cli.main"])
def test_starting_loads_no_heavy_library(name: str) -> None:
    heavy = (
        "torch",
        "transformers",
        "faiss",
        "sentence_transformers",
        "langchain_core",
        "pandas",
        "pyarrow",
        "streamlit",
    )
    code = f"import sys, {name}; print([heavy for heavy in {heavy!r} if heavy in sys.modules])"
    found = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert found.stdout.strip() == "[]"
