"""Nothing leaves but through the gate, and the gate writes first."""

import os
import resource
import uuid
from hashlib import sha256
from pathlib import Path

import numpy as np
import pytest

from fedprompt.errors import LedgerError
from fedprompt.site.gate import Gate, Outgoing
from fedprompt.site.ledger import Ledger
from fedprompt.site.replies import ReplyStore
from fedprompt.trust.chain import GENESIS, follow
from fedprompt.verbs.describe import DescribeReply
from fedprompt.verbs.refusals import Refusal
from fedprompt.verbs.tune import TuneReply
from fedprompt.verbs.wire import unpack_reply

STUDY = "s1:" + "b" * 32
TASK = "t1:" + "a" * 32
DESCRIBE = DescribeReply(task=TASK, tune=30, validation=20, test=20, labels=(35, 35))
TUNE = TuneReply(task=TASK, round=1, cases=30, loss=0.5)


def gate(ledger: Ledger, *, study: str = STUDY, budget: int = 9) -> Gate:
    return Gate(ledger, ReplyStore(ledger.path.with_name("replies.db")), study=study, budget=budget)


@pytest.fixture
def ledger(tmp_path: Path) -> Ledger:
    return Ledger(tmp_path / "ledger.jsonl")


def new() -> str:
    return uuid.uuid4().hex


def refusal(out: Outgoing) -> str:
    message = unpack_reply(out.data).message
    assert isinstance(message, Refusal)
    return message.code


def test_what_left_is_in_the_ledger_by_its_digest(ledger: Ledger) -> None:
    out = gate(ledger).send(TUNE, {"delta": np.ones((2, 3), np.float32)}, question=new())
    (entry,) = ledger.entries()
    assert (entry.decision, entry.study, entry.arrays) == ("sent", STUDY, {"delta": [2, 3]})
    assert entry.message == TUNE.model_dump(mode="json")
    assert (entry.size, entry.sha256) == (len(out.data), sha256(out.data).hexdigest())
    assert out.head == entry.hash == ledger.head


def test_which_prompt_a_change_is_of_stands_in_the_ledger_each_time_and_never_leaves(ledger: Ledger) -> None:
    prompt, question, made = "p1:" + "c" * 32, new(), gate(ledger)
    out = made.send(TUNE, {"delta": np.ones((2, 3), np.float32)}, question=question, about=prompt)
    again = made.again(question)
    assert again is not None
    assert again.data == out.data
    assert [entry.message["about"] for entry in ledger.entries()] == [prompt, prompt]
    assert prompt.encode() not in out.data


def test_a_refused_reply_is_in_the_ledger_and_leaves_as_a_code(ledger: Ledger) -> None:
    out = gate(ledger).send(TUNE, {"delta": np.full((2, 3), np.nan, np.float32)}, question=new())
    assert refusal(out) == "failed"
    (entry,) = ledger.entries()
    assert (entry.decision, entry.message["code"]) == ("refused", "failed")
    assert entry.sha256 == sha256(out.data).hexdigest()


class Leaky(DescribeReply):
    """A reply with more than the list has."""

    note: str


def test_a_refused_replys_content_is_not_even_in_the_ledger(ledger: Ledger) -> None:
    out = gate(ledger).send(Leaky(**DESCRIBE.model_dump(), note="Mrs Smith"), question=new())
    assert refusal(out) == "failed"
    assert b"Smith" not in ledger.path.read_bytes() + out.data


def test_past_the_budget_nothing_but_refusals_leaves(ledger: Ledger) -> None:
    site = gate(ledger, budget=2)
    assert site.spent == 0
    site.send(DESCRIBE, question=new())
    site.send(Refusal(task=TASK, code="unknown-prompt"), question=new())  # costs nothing
    site.send(DESCRIBE, question=new())
    assert site.spent == 2
    assert refusal(site.send(DESCRIBE, question=new())) == "budget-spent"
    assert refusal(gate(ledger, budget=2).send(DESCRIBE, question=new())) == "budget-spent"
    other = gate(ledger, study="s1:" + "c" * 32, budget=2)
    assert unpack_reply(other.send(DESCRIBE, question=new()).data).message == DESCRIBE
    assert [entry.decision for entry in ledger.entries()] == ["sent", "refused", "sent", "refused", "refused", "sent"]


def test_a_ledger_that_was_tampered_with_lets_nothing_leave(ledger: Ledger) -> None:
    site = gate(ledger)
    site.send(DESCRIBE, question=new())
    ledger.path.write_bytes(ledger.path.read_bytes().replace(b'"tune":30', b'"tune":31'))
    with pytest.raises(LedgerError, match="line 1"):
        site.send(DESCRIBE, question=new())


def test_a_disk_that_is_full_lets_nothing_leave(ledger: Ledger) -> None:
    site = gate(ledger)
    site.send(DESCRIBE, question=new())
    size = ledger.path.stat().st_size
    read, write = os.pipe()
    pid = os.fork()
    if pid == 0:  # the bound on files' sizes stays with the child
        try:
            resource.setrlimit(resource.RLIMIT_FSIZE, (size, size))
            try:
                said = site.send(DESCRIBE, question=new()).data
            except LedgerError as error:
                said = str(error).encode()
            os.write(write, said)
        finally:
            os._exit(0)
    os.waitpid(pid, 0)
    assert b"nothing was sent" in os.read(read, 10_000)
    os.close(read)
    os.close(write)
    assert len(ledger.entries()) == 1


def test_a_question_asked_again_gets_the_same_bytes_is_not_charged_and_is_noted(ledger: Ledger) -> None:
    site = gate(ledger, budget=1)
    assert site.again("q") is None
    first = site.send(TUNE, {"delta": np.ones((2, 3), np.float32)}, question="q", residual=b"rest")
    again = gate(ledger, budget=1).again("q", first.head)
    assert again is not None and again.data == first.data and site.spent == 1
    assert [entry.decision for entry in ledger.entries()] == ["sent", "resent"]
    assert [entry.arrays for entry in ledger.entries()] == [{"delta": [2, 3]}] * 2
    assert ReplyStore(ledger.path.with_name("replies.db")).residual(STUDY) == b"rest"


def test_what_was_kept_but_never_left_leaves_as_sent_and_is_charged_once(ledger: Ledger, tmp_path: Path) -> None:
    site = gate(ledger)
    site.send(DESCRIBE, question="q")
    ledger.path.unlink()  # as if the process had died before it wrote the ledger
    assert site.spent == 1
    assert site.again("q") is not None
    assert ([entry.decision for entry in ledger.entries()], site.spent) == (["sent"], 1)


def test_the_hub_can_follow_the_chain_from_the_head_that_it_knows(ledger: Ledger) -> None:
    site = gate(ledger)
    first = site.send(DESCRIBE, question="a")
    site.send(DESCRIBE, question="b")
    third = site.send(DESCRIBE, question="c", known=first.head)
    assert len(third.trail) == 2 and follow(first.head, third.trail) == third.head
    assert len(site.send(DESCRIBE, question="d", known=GENESIS).trail) == 4


def test_a_rewritten_ledger_lets_nothing_leave_to_a_hub_that_knows_another(ledger: Ledger) -> None:
    site = gate(ledger)
    known = site.send(DESCRIBE, question="a").head
    ledger.path.unlink()
    with pytest.raises(LedgerError, match="removed or rewritten"):
        site.send(DESCRIBE, question="b", known=known)
    assert ledger.entries() == ()
