"""The ledger's chain shows a changed, missing or moved line, and a failed write leaves it as it was."""

import json
import os
import resource
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from fedprompt.errors import LedgerError
from fedprompt.site.ledger import Entry, Ledger
from fedprompt.trust.chain import GENESIS
from tests.coded import coded


def append(ledger: Ledger, number: int) -> Entry:
    return ledger.append(decision="sent", study="s1:x", message={"n": number}, arrays={"delta": [2, 3]}, data=b"bytes")


@pytest.fixture
def ledger(tmp_path: Path) -> Ledger:
    found = Ledger(tmp_path / "ledger.jsonl")
    for number in range(1, 5):
        append(found, number)
    return found


def test_entries_are_chained_from_the_beginning(ledger: Ledger) -> None:
    entries = ledger.entries()
    assert [entry.number for entry in entries] == [1, 2, 3, 4]
    assert [entry.before for entry in entries] == [GENESIS, *(entry.hash for entry in entries[:-1])]
    assert ledger.head == entries[-1].hash
    # printf bytes | sha256sum
    assert (
        entries[0].sha256 == "277089d91c0bdf4f2e6862ba7e4a07605119431f5d13f726dd352b06f1b206a9" and entries[0].size == 5
    )


def test_a_ledger_that_is_not_there_is_empty(tmp_path: Path) -> None:
    ledger = Ledger(tmp_path / "none.jsonl")
    assert ledger.entries() == () and ledger.head == GENESIS
    assert not ledger.path.exists()


def test_only_its_owner_reads_it(ledger: Ledger) -> None:
    assert ledger.path.stat().st_mode & 0o777 == 0o600


def swap(lines: list[bytes]) -> list[bytes]:
    return [lines[0], lines[2], lines[1], lines[3]]


def forge(lines: list[bytes]) -> list[bytes]:
    """Change an entry and give it the hash that it should then have."""
    from hashlib import sha256

    body = json.loads(lines[1])
    body["message"] = {"n": 7}
    content = {key: body[key] for key in body if key not in ("before", "hash")}
    own = sha256(json.dumps(content, sort_keys=True, separators=(",", ":")).encode()).hexdigest()
    body["hash"] = sha256((body["before"] + own).encode()).hexdigest()
    return [lines[0], json.dumps(body, sort_keys=True, separators=(",", ":")).encode(), *lines[2:]]


@pytest.mark.parametrize(
    ("change", "line"),
    [
        (lambda lines: [lines[0], lines[1].replace(b'"n":2', b'"n":7'), *lines[2:]], 2),
        (lambda lines: [lines[0], lines[1].replace(b'"size":5', b'"size":6'), *lines[2:]], 2),
        (lambda lines: lines[1:], 1),
        (lambda lines: [lines[0], *lines[2:]], 2),
        (swap, 2),
        (lambda lines: [lines[0], lines[0], *lines[1:]], 2),
        (forge, 3),
        (lambda lines: [lines[0], b"{}", *lines[2:]], 2),
        (lambda lines: [lines[0], b"[]", *lines[2:]], 2),
        (lambda lines: [lines[0], b"", *lines[1:]], 2),
        (lambda lines: [*lines, b"\xff\xfe"], 5),
        (lambda lines: [lines[0].replace(b'"n":1', b'"n":NaN'), *lines[1:]], 1),
        (lambda lines: [lines[0].replace(b'"n":1', rb'"n":"\ud800"'), *lines[1:]], 1),
        (lambda lines: [lines[0].replace(b'"n":1', b'"n":' + b"[" * 100_000), *lines[1:]], 1),
        (lambda lines: [lines[0].replace(b'"size":5', b'"size":5,"note":"x"'), *lines[1:]], 1),
        (lambda lines: [lines[0].replace(b'"n":1', b'"n":9,"n":1'), *lines[1:]], 1),  # a key twice, the true value last
        (lambda lines: [lines[0].replace(b'"size":5', b'"size":6,"size":5'), *lines[1:]], 1),
        (lambda lines: [lines[0].replace(b'"size":5', b'"size": 5'), *lines[1:]], 1),
        (lambda lines: [lines[0].replace(b'"sent"', rb'"\u0073ent"'), *lines[1:]], 1),
        (lambda lines: [b"\0" * len(lines[0]), *lines[1:]], 1),
        (lambda lines: [*lines[:2], lines[2][:40], lines[3]], 3),
    ],
)
def test_the_line_that_was_touched_is_named(
    ledger: Ledger, change: Callable[[list[bytes]], list[bytes]], line: int
) -> None:
    ledger.path.write_bytes(b"\n".join(change(ledger.path.read_bytes().splitlines())) + b"\n")
    with pytest.raises(LedgerError, match=f"ledger.jsonl line {line}: ", check=coded("damaged", "chain-broken")):
        ledger.entries()


@pytest.mark.parametrize("last", [b'{"half":', b"[]", b"{}", b'{"number":"x","hash":"y"}', b"3"])
def test_nothing_is_written_after_a_damaged_line(ledger: Ledger, last: bytes) -> None:
    with ledger.path.open("ab") as file:
        file.write(last + b"\n")
    before = ledger.path.read_bytes()
    with pytest.raises(LedgerError, match=r"ledger\.jsonl", check=coded("damaged")):
        append(ledger, 5)
    assert ledger.path.read_bytes() == before


def test_an_entry_whose_line_end_was_lost_is_not_written_over(ledger: Ledger) -> None:
    ledger.path.write_bytes(ledger.path.read_bytes().rstrip(b"\n"))
    append(ledger, 5)
    assert [entry.number for entry in ledger.entries()] == [1, 2, 3, 4, 5]


def torn(held: bytes) -> dict[str, tuple[bytes, bytes]]:
    """Return what a power loss may leave of four entries: the content, and what of it is half an entry."""
    first = held[: held[:-1].rfind(b"\n") + 1]
    last = held[len(first) :]
    return {
        "half a line": (first + last[:100], last[:100]),
        "one byte": (first + b"{", b"{"),
        "zeros after the last line": (held + b"\0" * 4096, b"\0" * 4096),
        "half a line and zeros": (first + last[:50] + b"\0" * 300, last[:50] + b"\0" * 300),
        "a line with zeros in it": (first + last[:50] + b"\0" * 50 + last[100:], last[:50] + b"\0" * 50 + last[100:]),
        "zeros alone": (b"\0" * 512, b"\0" * 512),
    }


@pytest.mark.parametrize("loss", torn(b""))
def test_half_an_entry_at_the_end_is_set_aside_once_and_the_ledger_goes_on(
    ledger: Ledger, loss: str, caplog: pytest.LogCaptureFixture
) -> None:
    content, tail = torn(ledger.path.read_bytes())[loss]
    ledger.path.write_bytes(content)
    whole = content[: len(content) - len(tail)].count(b"\n")
    assert (len(ledger.entries()), ledger.torn) == (whole, len(tail))
    assert ledger.path.read_bytes() == content  # reading changes nothing
    append(Ledger(ledger.path), 8)
    append(Ledger(ledger.path), 9)
    assert [entry.message["n"] for entry in ledger.entries()] == [*range(1, whole + 1), 8, 9]
    (aside,) = ledger.set_aside
    assert aside.read_bytes() == tail and aside.stat().st_mode & 0o777 == 0o600
    (said,) = caplog.messages
    assert f"the last {len(tail)} bytes" in said and aside.name in said


def test_half_an_entry_that_cannot_be_set_aside_lets_nothing_leave(ledger: Ledger) -> None:
    ledger.path.write_bytes(ledger.path.read_bytes() + b'{"half')
    before = ledger.path.read_bytes()
    (ledger.path.parent / "ledger.torn-cffca8166fc5").mkdir()
    with pytest.raises(LedgerError, check=coded("cannot-write")):
        append(ledger, 5)
    assert ledger.path.read_bytes() == before


def test_two_processes_write_one_chain(tmp_path: Path) -> None:
    path = tmp_path / "ledger.jsonl"
    code = (
        "import sys; from pathlib import Path; from fedprompt.site.ledger import Ledger\n"
        "for n in range(25): Ledger(Path(sys.argv[1])).append("
        "decision='sent', study='s1:x', message={'n': n}, arrays={}, data=b'')"
    )
    both = [subprocess.Popen([sys.executable, "-c", code, str(path)]) for _ in range(2)]
    assert [process.wait(timeout=60) for process in both] == [0, 0]
    entries = Ledger(path).entries()
    assert len(entries) == 50
    assert sorted(int(entry.message["n"]) for entry in entries) == sorted([*range(25), *range(25)])


def test_a_ledger_that_cannot_be_opened_is_an_error_of_its_own(tmp_path: Path) -> None:
    folder = tmp_path / "ledger.jsonl"
    folder.mkdir()
    with pytest.raises(LedgerError, check=coded("cannot-write")):
        append(Ledger(folder), 1)
    with pytest.raises(LedgerError, check=coded("cannot-read")):
        Ledger(folder).entries()


def test_a_full_disk_leaves_the_ledger_as_it_was(ledger: Ledger) -> None:
    before = ledger.path.read_bytes()
    pid = os.fork()
    if pid == 0:  # the bound on files' sizes stays with the child
        code = 1
        try:
            resource.setrlimit(resource.RLIMIT_FSIZE, (len(before) + 40, len(before) + 40))
            try:
                append(ledger, 5)
            except LedgerError as error:
                code = 0 if "cannot be written" in str(error) and "nothing was sent" in str(error) else 2
        finally:
            os._exit(code)
    assert os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == 0
    assert ledger.path.read_bytes() == before
    append(ledger, 5)
    assert len(ledger.entries()) == 5
