"""A private file is whole, private and the writer's own, whatever breaks off."""

import os
import stat
import threading
from pathlib import Path

import pytest

from fedprompt.private_file import private_file, write_first, write_private


def test_the_content_is_replaced_and_nobody_else_can_read_it(tmp_path: Path) -> None:
    path = tmp_path / "kept.json"
    path.write_text("old")
    path.chmod(0o644)
    write_private(path, "n\N{LATIN SMALL LETTER E WITH ACUTE}w\n")
    assert path.read_bytes() == b"n\xc3\xa9w\n"
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert os.listdir(tmp_path) == ["kept.json"]


def test_what_was_there_stays_where_writing_breaks_off(tmp_path: Path) -> None:
    path = tmp_path / "kept.json"
    write_private(path, b"old")
    with pytest.raises(ZeroDivisionError), private_file(path) as file:
        file.write(b"half")
        raise ZeroDivisionError
    assert path.read_bytes() == b"old"
    assert os.listdir(tmp_path) == ["kept.json"]


def test_a_link_in_the_place_is_replaced_and_not_followed(tmp_path: Path) -> None:
    elsewhere, path = tmp_path / "elsewhere", tmp_path / "kept.json"
    elsewhere.write_text("theirs")
    path.symlink_to(elsewhere)
    write_private(path, "ours")
    assert (elsewhere.read_text(), path.read_text(), path.is_symlink()) == ("theirs", "ours", False)


def test_of_many_that_write_first_one_does(tmp_path: Path) -> None:
    path, wrote = tmp_path / "key", dict[int, bool]()

    def write(number: int) -> None:
        wrote[number] = write_first(path, bytes([number]) * 32)

    threads = [threading.Thread(target=write, args=(number,)) for number in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    (first,) = (number for number, done in wrote.items() if done)
    assert path.read_bytes() == bytes([first]) * 32
    assert os.listdir(tmp_path) == ["key"]


def test_a_folder_that_is_missing_is_the_systems_error(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError):
        write_private(tmp_path / "nowhere" / "kept", b"")
