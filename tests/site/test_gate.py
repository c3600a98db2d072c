"""Nothing leaves but through the gate, and the gate writes first."""

import os
import resource
from hashlib import sha256
from pathlib import Path

import numpy as np
import pytest

from fedprompt.errors import LedgerError
from fedprompt.privacy.egress import unpack_reply
from fedprompt.site.gate import Gate, Outgoing
from fedprompt.site.ledger import Ledger
from fedprompt.study.messages import DescribeReply, Refusal, TuneReply

STUDY = "s1:" + "b" * 32
TASK = "t1:" + "a" * 32
DESCRIBE = DescribeReply(task=TASK, tune=30, validation=20, test=20, labels=(35, 35))
TUNE = TuneReply(task=TASK, round=1, cases=30, loss=0.5)


@pytest.fixture
def ledger(tmp_path: Path) -> Ledger:
    return Ledger(tmp_path / "ledger.jsonl")


def refusal(out: Outgoing) -> str:
    message = unpack_reply(out.data).message
    assert isinstance(message, Refusal)
    return message.code


def test_what_left_is_in_the_ledger_by_its_digest(ledger: Ledger) -> None:
    out = Gate(ledger, study=STUDY, budget=9).send(TUNE, {"delta": np.ones((2, 3), np.float32)})
    (entry,) = ledger.entries()
    assert (entry.decision, entry.study, entry.arrays) == ("sent", STUDY, {"delta": [2, 3]})
    assert entry.message == TUNE.model_dump(mode="json")
    assert (entry.size, entry.sha256) == (len(out.data), sha256(out.data).hexdigest())
    assert out.head == entry.hash == ledger.head


def test_a_refused_reply_is_in_the_ledger_and_leaves_as_a_code(ledger: Ledger) -> None:
    out = Gate(ledger, study=STUDY, budget=9).send(TUNE, {"delta": np.full((2, 3), np.nan, np.float32)})
    assert refusal(out) == "failed"
    (entry,) = ledger.entries()
    assert (entry.decision, entry.message["code"]) == ("refused", "failed")
    assert entry.sha256 == sha256(out.data).hexdigest()


class Leaky(DescribeReply):
    """A reply with more than the list has."""

    note: str


def test_a_refused_replys_content_is_not_even_in_the_ledger(ledger: Ledger) -> None:
    out = Gate(ledger, study=STUDY, budget=9).send(Leaky(**DESCRIBE.model_dump(), note="Mrs Smith"))
    assert refusal(out) == "failed"
    assert b"Smith" not in ledger.path.read_bytes() + out.data


def test_past_the_budget_nothing_but_refusals_leaves(ledger: Ledger) -> None:
    gate = Gate(ledger, study=STUDY, budget=2)
    assert gate.spent == 0
    gate.send(DESCRIBE)
    gate.send(Refusal(task=TASK, code="unknown-prompt"))  # costs nothing
    gate.send(DESCRIBE)
    assert gate.spent == 2
    assert refusal(gate.send(DESCRIBE)) == "budget-spent"
    assert refusal(Gate(ledger, study=STUDY, budget=2).send(DESCRIBE)) == "budget-spent"
    other = Gate(ledger, study="s1:" + "c" * 32, budget=2)
    assert unpack_reply(other.send(DESCRIBE).data).message == DESCRIBE
    assert [entry.decision for entry in ledger.entries()] == ["sent", "refused", "sent", "refused", "refused", "sent"]


def test_a_ledger_that_was_tampered_with_lets_nothing_leave(ledger: Ledger) -> None:
    gate = Gate(ledger, study=STUDY, budget=9)
    gate.send(DESCRIBE)
    ledger.path.write_bytes(ledger.path.read_bytes().replace(b'"tune":30', b'"tune":31'))
    with pytest.raises(LedgerError, match="line 1"):
        gate.send(DESCRIBE)


def test_a_disk_that_is_full_lets_nothing_leave(ledger: Ledger) -> None:
    gate = Gate(ledger, study=STUDY, budget=9)
    gate.send(DESCRIBE)
    size = ledger.path.stat().st_size
    read, write = os.pipe()
    pid = os.fork()
    if pid == 0:  # the bound on files' sizes stays with the child
        try:
            resource.setrlimit(resource.RLIMIT_FSIZE, (size, size))
            try:
                said = gate.send(DESCRIBE).data
            except LedgerError as error:
                said = str(error).encode()
            os.write(write, said)
        finally:
            os._exit(0)
    os.waitpid(pid, 0)
    assert b"the ledger cannot be written" in os.read(read, 10_000)
    os.close(read)
    os.close(write)
    assert len(ledger.entries()) == 1
