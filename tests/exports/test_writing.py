"""An export is there whole or not at all."""

import subprocess
import sys
from pathlib import Path

import pytest

from fedprompt.errors import ExportError
from fedprompt.exports.writing import check_space, publishing, write_one
from tests.coded import coded


@pytest.mark.parametrize("name", ["x", "x.zip"])
def test_an_error_halfway_leaves_nothing(tmp_path: Path, name: str) -> None:
    with pytest.raises(RuntimeError), publishing(tmp_path / name) as folder:
        (folder / "half").write_text("half")
        raise RuntimeError("broken off")
    assert list(tmp_path.iterdir()) == []


def test_a_zip_is_replaced_only_once_the_new_one_is_whole(tmp_path: Path) -> None:
    path = tmp_path / "x.zip"
    path.write_text("old")
    with pytest.raises(RuntimeError), publishing(path):
        raise RuntimeError("broken off")
    assert path.read_text() == "old"
    with publishing(path) as folder:
        (folder / "a").write_text("new")
    assert path.read_bytes().startswith(b"PK")
    assert [found.name for found in tmp_path.iterdir()] == ["x.zip"]


def test_a_place_that_cannot_be_written_is_said(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(ExportError, check=coded("cannot-write")), publishing(tmp_path / "file" / "x"):
        pass


def test_too_little_disk_is_said_before_anything_is_written(tmp_path: Path) -> None:
    with pytest.raises(ExportError, check=coded("disk-full")):
        check_space(tmp_path / "new" / "x", 10**18)
    check_space(tmp_path / "new" / "x", 1)


FULL = """
import resource, signal, sys
from pathlib import Path
from fedprompt.errors import ExportError
from fedprompt.exports.writing import publishing
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
resource.setrlimit(resource.RLIMIT_FSIZE, (1000, 1000))
try:
    with publishing(Path(sys.argv[1])) as folder:
        (folder / "big").write_bytes(bytes(5000))
except ExportError as error:
    print(error)
"""


def test_a_full_disk_is_said_and_leaves_nothing(tmp_path: Path) -> None:
    command = [sys.executable, "-c", FULL, str(tmp_path / "x.zip")]
    assert "the disk is full" in subprocess.run(command, capture_output=True, text=True, check=True).stdout
    assert list(tmp_path.iterdir()) == []


def test_a_name_may_be_as_long_as_the_disk_holds_and_a_longer_one_is_refused_in_a_sentence(tmp_path: Path) -> None:
    for name in ("a" * 255, "b" * 251 + ".zip"):
        with publishing(tmp_path / name) as folder:
            (folder / "a").write_text("whole")
        assert (tmp_path / name).exists()
    for name in ("a" * 256, "b" * 252 + ".zip"):
        with pytest.raises(ExportError, check=coded("cannot-write")), publishing(tmp_path / name):
            raise AssertionError("it began")
    with pytest.raises(ExportError, check=coded("cannot-write")):
        write_one(tmp_path / ("a" * 256), b"x")
