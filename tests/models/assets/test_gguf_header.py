"""A GGUF file's header is walked before it is believed."""

import struct
from pathlib import Path

import pytest

from fedprompt.errors import ModelError
from fedprompt.models.assets.gguf_header import check_gguf


def _text(text: bytes, length: int | None = None) -> bytes:
    return struct.pack("<Q", len(text) if length is None else length) + text


def _file(values: bytes = b"", *, tensors: int = 0, count: int = 1, version: int = 3, body: bytes = b"") -> bytes:
    return struct.pack("<4sIQQ", b"GGUF", version, tensors, count) + values + body


LAYERS = _text(b"llama.block_count") + struct.pack("<II", 4, 1)
TENSOR = _text(b"t") + struct.pack("<I", 2) + b"\0" * (16 + 12)


def test_a_header_that_fits_its_file_passes(tmp_path: Path) -> None:
    words = _text(b"tokens") + struct.pack("<IIQ", 9, 8, 2) + _text(b"a") + _text(b"b")
    path = tmp_path / "x.gguf"
    path.write_bytes(_file(LAYERS + words, tensors=1, count=2, body=TENSOR))
    check_gguf(path)


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"", "incomplete"),
        (b"GGML" + b"\0" * 40, "not a GGUF file"),
        (_file(count=0, version=1), "not a GGUF file"),
        (_file(count=2**63), "above the limit"),
        (_file(count=0, tensors=2**40), "above the limit"),
        (_file(_text(b"a", 2**60)), "cut off"),
        (_file(_text(b"a") + struct.pack("<I", 8) + _text(b"x", 2**62)), "cut off"),
        (_file(_text(b"a") + struct.pack("<IIQ", 9, 4, 2**40)), "list of 1,099,511,627,776 members"),
        (_file(_text(b"a") + struct.pack("<IIQ", 9, 8, 10_000_000)), "cut off"),
        (_file(_text(b"a") + struct.pack("<IIQ", 9, 9, 1)), "list of 1 members"),
        (_file(_text(b"a") + struct.pack("<I", 99)), "unknown type"),
        (_file(_text(b"llama.block_count") + struct.pack("<II", 4, 10**9)), "claims 1,000,000,000 layers"),
        (_file(_text(b"llama.block_count") + struct.pack("<Ii", 5, -1)), "claims -1 layers"),
        (_file(_text(b"llama.block_count") + struct.pack("<If", 6, 2.0)), "claims -1 layers"),
        (_file(count=0, tensors=1, body=_text(b"t") + struct.pack("<I", 2**31)), "dimensions"),
        (_file(count=0, tensors=9, body=TENSOR), "cut off"),
    ],
)
def test_a_header_that_says_too_much_is_refused(tmp_path: Path, content: bytes, said: str) -> None:
    path = tmp_path / "x.gguf"
    path.write_bytes(content)
    with pytest.raises(ModelError, match=said):
        check_gguf(path)
