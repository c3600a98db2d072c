"""Keys and values are the same wherever they lie, in memory or a file or computed again; bfloat16 halves their room."""

import logging
from collections.abc import Sequence
from contextlib import ExitStack
from pathlib import Path

import pytest
import torch
from torch import Tensor

from fedprompt.models.hf.prefix_store import PrefixStore
from fedprompt.models.hf.trie import Node
from tests.models.hf.test_spill import files_end_at
from tests.models.tiny import model

# Six prefixes of 24 to 29 tokens that share nothing. A pack takes one, so that computing it again is the same work.
PREFIXES = [tuple((7 * row + 11 * k) % 300 + 3 for k in range(24 + row)) for row in range(6)]
PACK = 29
TOKENS = 159  # 24 + 25 + 26 + 27 + 28 + 29
ROWS = [4, 0, 5]
NUMBERS = 2 * 2 * 2 * 8  # of a token: two layers, keys and values, two heads of 8


def store(folder: Path | None, budget: int, dtype: torch.dtype | None = None, *, later: bool = False) -> PrefixStore:
    body = model("llama")._body
    return PrefixStore(body, PREFIXES, pack=PACK, budget=budget, folder=folder, dtype=dtype, later=later)


def blocks(found: PrefixStore) -> Tensor:
    padded = found.batch(ROWS)
    assert padded is not None and padded.lengths == (28, 24, 29)
    return padded.blocks.clone()


@pytest.mark.parametrize("dtype", [None, torch.bfloat16], ids=str)
def test_held_spilled_and_computed_again_are_the_same_bits(tmp_path: Path, dtype: torch.dtype | None) -> None:
    held, spilled, again = store(None, 10**9, dtype), store(tmp_path, 0, dtype), store(None, 0, dtype)
    assert held.memory == spilled.disk == TOKENS * NUMBERS * (4 if dtype is None else 2)
    assert held.disk == spilled.memory == again.memory == again.disk == 0
    assert blocks(held).dtype == torch.float32
    assert torch.equal(blocks(held), blocks(spilled)) and torch.equal(blocks(held), blocks(again))


def test_bfloat16_moves_no_number_by_more_than_its_256th_part() -> None:
    # Of bfloat16's 8 binary digits the last is worth at most 2^-7 of the number, and rounding moves it by half of that.
    whole, rounded = blocks(store(None, 10**9)), blocks(store(None, 10**9, torch.bfloat16))
    apart = (rounded - whole).abs()
    assert bool((apart <= whole.abs() * 2**-8).all()) and bool(apart.any())


def test_where_the_disk_cannot_set_the_room_aside_everything_over_the_budget_is_computed_again(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    # A node of 24 tokens takes 6,144 bytes, the second does not fit into 10,000.
    with files_end_at(20_000), caplog.at_level(logging.WARNING):
        poor = store(tmp_path, 10_000)
    assert (poor.memory, poor.disk) == (24 * NUMBERS * 4, 0)
    assert torch.equal(blocks(poor), blocks(store(None, 10**9)))
    (record,) = caplog.records  # said once, with what to do
    assert "File too large" in record.message and "--cache-bytes" in record.message


def test_what_a_disk_that_fails_midway_has_taken_is_read_and_the_rest_is_computed_again(tmp_path: Path) -> None:
    failing = store(tmp_path, 0, later=True)
    with ExitStack() as limits:

        def visit(nodes: Sequence[Node], begins: Sequence[int], hidden: Tensor) -> None:
            if nodes[0].number == 2:  # two are written, of 24 and 25 tokens; from here on nothing more is taken
                limits.enter_context(files_end_at(49 * NUMBERS * 4))

        failing.fill(visit)
    assert failing.disk == 49 * NUMBERS * 4
    assert torch.equal(blocks(failing), blocks(store(None, 10**9)))


def test_a_folder_that_is_gone_stops_nothing(tmp_path: Path) -> None:
    gone = store(tmp_path / "gone", 0)
    assert gone.disk == 0 and torch.equal(blocks(gone), blocks(store(None, 10**9)))
