"""Ways of bending a message that know how it is built: its JSON, its container's header, its arrays, its bytes."""

import json
import struct
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

__all__ = ["WAYS", "bent", "parts", "whole"]

ODD: tuple[str, ...] = (
    "null", "true", "false", "0", "-1", "1", "2", "1.5", "-0.0", "1e308", "1e400", "-1e400", "NaN", "Infinity",
    "-Infinity", "9007199254740993", "9" * 30, "9" * 4_000, "1e-400", '""', '"0"', '"\\u0000"', '"\\ud800"', '"p1:"',
    '"' + "x" * 5_000 + '"', '"t1:' + "0" * 32 + '"', '"p1:' + "a" * 32 + '"', '"h1:' + "b" * 32 + '"',
    '"p1:' + "a" * 32 + '\\n"', '"p1:' + "A" * 32 + '"', "[]", "{}", "[[]]", "[" * 40 + "]" * 40, "[0,0,0,0,0,0,0]",
    '{"n":1}', '"test"', '"tune"', '"validation"', '"score"', '"accuracy"', '"evaluate"', '"refuse"', '"describe"',
)  # fmt: skip
NAMES = ("verb", "task", "study", "known", "n", "text", "case", "__class__", "total", "choice", "reply", "x")
DTYPES = ("F32", "F64", "F16", "BF16", "I8", "U8", "I64", "BOOL", "F8_E4M3", "x", "")


def parts(data: bytes) -> tuple[dict[str, Any], bytes]:
    """Return a container's header and its data."""
    (size,) = struct.unpack("<Q", data[:8])
    return json.loads(data[8 : 8 + size]), data[8 + size :]


def whole(header: Any, data: bytes) -> bytes:
    """Return a container of a header, as it is, and data."""
    text = header if isinstance(header, bytes) else json.dumps(header).encode()
    return struct.pack("<Q", len(text)) + text + data


def bent(data: bytes, kind: str, other: bytes, rng: np.random.Generator) -> bytes:
    """Return a message bent in one to three ways.

    Args:
        data: honest.
        kind: ``task`` or ``reply``.
        other: another honest one of the kind, to take parts of.
        rng: chooses.
    """
    for _ in range(int(rng.choice([1, 1, 1, 2, 3]))):
        way = WAYS[int(rng.integers(len(WAYS)))]
        try:
            data = way(data, kind, other, rng)
        except (ValueError, LookupError, TypeError, OverflowError, struct.error):  # bent too much to have such a part
            return data
    return data


def _json(data: bytes, kind: str) -> str:
    header, body = parts(data)
    first, last = header[kind]["data_offsets"]
    return body[first:last].decode("utf-8", "surrogateescape")


def _with_json(data: bytes, kind: str, text: str) -> bytes:
    """Return the message with another JSON text; the arrays stay."""
    header, body = parts(data)
    names = sorted((name for name in header if name != "__metadata__"), key=lambda n: header[n]["data_offsets"])
    chunks, made, at = [], {}, 0
    for name in names:
        first, last = header[name]["data_offsets"]
        chunk = text.encode("utf-8", "surrogateescape") if name == kind else body[first:last]
        shape = [len(chunk)] if name == kind else header[name]["shape"]
        made[name] = {"dtype": header[name]["dtype"], "shape": shape, "data_offsets": [at, at + len(chunk)]}
        chunks.append(chunk)
        at += len(chunk)
    return whole(made, b"".join(chunks))


class _Raw(str):
    """A piece of JSON that is written as it is."""


def _dumped(value: Any) -> str:
    if isinstance(value, _Raw):
        return str(value)
    if isinstance(value, dict):
        return "{" + ",".join(f"{json.dumps(k)}:{_dumped(v)}" for k, v in value.items()) + "}"
    if isinstance(value, list):
        return "[" + ",".join(map(_dumped, value)) + "]"
    return json.dumps(value)


def _places(value: Any, at: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    inner: Sequence[tuple[Any, Any]] = (
        list(value.items()) if isinstance(value, dict) else list(enumerate(value)) if isinstance(value, list) else ()
    )
    return [at, *(place for key, one in inner for place in _places(one, (*at, key)))]


def _value(data: bytes, kind: str, other: bytes, rng: np.random.Generator) -> bytes:
    """Put another value in the place of one: odd, a near one, or one of another message."""
    tree = json.loads(_json(data, kind))
    places = _places(tree)[1:]
    place = places[int(rng.integers(len(places)))]
    holder = tree
    for key in place[:-1]:
        holder = holder[key]
    old, how = holder[place[-1]], int(rng.integers(4))
    if how == 0 and isinstance(old, (int, float)) and not isinstance(old, bool):
        holder[place[-1]] = old + [1, -1, 0.5, 1e-9, 1e9, -2 * old][int(rng.integers(6))]
    elif how == 1:
        donor = json.loads(_json(other, kind))
        chosen = _places(donor)
        for key in chosen[int(rng.integers(len(chosen)))]:
            donor = donor[key]
        holder[place[-1]] = donor
    else:
        holder[place[-1]] = _Raw(ODD[int(rng.integers(len(ODD)))])
    return _with_json(data, kind, _dumped(tree))


def _shape_of_tree(data: bytes, kind: str, other: bytes, rng: np.random.Generator) -> bytes:
    """Take a member away, add one, double one, or change the order."""
    tree = json.loads(_json(data, kind))
    held = [tree]
    for place in _places(tree):
        one = tree
        for key in place:
            one = one[key]
        if isinstance(one, (dict, list)) and one:
            held.append(one)
    chosen, how = held[int(rng.integers(len(held)))], int(rng.integers(4))
    if isinstance(chosen, dict):
        key = list(chosen)[int(rng.integers(len(chosen)))]
        if how == 0:
            del chosen[key]
        elif how == 1:
            chosen[NAMES[int(rng.integers(len(NAMES)))]] = _Raw(ODD[int(rng.integers(len(ODD)))])
        elif how == 2:
            text = _dumped(tree)
            return _with_json(
                data, kind, text.replace(f"{json.dumps(key)}:", f"{json.dumps(key)}:0,{json.dumps(key)}:", 1)
            )
        else:
            chosen[key.upper()] = chosen.pop(key)
    elif how == 0:
        del chosen[int(rng.integers(len(chosen)))]
    elif how == 1:
        chosen.append(chosen[int(rng.integers(len(chosen)))])
    elif how == 2:
        chosen.extend(chosen * int(rng.integers(1, 50)))
    else:
        chosen.reverse()
    return _with_json(data, kind, _dumped(tree))


def _text(data: bytes, kind: str, other: bytes, rng: np.random.Generator) -> bytes:
    """Change single characters of the JSON, or cut it."""
    text = _json(data, kind)
    at, how = int(rng.integers(len(text))), int(rng.integers(4))
    odd = '{}[]",:0eE.-+\\ \n\t\x00\x7f\u00e9\u2028'
    if how == 0:
        return _with_json(data, kind, text[:at])
    if how == 1:
        return _with_json(data, kind, text[:at] + odd[int(rng.integers(len(odd)))] + text[at:])
    if how == 2:
        return _with_json(data, kind, text[:at] + text[at + 1 :])
    return _with_json(data, kind, text + text[at:])


def _header(data: bytes, kind: str, other: bytes, rng: np.random.Generator) -> bytes:
    """Change the container's header: types, shapes, offsets, names."""
    header, body = parts(data)
    names = list(header)
    name, how = names[int(rng.integers(len(names)))], int(rng.integers(7))
    one = header[name]
    if how == 0:
        one["dtype"] = DTYPES[int(rng.integers(len(DTYPES)))]
    elif how == 1:
        one["shape"] = [[], [0], [-1], [2**62, 4], [1, *one["shape"]], one["shape"][::-1], [2**63]][
            int(rng.integers(7))
        ]
    elif how == 2:
        place = int(rng.integers(2))
        one["data_offsets"][place] += int(rng.integers(-9, 9)) * int(rng.choice([1, 1, 2**32, 2**61]))
    elif how == 3:
        header[NAMES[int(rng.integers(len(NAMES)))]] = header.pop(name)
    elif how == 4:
        header[f"soft-{int(rng.integers(5))}"] = dict(one)
    elif how == 5:
        header["__metadata__"] = {"format": "np", "text": "x" * int(rng.integers(1, 3_000))}
    else:
        text = json.dumps(header).encode()
        at = int(rng.integers(len(text)))
        return whole(text[:at] + bytes([int(rng.integers(256))]) + text[at + 1 :], body)
    return whole(header, body)


def _array(data: bytes, kind: str, other: bytes, rng: np.random.Generator) -> bytes:
    """Change numbers of an array: infinite, NaN, huge, tiny, others."""
    header, body = parts(data)
    names = [name for name in header if name not in (kind, "__metadata__")]
    name = names[int(rng.integers(len(names)))]
    first, last = header[name]["data_offsets"]
    inner = bytearray(body)
    odd = [np.inf, -np.inf, np.nan, 3e38, -3e38, 1e-45, 0.0, 1e6]
    for _ in range(int(rng.choice([1, 1, 4]))):
        at = first + 4 * int(rng.integers((last - first) // 4))
        inner[at : at + 4] = np.float32(odd[int(rng.integers(len(odd)))]).tobytes()
    return whole(header, bytes(inner[: len(body)]))


def _bytes(data: bytes, kind: str, other: bytes, rng: np.random.Generator) -> bytes:
    """Flip, cut, add, or graft bytes."""
    at, how = int(rng.integers(len(data))), int(rng.integers(5))
    if how == 0:
        return data[:at]
    if how == 1:
        return data + bytes(rng.integers(0, 256, int(rng.integers(1, 64)), dtype=np.uint8))
    if how == 2:
        return data[:at] + other[at:]
    if how == 3:
        return struct.pack("<Q", int(rng.choice([0, 1, 2**31, 2**40, 2**63]).item())) + data[8:]
    return data[:at] + bytes([data[at] ^ (1 << int(rng.integers(8)))]) + data[at + 1 :]


WAYS: tuple[Callable[[bytes, str, bytes, np.random.Generator], bytes], ...] = (
    _value, _value, _value, _shape_of_tree, _shape_of_tree, _text, _header, _array, _bytes,
)  # fmt: skip
