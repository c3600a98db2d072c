"""Names of files made of names from elsewhere: a prompt's, a study's, an upload's.

Invariant: a name that comes out holds letters, digits and ``_ . + -`` and spaces, begins with a letter, a digit or
``_``, is none of the names that Windows keeps for devices, and fits in 160 bytes. So every file system and an HTTP
header hold it, no shell takes it for an option, and it reads the way it is written. Two names that differ stay apart
where ``apart`` is asked for.
"""

import hashlib
import re
import unicodedata

__all__ = ["MAX_BYTES", "file_name"]

MAX_BYTES = 160
_KEPT = frozenset({"con", "prn", "aux", "nul", *(f"{port}{n}" for port in ("com", "lpt") for n in "0123456789¹²³")})


def file_name(wanted: str, ending: str = "", *, other: str = "file", apart: bool = False) -> str:
    """Return a name near to the one that is wanted.

    Args:
        wanted: any text; folders in it are no part of the name.
        ending: what the name ends in, such as ``.yaml``.
        other: the name where nothing of the wanted one can be kept.
        apart: whether a name that had to be changed gets eight digits of its digest, so that no two become one.
    """
    normal = unicodedata.normalize("NFC", wanted)
    name = re.sub(r"[^\w .+-]+", "-", normal).strip(" .-+")
    name = name or other
    if name.split(".")[0].strip().lower() in _KEPT:
        name = f"{name.split('.')[0].strip()}_{name[len(name.split('.')[0]) :]}"
    tail = f"-{hashlib.sha256(wanted.encode('utf-8', 'replace')).hexdigest()[:8]}" if apart else ""
    short = _cut(name, MAX_BYTES - len(ending.encode()))
    if not tail or short == normal:
        return short + ending
    return _cut(short, MAX_BYTES - len((tail + ending).encode())) + tail + ending


def _cut(name: str, most: int) -> str:
    return name.encode()[:most].decode(errors="ignore").rstrip(" .-+")
