"""The wheel: what is in it, and that it runs from any folder without the checkout."""

import os
import subprocess
import sys
import sysconfig
import zipfile
from pathlib import Path, PurePosixPath

import pytest

pytestmark = pytest.mark.slow

ROOT = Path(__file__).resolve().parents[2]


def run(*command: str | Path, cwd: Path) -> subprocess.CompletedProcess[str]:
    """Run a command without the checkout on its import path."""
    environment = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
    return subprocess.run(
        [str(part) for part in command],
        cwd=cwd,
        env=environment,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=300,
    )


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Build the wheel once."""
    out = tmp_path_factory.mktemp("dist")
    built = run(
        *(sys.executable, "-m", "build", "--wheel", "--no-isolation", "--outdir", out, ROOT),
        cwd=out,
    )
    assert built.returncode == 0, built.stdout + built.stderr
    (path,) = out.glob("fedprompt-*.whl")
    return path


@pytest.fixture(scope="module")
def python(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Install the wheel alone into an environment that takes everything else from this one."""
    folder = tmp_path_factory.mktemp("installed") / "venv"
    made = run(sys.executable, "-m", "venv", "--without-pip", folder, cwd=folder.parent)
    assert made.returncode == 0, made.stdout + made.stderr
    python = folder / "bin" / "python"
    site = run(python, "-c", "import sysconfig; print(sysconfig.get_path('purelib'))", cwd=folder).stdout.strip()
    # A folder named in a .pth file is searched; its own .pth files, the editable install's among them, are not read.
    Path(site, "rest.pth").write_text(sysconfig.get_path("purelib") + "\n", encoding="utf-8")
    installed = run(
        *(sys.executable, "-m", "pip", "--python", python, "install"),
        *("--no-deps", "--no-index", "--ignore-installed", "--quiet", wheel),
        cwd=folder,
    )
    assert installed.returncode == 0, installed.stdout + installed.stderr
    return python


@pytest.fixture(scope="module")
def names(wheel: Path) -> frozenset[str]:
    """Return the names in the wheel."""
    with zipfile.ZipFile(wheel) as archive:
        return frozenset(archive.namelist())


def test_the_wheel_takes_one_top_level_name(names: frozenset[str]) -> None:
    tops = {PurePosixPath(name).parts[0] for name in names}
    assert {top for top in tops if not top.endswith(".dist-info")} == {"fedprompt"}


@pytest.mark.parametrize("folder", ["fedprompt", "app", "pages", ".streamlit"])
def test_every_file_of_the_checkout_is_in_the_wheel(names: frozenset[str], folder: str) -> None:
    target = PurePosixPath(folder) if folder == "fedprompt" else PurePosixPath("fedprompt/_web", folder)
    files = [
        path.relative_to(ROOT / folder)
        for path in (ROOT / folder).rglob("*")
        if path.is_file() and "__pycache__" not in path.parts and path.name != "secrets.toml"
    ]
    assert files
    assert not [str(file) for file in files if str(target / file.as_posix()) not in names]


@pytest.mark.parametrize(
    "name",
    [
        "fedprompt/py.typed",
        "fedprompt/bank/migrations/env.py",
        "fedprompt/bank/migrations/versions/r0001_first.py",
        "fedprompt/workspace/demo_study.yaml",
        "fedprompt/_web/app/main.py",
        "fedprompt/_web/pages/overview.py",
        "fedprompt/_web/.streamlit/config.toml",
    ],
)
def test_what_the_installed_program_reads_is_in_the_wheel(names: frozenset[str], name: str) -> None:
    assert name in names


def test_no_private_file_and_no_cache_is_in_the_wheel(names: frozenset[str]) -> None:
    assert not [name for name in names if name.endswith((".pyc", ".sqlite3", ".db", ".gguf", "secrets.toml"))]


def test_the_licences_travel_with_the_wheel(names: frozenset[str]) -> None:
    ends = {PurePosixPath(name).name for name in names if ".dist-info/licenses/" in name}
    assert ends == {"LICENSE", "THIRD_PARTY_NOTICES.md"}


def test_the_command_runs_from_another_folder(python: Path, tmp_path: Path) -> None:
    done = run(python.with_name("fedprompt"), "--help", cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    assert "federate" in done.stdout


def test_the_installed_program_finds_its_own_pages_and_its_study(python: Path, tmp_path: Path) -> None:
    code = (
        "from importlib.resources import files; from fedprompt.workspace.machine.launch import web_root; "
        "print(web_root()); print(files('fedprompt.workspace').joinpath('demo_study.yaml').is_file())"
    )
    done = run(python, "-c", code, cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    root, study = done.stdout.split()
    assert Path(root).is_relative_to(python.parents[1])
    assert Path(root).parts[-2:] == ("fedprompt", "_web")
    assert study == "True"


@pytest.mark.parametrize("name", ["app", "pages"])
def test_installing_takes_neither_app_nor_pages(python: Path, tmp_path: Path, name: str) -> None:
    done = run(python, "-c", f"import {name}", cwd=tmp_path)
    assert done.returncode == 1
    assert f"No module named '{name}'" in done.stderr
