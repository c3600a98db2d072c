"""A site's folder is its owner's alone and keeps the key it has."""

from pathlib import Path

import pytest

from fedprompt.errors import DataError
from fedprompt.site.folder import SiteFolder
from tests.coded import coded


def test_the_key_is_random_private_and_stays(tmp_path: Path) -> None:
    one, two = SiteFolder(tmp_path / "one"), SiteFolder(tmp_path / "two")
    one.prepare()
    two.prepare()
    key = one.key
    assert len(key) == 32 and key != two.key
    assert one.path.stat().st_mode & 0o777 == 0o700
    assert (one.path / "site.key").stat().st_mode & 0o777 == 0o600
    one.prepare()
    assert one.key == key
    assert [path.name for path in one.path.iterdir()] == ["site.key"]


def test_another_key_does_not_replace_the_one_that_is_there(tmp_path: Path) -> None:
    folder = SiteFolder(tmp_path / "one")
    folder.prepare(b"a" * 32)
    folder.prepare(b"a" * 32)
    with pytest.raises(DataError, check=coded("another-key")):
        folder.prepare(b"b" * 32)
    assert folder.key == b"a" * 32


@pytest.mark.parametrize("key", [b"", b"short", b"x" * 33])
def test_a_key_of_another_length_is_never_written(tmp_path: Path, key: bytes) -> None:
    folder = SiteFolder(tmp_path / "one")
    with pytest.raises(DataError, check=coded("key-length")):
        folder.prepare(key)
    assert not (folder.path / "site.key").exists()


def test_a_missing_or_cut_key_is_told(tmp_path: Path) -> None:
    folder = SiteFolder(tmp_path)
    with pytest.raises(DataError, check=coded("key-lost")):
        _ = folder.key
    (tmp_path / "site.key").write_bytes(b"x" * 31)
    with pytest.raises(DataError, match="31", check=coded("key-length")):
        _ = folder.key


def test_a_folder_that_cannot_be_made_is_told(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("x")
    with pytest.raises(DataError, check=coded("cannot-write")):
        SiteFolder(tmp_path / "file" / "site").prepare()
