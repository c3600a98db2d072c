"""The recipes of CONTRIBUTING.md are followed to the letter in a copy of the package, and what they promise holds."""

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

pytestmark = pytest.mark.whole

ROOT = Path(__file__).parents[2]
TEXT = (ROOT / "CONTRIBUTING.md").read_text(encoding="utf-8")
RECIPES = dict(re.findall(r"^## Recipe: (add an? \w+)\n(.*?)(?=^## |\Z)", TEXT, flags=re.M | re.S))
STEP = re.compile(r"`([\w/]+\.py)`:\n\n((?:```(?:python|diff)\n.*?^```\n\n?)+)", re.M | re.S)


def test_there_are_the_three_recipes() -> None:
    assert set(RECIPES) == {"add a scorer", "add a strategy", "add an exporter"}


def follow(recipe: str, root: Path) -> list[Path]:
    """Write and change the files that a recipe names; return them."""
    touched = []
    for name, blocks in STEP.findall(recipe):
        path = root / name
        for kind, body in re.findall(r"```(python|diff)\n(.*?)^```", blocks, flags=re.M | re.S):
            if kind == "python":
                assert not path.exists(), f"{name} is there already"
                path.parent.mkdir(parents=True, exist_ok=True)
                path.write_text(body, encoding="utf-8")
            else:
                lines = body.splitlines()
                old = "".join(line[1:] + "\n" for line in lines if line[0] in " -")
                new = "".join(line[1:] + "\n" for line in lines if line[0] in " +")
                before = path.read_text(encoding="utf-8")
                assert before.count(old) == 1, f"{name} has no such lines, or has them twice:\n{old}"
                path.write_text(before.replace(old, new), encoding="utf-8")
        touched.append(path)
    return touched


@pytest.fixture(scope="module")
def followed(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, list[Path]]:
    """A copy of the package in which every recipe was followed, and the files that this touched."""
    root = tmp_path_factory.mktemp("checkout")
    shutil.copytree(ROOT / "fedprompt", root / "fedprompt", ignore=shutil.ignore_patterns("__pycache__"))
    shutil.copy(ROOT / "pyproject.toml", root)
    return root, [path for recipe in RECIPES.values() for path in follow(recipe, root)]


def run(root: Path, *command: str) -> subprocess.CompletedProcess[str]:
    environment = {**os.environ, "PYTHONPATH": str(root), "PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1"}
    return subprocess.run([sys.executable, *command], cwd=root, env=environment, capture_output=True, text=True)


def test_each_recipe_is_a_file_a_registry_and_a_test(followed: tuple[Path, list[Path]]) -> None:
    root, touched = followed
    names = [path.relative_to(root).parts[0] for path in touched]
    one = ["fedprompt", "fedprompt", "tests"]
    assert names == [*one, *one, *one]


def test_the_copy_is_what_is_imported(followed: tuple[Path, list[Path]]) -> None:
    root, _ = followed
    found = run(root, "-c", "import fedprompt; print(fedprompt.__file__)")
    assert Path(found.stdout.strip()).is_relative_to(root)


def test_the_recipes_tests_pass(followed: tuple[Path, list[Path]]) -> None:
    root, touched = followed
    tests = [str(path) for path in touched if path.name.startswith("test_")]
    found = run(root, "-m", "pytest", "-q", "-p", "no:cacheprovider", "-p", "pytest_timeout", *tests)
    assert found.returncode == 0, found.stdout + found.stderr
    assert "5 passed" in found.stdout


def test_the_recipes_pass_the_style_check(followed: tuple[Path, list[Path]]) -> None:
    root, touched = followed
    for command in (("check",), ("format", "--check")):
        found = run(root, "-m", "ruff", *command, "--no-cache", *map(str, touched))
        assert found.returncode == 0, found.stdout + found.stderr
