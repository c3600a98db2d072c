"""The recipes of CONTRIBUTING.md are followed to the letter in a copy of the repository; what they promise holds."""

import os
import re
import shlex
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

pytestmark = pytest.mark.whole

ROOT = Path(__file__).parents[2]
TEXT = (ROOT / "CONTRIBUTING.md").read_text(encoding="utf-8")
RECIPES = dict(re.findall(r"^## Recipe: add an? (.+)\n((?:.|\n)*?)(?=^## |\Z)", TEXT, flags=re.M))
STEP = re.compile(r"`([\w/.]+\.(?:py|md|toml))`[^`\n]*:\n\n((?:```(?:python|diff)\n.*?^```\n\n?)+)", re.M | re.S)
COMMAND = re.compile(r"`pytest ([^`]+)`")
FOLDERS = ("app", "docs", "fedprompt", "pages", "scripts", "tests")


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


def commands(recipe: str) -> list[list[str]]:
    """Return the arguments of each ``pytest`` that a recipe says to run."""
    (said,) = re.findall(r"^Run\s(.*?)\n\n", recipe + "\n", flags=re.M | re.S)
    return [shlex.split(one) for one in COMMAND.findall(said)]


@pytest.fixture(scope="module")
def followed(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, dict[str, list[Path]]]:
    """A copy of the repository in which every recipe was followed, and the files that each touched."""
    root = tmp_path_factory.mktemp("checkout")
    for folder in FOLDERS:
        shutil.copytree(ROOT / folder, root / folder, ignore=shutil.ignore_patterns("__pycache__", "*.png"))
    shutil.copy(ROOT / "pyproject.toml", root)
    return root, {name: follow(recipe, root) for name, recipe in RECIPES.items()}


def run(root: Path, *command: str) -> subprocess.CompletedProcess[str]:
    environment = {**os.environ, "PYTHONPATH": str(root), "PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1"}
    return subprocess.run([sys.executable, *command], cwd=root, env=environment, capture_output=True, text=True)


def test_no_step_of_a_recipe_is_passed_over(followed: tuple[Path, dict[str, list[Path]]]) -> None:
    assert RECIPES
    for name, recipe in RECIPES.items():
        written = sum(
            len(re.findall(r"^```(?:python|diff)$", blocks, flags=re.M)) for _, blocks in STEP.findall(recipe)
        )
        assert written == len(re.findall(r"^```\w+$", recipe, flags=re.M)) > 0, name
        assert any(path.name.startswith("test_") for path in followed[1][name]), f"{name} has no test"


def test_the_copy_is_what_is_imported(followed: tuple[Path, dict[str, list[Path]]]) -> None:
    root, _ = followed
    found = run(root, "-c", "import fedprompt; print(fedprompt.__file__)")
    assert Path(found.stdout.strip()).is_relative_to(root)


@pytest.mark.parametrize("name", RECIPES)
def test_what_a_recipe_says_to_run_passes_and_its_own_test_is_among_it(
    followed: tuple[Path, dict[str, list[Path]]], name: str
) -> None:
    root, touched = followed
    plugins = ("no:cacheprovider", "pytest_timeout", "_hypothesis_pytestplugin")
    options = ("-v", *(f"-p{plugin}" for plugin in plugins), "--hypothesis-profile=quick")
    said = ""
    for arguments in commands(RECIPES[name]):
        found = run(root, "-m", "pytest", *options, *arguments)
        assert found.returncode == 0, found.stdout + found.stderr
        said += found.stdout
    for path in touched[name]:
        if path.name.startswith("test_"):
            assert f"{path.relative_to(root)}::" in said


def test_the_recipes_pass_the_checks_of_style_and_of_imports(followed: tuple[Path, dict[str, list[Path]]]) -> None:
    root, touched = followed
    files = [str(path) for paths in touched.values() for path in paths if path.suffix == ".py"]
    for command in (("check",), ("format", "--check")):
        found = run(root, "-m", "ruff", *command, "--no-cache", *files)
        assert found.returncode == 0, found.stdout + found.stderr
    found = run(root, "-c", "from importlinter.cli import lint_imports_command; lint_imports_command()", "--no-cache")
    assert found.returncode == 0, found.stdout + found.stderr
