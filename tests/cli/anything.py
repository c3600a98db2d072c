"""What people and scripts may hand to a command: files and words of the right kind, damaged in every usual way.

For property tests, which draw a seed. A file is made anew for each example, from one that is fit: its structure is kept
where that can be (one value of a study, one cell of a table), else its bytes are cut, doubled or changed.
"""

import io
import json
import os
import random
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import yaml

from tests.scripted_sites import TEXT, cases

__all__ = ["NUMBERS", "ODD", "WORDS", "Made", "any_file"]

NUMBERS = ("0", "-1", "1", "2", "64", "1e9", "1e999", "-inf", "nan", "0x10", "1_000", "9" * 400, "½", "٣", "1.5", "")
WORDS = (
    *(
        "",
        " ",
        "x",
        "é",
        "e\u0301",
        "\u202e",
        "\x1b[2J",
        "a\nb",
        "\t",
        "%s%n",
        "{text}",
        "{{text}}",
        "../../x",
        "~nobody/x",
    ),
    *("=", "a=b", "a=b,a=c", "text=text,answer=answer", ",", "-", "--", "@", "name@tag", "p1:", "p1:" + "0" * 32, "*"),
    *(
        "s1:" + "0" * 32,
        "r1:x",
        "null",
        "true",
        "scripted",
        "chat:x",
        "smollm2",
        "/",
        ".",
        "a\0b",
        "\ud800",
        "x" * 5000,
    ),
)
ODD: tuple[Any, ...] = (
    *(
        None,
        True,
        False,
        0,
        -1,
        1,
        2,
        1.5,
        10**30,
        -(10**30),
        1e308,
        float("nan"),
        float("inf"),
        "",
        " ",
        "x",
        "{",
        "}",
    ),
    *(
        "{text}",
        "{text}{text}",
        "{{text}}",
        "{0}",
        "{text!r}",
        "{soft}",
        "{demonstrations}",
        "\0",
        "é" * 100,
        "yes",
        "1",
    ),
    *(
        [],
        {},
        [None],
        ["a", "a"],
        [[]],
        {"a": 1},
        {"": ""},
        ["x"] * 300,
        {"type": "choice"},
        {"name": "x"},
        "2026-01-01",
    ),
)
BASE: Mapping[str, Any] = yaml.safe_load(TEXT)
CHUNKS = (
    b"",
    b"\0",
    b"\xff\xfe",
    b"\xef\xbb\xbf",
    b'"',
    b"\r",
    b"\n\n",
    b",",
    b"{",
    b"[" * 5000,
    b"\xed\xa0\x80",
    b"=1+1",
)


@dataclass(frozen=True)
class Made:
    """A file, folder, pipe or link that an example makes: how it is called, and what is in it."""

    name: str
    content: bytes = b""
    kind: str = "file"

    def under(self, folder: Path) -> str:
        """Make it and return its path; what cannot be made on this machine is only named."""
        path = os.path.join(str(folder), self.name)
        try:
            if self.kind == "file":
                with open(path, "wb") as file:
                    file.write(self.content)
            elif self.kind == "folder":
                os.mkdir(path)
            elif self.kind == "pipe":
                os.mkfifo(path)
            elif self.kind == "loop":
                os.symlink(self.name, path)
            elif self.kind == "device":
                return self.name
        except (OSError, ValueError):  # such a name cannot be had here; or it was made already
            pass
        return path


def _places(value: Any, path: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    found = [path] if path else []
    items = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for key, inner in items:
        found += _places(inner, (*path, key))
    return found


def _changed(value: Any, path: Sequence[Any], new: Any, drop: bool) -> Any:
    copy: Any = dict(value) if isinstance(value, dict) else list(value)
    if len(path) > 1:
        copy[path[0]] = _changed(copy[path[0]], path[1:], new, drop)
    elif drop:
        del copy[path[0]]
    elif isinstance(new, tuple) and isinstance(copy, dict):  # another key
        copy[new[0]] = copy.pop(path[0])
    else:
        copy[path[0]] = new
    return copy


def _study(rng: random.Random) -> bytes:
    """Return a study's YAML with a few of its values changed, dropped, or put under another key."""
    body: Any = BASE
    for _ in range(rng.randrange(4)):
        path = rng.choice(_places(body))
        how = rng.choice(("value", "value", "drop", "key"))
        new = (rng.choice(("x", "", "on", 1, None)),) if how == "key" else rng.choice(ODD)
        body = _changed(body, path, new, how == "drop")
        if not isinstance(body, dict) or not _places(body):
            break
    return yaml.safe_dump(body, allow_unicode=True).encode("utf-8", "surrogatepass")


def _written(rows: Sequence[Sequence[str]], ending: str) -> bytes:
    if ending == ".parquet":
        out = io.BytesIO()
        plain = [[cell.encode("utf-8", "replace").decode() for cell in row] for row in rows]
        pq.write_table(pa.table({name: [row[n] for row in plain[1:]] for n, name in enumerate(plain[0])}), out)
        return out.getvalue()
    if ending == ".jsonl":
        lines = [json.dumps(dict(zip(rows[0], row, strict=False)), ensure_ascii=False) + "\n" for row in rows[1:]]
        return "".join(lines).encode("utf-8", "surrogatepass")
    mark = "\t" if ending == ".tsv" else ","
    return "\n".join(mark.join(row) for row in rows).encode("utf-8", "surrogatepass")


def _table(rng: random.Random, ending: str) -> bytes:
    rows = [["text", "answer"]]
    rows += [[case.fields["text"], case.answer] for case in cases("ant", rng.choice((0, 1, 3, 80, 80)))]
    for _ in range(rng.randrange(3)):
        rng.choice(rows)[rng.randrange(2)] = rng.choice((*WORDS, *NUMBERS))
    return _written(rows, ending)


def _damaged(rng: random.Random, data: bytes) -> bytes:
    if rng.random() < 0.6:
        return data
    at = rng.randint(0, len(data))
    end = at + rng.choice((0, 1, 7, 200, len(data)))
    return data[:at] + rng.choice(CHUNKS) * rng.choice((1, 2)) + data[end:]


def any_file(rng: random.Random, others: Mapping[str, bytes]) -> Made:
    """Return a file of any kind that a command reads, fit or damaged, or something that is no file at all.

    Args:
        others: name -> content of fit files that are not made here.
    """
    kind = rng.randrange(10)
    if kind < 4:
        ending = rng.choice((".csv", ".csv", ".tsv", ".jsonl", ".parquet", ".txt", ""))
        return Made(f"cases{ending}", _damaged(rng, _table(rng, ending)))
    if kind < 7:
        return Made("study.yaml", _damaged(rng, _study(rng)))
    if kind < 9 and others:
        name = rng.choice(sorted(others))
        return Made(name, _damaged(rng, others[name]))
    return rng.choice(STRANGE)


STRANGE = (
    *map(
        Made,
        ("", "x", "no such", "a\0b.csv", "\udcff.csv", "x" * 300 + ".csv", "a\nb.csv", "é.yaml", "x.gguf", "a/b.csv"),
    ),
    *(Made(f"folder{ending}", kind="folder") for ending in ("", ".csv", ".yaml", ".db", ".parquet")),
    *(Made(f"pipe{end}", kind="pipe") for end in ("", ".csv", ".jsonl", ".parquet", ".yaml", ".json", ".zip", ".db")),
    *(Made(f"loop{ending}", kind="loop") for ending in ("", ".csv", ".yaml")),
    *(
        Made(name, kind="device")
        for name in ("/dev/null", "/dev/zero", "/dev/full", "/dev/stdin", "/", "/proc/self/mem")
    ),
)
