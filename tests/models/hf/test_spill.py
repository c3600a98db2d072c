"""A block comes back as it was written, from a file that has no name, never grows, and says when it cannot be."""

import os
import resource
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
import torch

from fedprompt.models.hf.spill import SPARE, Spill

SHAPE = (2, 2, 3, 700, 5)  # 42,000 numbers: blocks begin and end within pages


@contextmanager
def files_end_at(size: int) -> Iterator[None]:
    """Within this block the system lets no file reach past ``size`` bytes."""
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16], ids=str)
def test_blocks_come_back_in_any_order_and_again(tmp_path: Path, dtype: torch.dtype) -> None:
    blocks = [torch.randn(SHAPE, generator=torch.Generator().manual_seed(k)).to(dtype) for k in range(3)]
    size = sum(block.numel() * block.element_size() for block in blocks)
    spill = Spill(tmp_path, size, dtype)
    places = [spill.append(block) for block in blocks]
    assert spill.written == size
    for k in (2, 0, 1, 2):
        # A place in a batch is a part of larger memory, and wider where the model computes in float32.
        into = torch.zeros((*SHAPE[:2], 4, *SHAPE[2:]))
        spill.copy(places[k], into[:, :, 1])
        assert torch.equal(into[:, :, 1], blocks[k].float())
        assert not into[:, :, 0].any() and not into[:, :, 2].any()


def test_the_file_has_no_name_and_one_reader_and_all_its_room_at_once(tmp_path: Path) -> None:
    spill = Spill(tmp_path, 3_000_000, torch.float32)
    found = os.fstat(spill._file)
    assert os.listdir(tmp_path) == []
    assert (found.st_nlink, found.st_mode & 0o777, found.st_size) == (0, 0o600, 3_000_000)
    assert found.st_blocks * 512 >= 3_000_000


def test_a_file_that_is_no_longer_used_is_closed(tmp_path: Path) -> None:
    spill = Spill(tmp_path, 4096, torch.float32)
    handle = spill._file
    os.fstat(handle)
    del spill
    with pytest.raises(OSError, match="Bad file descriptor"):
        os.fstat(handle)


def test_room_is_refused_where_the_disk_has_too_little_or_lets_no_file_be_as_long(tmp_path: Path) -> None:
    disk = os.statvfs(tmp_path)
    with pytest.raises(OSError, match="No space left"):
        Spill(tmp_path, disk.f_bavail * disk.f_frsize - SPARE // 2, torch.float32)
    with files_end_at(10_000), pytest.raises(OSError, match="File too large"):
        Spill(tmp_path, 10_001, torch.float32)
    assert os.listdir(tmp_path) == []


def test_a_block_that_cannot_be_written_leaves_those_before_it(tmp_path: Path) -> None:
    first, second = torch.arange(1000.0), torch.ones(1000)
    spill = Spill(tmp_path, 8000, torch.float32)
    place = spill.append(first)
    with files_end_at(6000), pytest.raises(OSError, match="File too large"):
        spill.append(second)
    with pytest.raises(OSError, match="No space left"):
        spill.append(torch.ones(1001))  # past what was set aside: 4000 and 4004 of 8000 bytes
    into = torch.zeros(1000)
    spill.copy(place, into)
    assert torch.equal(into, first) and spill.written == 4000
    again = torch.zeros(1000)
    spill.copy(spill.append(second), again)
    assert torch.equal(again, second)
