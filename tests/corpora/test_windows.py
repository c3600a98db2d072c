"""Every window is drawn once before any is drawn twice, and passages are the text."""

from pathlib import Path

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from fedprompt.corpora.ordering import drawn, window_at
from fedprompt.corpora.passages import cut
from fedprompt.corpora.tokens import TokenFile, TokenWriter, token_type


@given(st.integers(1, 700), st.integers(0, 2**63), st.integers(0, 3))
def test_a_pass_takes_each_window_once(windows: int, seed: int, turn: int) -> None:
    assert sorted(drawn(turn * windows, windows, windows, seed)) == list(range(windows))


def test_another_pass_and_another_seed_have_another_order() -> None:
    first, second = drawn(0, 200, 200, 1), drawn(200, 200, 200, 1)
    assert first != second and first != drawn(0, 200, 200, 2) and first != sorted(first)
    assert window_at(10**12, 10**9, 3) == window_at(10**12, 10**9, 3) < 10**9


@given(st.text(max_size=400), st.integers(2, 50), st.integers(1, 60))
def test_passages_are_the_text_and_not_longer(text: str, longest: int, size: int) -> None:
    chunks = [text[at : at + size] for at in range(0, len(text), size)]
    found = list(cut(chunks, longest))
    assert "".join(found) == text and all(0 < len(one) <= longest for one in found)


def test_documents_of_windows_are_counted(tmp_path: Path) -> None:
    writer = TokenWriter(tmp_path, "train", token_type(100))
    for length in (3, 5, 8, 4):
        writer.add(range(length), first=True)
    writer.mark()
    writer.add([9] * 50, first=True)
    writer.take_back()
    writer.sync()
    writer.close()
    file = TokenFile.open(tmp_path, "train", token_type(100))
    assert file.windows(4) == 5 and len(file.documents) == 4
    assert file.batch([0, 2], 4).tolist() == [[0, 1, 2, 0], [0, 1, 2, 3]]
    # Tokens 0 to 2 are of document 0, 3 to 7 of 1, 8 to 15 of 2, 16 to 19 of 3.
    assert [file.documents_in([at], 4).tolist() for at in range(5)] == [[0, 1], [1], [2], [2], [3]]
    assert np.array_equal(file.documents_in(range(5), 4), [0, 1, 2, 3])
